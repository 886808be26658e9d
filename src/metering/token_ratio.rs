//! Tokens of a prompt for each byte of its request, by model.
//!
//! There is no tokenizer here: the ratio is learned from the usage that providers report,
//! so that escapes, tool schemas, pictures and scripts are in it without being known.

use std::sync::atomic::{AtomicU32, Ordering};

/// Tokens per byte are counted in units of this: 20 bits behind the point.
const ONE: u32 = 1 << 20;
/// Before anything was learned: English text and code have about four bytes a token.
const DEFAULT: u32 = ONE / 4;
/// Below and above, a provider counts what is not in the body, or the body is data.
const MIN: u32 = ONE / 64;
const MAX: u32 = ONE;
/// Weight of a new sample, as of a round trip in RFC 6298: an eighth.
const GAIN: u32 = 8;
/// A sample that deviates by less than a sixteenth is not stored: workers share the
/// number, and most requests must write to no memory that others read.
const TOLERANCE: u32 = 16;

/// The ratio of one model; shared by all workers. 0 before anything was learned.
#[derive(Debug, Default)]
pub struct TokenRatio(AtomicU32);

impl TokenRatio {
    /// Learns from a prompt of which both are known.
    pub fn learn(&self, bytes: u64, tokens: u64) {
        if bytes == 0 || tokens == 0 {
            return;
        }
        let sample = u128::from(tokens) * u128::from(ONE) / u128::from(bytes);
        let sample = u32::try_from(sample).unwrap_or(MAX).clamp(MIN, MAX);
        let ratio = match self.0.load(Ordering::Relaxed) {
            0 => sample,
            ratio if sample.abs_diff(ratio) < ratio / TOLERANCE => return,
            ratio if sample > ratio => ratio + (sample - ratio) / GAIN,
            ratio => ratio - (ratio - sample) / GAIN,
        };
        // Two workers may overwrite each other's sample: it is an average either way.
        self.0.store(ratio, Ordering::Relaxed);
    }

    /// The expected tokens of a prompt of this size; at least 1.
    #[must_use]
    pub fn estimate(&self, bytes: u64) -> u64 {
        let ratio = match self.0.load(Ordering::Relaxed) {
            0 => DEFAULT,
            ratio => ratio,
        };
        let tokens = (u128::from(bytes) * u128::from(ratio)).div_ceil(u128::from(ONE));
        u64::try_from(tokens).unwrap_or(u64::MAX).max(1)
    }

    /// With a state of its own, for the next generation of the configuration.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(AtomicU32::new(self.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TokenRatio;

    #[test]
    fn an_estimate_follows_what_providers_report() {
        let ratio = TokenRatio::default();
        assert_eq!(ratio.estimate(1000), 250);
        assert_eq!(ratio.estimate(0), 1);
        // The first report is taken as it is.
        ratio.learn(1000, 400);
        assert_eq!(ratio.estimate(500), 200);
        // Others move it.
        ratio.learn(1000, 200);
        assert_eq!(ratio.estimate(1000), 375);
        for _ in 0..100 {
            ratio.learn(10_000, 2000);
        }
        assert!((200..=213).contains(&ratio.estimate(1000)));
        // What is about the same is not stored.
        let before = ratio.estimate(1_000_000);
        ratio.learn(1_000_000, before + before / 20);
        assert_eq!(ratio.estimate(1_000_000), before);
        let copy = ratio.copy();
        copy.learn(1, 1);
        assert_eq!(ratio.estimate(1_000_000), before);
        assert!(copy.estimate(1_000_000) > before);
    }

    #[test]
    fn what_cannot_be_a_ratio_is_bounded() {
        let ratio = TokenRatio::default();
        ratio.learn(0, 9);
        ratio.learn(9, 0);
        assert_eq!(ratio.estimate(1000), 250);
        ratio.learn(1, u64::MAX);
        assert_eq!(ratio.estimate(1000), 1000);
        let ratio = TokenRatio::default();
        ratio.learn(u64::MAX, 1);
        assert_eq!(ratio.estimate(6400), 100);
    }

    proptest! {
        #[test]
        fn an_estimate_lies_between_its_bounds(
            samples in prop::collection::vec((any::<u64>(), any::<u64>()), 0..20),
            bytes in 1_u64..1 << 40,
        ) {
            let ratio = TokenRatio::default();
            for (bytes, tokens) in samples {
                ratio.learn(bytes, tokens);
            }
            let estimate = ratio.estimate(bytes);
            prop_assert!((bytes.div_ceil(64)..=bytes).contains(&estimate), "{estimate}");
        }
    }
}
