//! A moving average that all workers share.

use std::sync::atomic::{AtomicU64, Ordering};

/// Weight of a new sample; that of TCP's round trip times (RFC 6298, section 2).
const WEIGHT: f64 = 1.0 / 8.0;
/// A sample that changes the numbers by less than this share is not stored: most requests
/// write to no memory that others read.
const TOLERANCE: f64 = 1.0 / 128.0;

/// The mean of what was seen, and its mean deviation: two `f32`, both of them 0 before
/// anything was seen.
#[derive(Debug, Default)]
pub(super) struct Average(AtomicU64);

/// The two numbers at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub mean: f64,
    pub deviation: f64,
}

// === impl Average ===

impl Average {
    /// A sample is a number above 0; 0 counts as the smallest one.
    pub fn add(&self, sample: f64) {
        let seen = match self.get() {
            None => Seen {
                mean: sample,
                deviation: sample / 2.0,
            },
            Some(before) => {
                let error = sample - before.mean;
                let mean_change = error * WEIGHT;
                let deviation_change = (error.abs() - before.deviation) * WEIGHT;
                let within = before.mean * TOLERANCE;
                if mean_change.abs() < within && deviation_change.abs() < within {
                    return;
                }
                Seen {
                    mean: before.mean + mean_change,
                    deviation: before.deviation + deviation_change,
                }
            }
        };
        // Two workers may overwrite each other's sample: it is an average either way.
        self.0.store(seen.to_bits(), Ordering::Relaxed);
    }

    pub fn get(&self) -> Option<Seen> {
        let bits = self.0.load(Ordering::Relaxed);
        (bits != 0).then(|| Seen::from_bits(bits))
    }

    pub fn mean(&self) -> Option<f64> {
        self.get().map(|seen| seen.mean)
    }

    pub fn copy(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

// === impl Seen ===

impl Seen {
    #[allow(clippy::cast_possible_truncation, reason = "an estimate")]
    fn to_bits(self) -> u64 {
        let mean = (self.mean as f32).max(f32::MIN_POSITIVE);
        let deviation = self.deviation as f32;
        u64::from(mean.to_bits()) << 32 | u64::from(deviation.to_bits())
    }

    #[allow(clippy::cast_possible_truncation, reason = "the halves")]
    fn from_bits(bits: u64) -> Self {
        Self {
            mean: f32::from_bits((bits >> 32) as u32).into(),
            deviation: f32::from_bits(bits as u32).into(),
        }
    }
}
