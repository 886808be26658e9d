//! What upstreams refuse: of what the gateway adds to requests on its own, and calls that
//! they have not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::Fleet;
use crate::catalog::{Target, fingerprint};
use crate::wire::additions::Addition;
use crate::wire::endpoint::Endpoint;
use crate::wire::failure::MissingCall;

/// Refusals remembered of one provider; a further one takes the place of another.
const SLOTS: usize = 16;
/// After this time what was refused is tried again: the provider may take it by now, or
/// have refused it for something else in the request.
const LIFETIME_MINUTES: u64 = 60;
const MINUTE_BITS: u32 = 24;
const MINUTE_MASK: u64 = (1 << MINUTE_BITS) - 1;

/// Those of one provider. Each slot packs a fingerprint and the minute in which it was
/// recorded, from 1 on; free slots are 0 and come last.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; SLOTS]);

impl Refusals {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        let [first, ..] = &self.0;
        first.load(Ordering::Relaxed) == 0
    }

    /// `minute` counts from the fleet's start.
    pub(super) fn contains(&self, fingerprint: u64, minute: u64) -> bool {
        let slots = self.0.iter().map(|slot| slot.load(Ordering::Relaxed));
        let mut used = slots.take_while(|packed| *packed != 0);
        used.any(|packed| is_same(packed, fingerprint) && !has_lapsed(packed, minute))
    }

    /// Two concurrent records may take the same slot: the one that is lost is learned
    /// again.
    pub(super) fn record(&self, fingerprint: u64, minute: u64) {
        let is_usable = |slot: &&AtomicU64| {
            let packed = slot.load(Ordering::Relaxed);
            packed == 0 || is_same(packed, fingerprint) || has_lapsed(packed, minute)
        };
        let any = usize::try_from(fingerprint % SLOTS as u64).unwrap_or_default();
        let slot = self.0.iter().find(is_usable).or_else(|| self.0.get(any));
        if let Some(slot) = slot {
            let packed = fingerprint & !MINUTE_MASK | (minute + 1) & MINUTE_MASK;
            slot.store(packed, Ordering::Relaxed);
        }
    }
}

// === impl Fleet ===

impl Fleet {
    /// Whether the model has refused what the gateway adds to requests.
    #[inline]
    #[must_use]
    pub fn refuses(
        &self,
        target: &Target,
        endpoint: Endpoint,
        addition: Addition,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let refusals = self.refusals.get(target.provider.id);
        refusals.is_some_and(|refusals| {
            let key = || refusal_key(target, endpoint, addition);
            !refusals.is_empty() && refusals.contains(key(), self.minute(now()))
        })
    }

    /// Records that the model refused an addition, and served the request without it.
    pub fn record_refusal(
        &self,
        target: &Target,
        endpoint: Endpoint,
        addition: Addition,
        now: Instant,
    ) {
        if let Some(refusals) = self.refusals.get(target.provider.id) {
            let key = refusal_key(target, endpoint, addition);
            refusals.record(key, self.minute(now));
        }
    }

    /// Whether the provider has shown that it has not this call, for any model or for
    /// this one.
    #[inline]
    #[must_use]
    pub fn lacks_call(
        &self,
        target: &Target,
        endpoint: Endpoint,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let refusals = self.refusals.get(target.provider.id);
        refusals.is_some_and(|refusals| {
            if refusals.is_empty() {
                return false;
            }
            let minute = self.minute(now());
            let is_missing =
                |missing| refusals.contains(missing_call_key(target, endpoint, missing), minute);
            is_missing(MissingCall::Call) || is_missing(MissingCall::ForModel)
        })
    }

    /// Records that the provider has not this call, and has another in its place.
    pub fn record_missing_call(
        &self,
        target: &Target,
        endpoint: Endpoint,
        missing: MissingCall,
        now: Instant,
    ) {
        if let Some(refusals) = self.refusals.get(target.provider.id) {
            let key = missing_call_key(target, endpoint, missing);
            refusals.record(key, self.minute(now));
        }
    }
}

/// Endpoints of one model may differ.
fn refusal_key(target: &Target, endpoint: Endpoint, addition: Addition) -> u64 {
    let (path, member) = (endpoint.path(), addition.member());
    fingerprint([
        path.as_bytes(),
        member.as_bytes(),
        &target.encoded_model[..],
    ])
}

fn missing_call_key(target: &Target, endpoint: Endpoint, missing: MissingCall) -> u64 {
    let path = endpoint.path().as_bytes();
    match missing {
        MissingCall::Call => fingerprint([path]),
        MissingCall::ForModel => fingerprint([path, &target.encoded_model[..]]),
    }
}

fn is_same(packed: u64, fingerprint: u64) -> bool {
    packed >> MINUTE_BITS == fingerprint >> MINUTE_BITS
}

fn has_lapsed(packed: u64, minute: u64) -> bool {
    (packed & MINUTE_MASK) + LIFETIME_MINUTES <= minute + 1
}

#[cfg(test)]
mod tests {
    use super::{LIFETIME_MINUTES, Refusals, SLOTS};

    /// The lower bits are not kept.
    fn fingerprint(number: usize) -> u64 {
        (number as u64 + 1) << 40 | number as u64
    }

    #[test]
    fn a_refusal_is_remembered_for_an_hour() {
        let refusals = Refusals::default();
        assert!(refusals.is_empty() && !refusals.contains(fingerprint(1), 0));
        refusals.record(fingerprint(1), 5);
        assert!(!refusals.is_empty() && !refusals.contains(fingerprint(2), 5));
        assert!(refusals.contains(fingerprint(1), 5));
        assert!(refusals.contains(fingerprint(1), 4 + LIFETIME_MINUTES));
        assert!(!refusals.contains(fingerprint(1), 5 + LIFETIME_MINUTES));
        refusals.record(fingerprint(1), 5 + LIFETIME_MINUTES);
        assert!(refusals.contains(fingerprint(1), 5 + LIFETIME_MINUTES));
    }

    #[test]
    fn the_memory_is_bounded_and_lapsed_entries_are_replaced_first() {
        let refusals = Refusals::default();
        for number in 0..SLOTS {
            refusals.record(fingerprint(number), 0);
        }
        assert!((0..SLOTS).all(|number| refusals.contains(fingerprint(number), 1)));
        refusals.record(fingerprint(SLOTS), 1);
        assert!(refusals.contains(fingerprint(SLOTS), 1));
        let kept = (0..SLOTS).filter(|number| refusals.contains(fingerprint(*number), 1));
        assert_eq!(kept.count(), SLOTS - 1);
        for number in 0..SLOTS - 1 {
            refusals.record(fingerprint(100 + number), LIFETIME_MINUTES);
        }
        assert!(refusals.contains(fingerprint(SLOTS), LIFETIME_MINUTES));
    }

    #[test]
    fn a_fingerprint_of_zeros_fills_a_slot() {
        let refusals = Refusals::default();
        refusals.record(0, 0);
        assert!(!refusals.is_empty() && refusals.contains(0, 0));
    }
}
