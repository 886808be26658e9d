//! What is left of a credential's rate limit at one model, and how much of the
//! load it may still have.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::breaker::millis;
use crate::wire::rate_limit::Report;

/// A target keeps its weight while more than this share of its limit is left;
/// below, it has so much less of it.
const FLOOR: f64 = 0.05;
/// How long a report counts that does not say when the limit is whole again.
const SHORT: Duration = Duration::from_secs(1);

const WHOLE: u64 = u8::MAX as u64;
const COUNT_BITS: u32 = 16;
const MANY: u64 = (1 << COUNT_BITS) - 1;

/// One target's record. Times are milliseconds since the fleet began.
#[derive(Debug, Default)]
pub(super) struct Quota {
    /// A [`Word`]; 0 when there is nothing to mind.
    word: AtomicU64,
    /// When the last report came.
    heard: AtomicU64,
    /// Requests that were sent and have no answer yet, so that no report knows
    /// of them.
    awaited: AtomicU32,
}

/// A request that was sent and has no answer yet, until it is dropped.
#[derive(Debug, Default)]
pub struct Awaited<'q>(Option<&'q AtomicU32>);

/// A report: until when it counts, the requests that are left, and the part of
/// its weight that the target keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    until: u64,
    count: u64,
    part: u64,
}

impl Quota {
    /// Notes what is left by an answer to a request of the time `sent`. Says for
    /// how long the target rests when that begins here.
    ///
    /// Answers come in another order than they were made: one to a request that
    /// was on its way while the last report came may only tell of less. What it
    /// corrects too little is forgotten when the limit is whole again.
    pub(super) fn note(
        &self,
        sent: u64,
        now: u64,
        left: &Report,
        longest_rest: Duration,
    ) -> Option<Duration> {
        let overlaps = sent <= self.heard.load(Ordering::Relaxed);
        let word = Word::of(left, now, longest_rest);
        let mut began = false;
        let _ = self
            .word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
                let known = Word::unpack(packed).filter(|known| known.until > now);
                let next = match known {
                    Some(known) if overlaps => known.lowered_by(word),
                    _ => word,
                };
                began = next.count == 0 && known.is_none_or(|known| known.count > 0);
                let next = next.pack();
                (next != packed).then_some(next)
            });
        self.heard.fetch_max(now, Ordering::Relaxed);
        began.then(|| Duration::from_millis(word.until.saturating_sub(now)))
    }

    /// Whether one more request is within what is left.
    pub(super) fn has_room(&self, now: u64) -> bool {
        self.current(now)
            .is_none_or(|word| word.count > self.awaited.load(Ordering::Relaxed).into())
    }

    /// Until when there is nothing left; 0 when there is.
    pub(super) fn exhausted_until(&self, now: u64) -> u64 {
        let word = self.current(now).filter(|word| word.count == 0);
        word.map_or(0, |word| word.until)
    }

    /// What is left of this weight, at least 1.
    pub(super) fn weight(&self, whole: u64, now: u64) -> u64 {
        self.current(now)
            .map_or(whole, |word| (whole * word.part / WHOLE).max(1))
    }

    /// Counts a request as sent until its answer begins, if it is within what is
    /// left. Of two that take the last one at the same time, one gets it.
    pub(super) fn take(&self, now: u64) -> Option<Awaited<'_>> {
        let Some(word) = self.current(now) else {
            return Some(self.awaits());
        };
        let relaxed = Ordering::Relaxed;
        let within = |awaited: u32| (word.count > awaited.into()).then(|| awaited + 1);
        let taken = self.awaited.fetch_update(relaxed, relaxed, within);
        taken.is_ok().then(|| Awaited(Some(&self.awaited)))
    }

    /// Counts a request as sent until its answer begins, whatever is left.
    pub(super) fn awaits(&self) -> Awaited<'_> {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        Awaited(Some(&self.awaited))
    }

    fn current(&self, now: u64) -> Option<Word> {
        Word::unpack(self.word.load(Ordering::Relaxed)).filter(|word| word.until > now)
    }
}

impl Word {
    fn of(left: &Report, now: u64, longest_rest: Duration) -> Self {
        let part = (left.share / FLOOR).clamp(0.0, 1.0) * WHOLE as f64;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to 255"
        )]
        let part = part as u64;
        let count = left.requests.unwrap_or(MANY).min(MANY);
        let count = if left.share > 0.0 { count } else { 0 };
        let longest = if count == 0 {
            longest_rest
        } else {
            Duration::MAX
        };
        let lasts = left.reset.unwrap_or(SHORT).min(longest);
        Self {
            until: now + millis(lasts),
            count,
            part,
        }
    }

    fn unpack(packed: u64) -> Option<Self> {
        (packed != 0).then_some(Self {
            until: packed >> (COUNT_BITS + 8),
            count: packed >> 8 & MANY,
            part: packed & WHOLE,
        })
    }

    fn pack(self) -> u64 {
        if self.count == MANY && self.part == WHOLE {
            return 0;
        }
        // 40 bits of milliseconds are 34 years.
        self.until.min(u64::MAX >> (COUNT_BITS + 8)) << (COUNT_BITS + 8)
            | self.count << 8
            | self.part
    }

    fn lowered_by(self, other: Self) -> Self {
        if other.count >= self.count && other.part >= self.part {
            return self;
        }
        Self {
            until: self.until.max(other.until),
            count: self.count.min(other.count),
            part: self.part.min(other.part),
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.take() {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use super::{Quota, WHOLE};
    use crate::wire::rate_limit::Report;

    const MINUTE: Duration = Duration::from_secs(60);

    fn left(share: f64, requests: u64, reset_s: u64) -> Report {
        Report {
            share,
            requests: Some(requests),
            reset: Some(Duration::from_secs(reset_s)),
        }
    }

    #[test]
    fn with_little_left_it_has_less_of_the_load_until_the_reset() {
        let quota = Quota::default();
        assert_eq!(quota.weight(1000, 0), 1000);
        for (at, share, expected) in [
            (1, 0.5, 1000),
            (2, 0.051, 1000),
            (3, 0.025, 498),
            (4, 1e-9, 1),
        ] {
            let report = left(share, 10_000, 30);
            assert_eq!(quota.note(at, at, &report, MINUTE), None);
            assert_eq!(quota.weight(1000, at), expected, "{share}");
            assert!(quota.has_room(at));
        }
        assert_eq!(
            (quota.weight(1000, 30_003), quota.weight(1000, 30_004)),
            (1, 1000)
        );
        // Two hours are believed, too, but a later answer knows better.
        quota.note(40_000, 40_001, &left(0.01, 9, 7200), MINUTE);
        assert!(quota.weight(1000, 5_000_000) < 1000);
        quota.note(5_000_000, 5_000_001, &left(1.0, 900, 0), MINUTE);
        assert_eq!(quota.weight(1000, 5_000_001), 1000);
    }

    #[test]
    fn with_nothing_left_it_rests_until_the_reset_but_no_longer_than_allowed() {
        let quota = Quota::default();
        let seconds = Duration::from_secs;
        assert_eq!(
            quota.note(1, 1, &left(0.0, 0, 20), MINUTE),
            Some(seconds(20))
        );
        // It is told once.
        assert_eq!(quota.note(1, 2, &left(0.0, 0, 20), MINUTE), None);
        assert!(!quota.has_room(20_000) && quota.has_room(20_002));
        let of_tokens = Report {
            requests: None,
            ..left(0.0, 0, 3600)
        };
        assert_eq!(quota.note(30_000, 30_001, &of_tokens, MINUTE), Some(MINUTE));
        assert!(!quota.has_room(90_000) && quota.has_room(90_001));
        let untold = Report {
            reset: None,
            ..of_tokens
        };
        assert_eq!(
            quota.note(95_000, 95_001, &untold, MINUTE),
            Some(seconds(1))
        );
    }

    #[test]
    fn an_answer_that_was_overtaken_does_not_tell_of_more() {
        let quota = Quota::default();
        quota.note(5, 10, &left(0.03, 3, 60), MINUTE);
        quota.note(5, 11, &left(0.05, 5, 60), MINUTE);
        assert_eq!(quota.weight(WHOLE, 12), WHOLE * 3 / 5);
        quota.note(5, 12, &left(0.01, 1, 60), MINUTE);
        quota.note(6, 13, &left(0.02, 2, 60), MINUTE);
        let held = quota.awaits();
        assert!(!quota.has_room(13));
        drop(held);
        assert!(quota.has_room(13));
        // It was sent after that was known.
        quota.note(14, 15, &left(0.04, 4, 60), MINUTE);
        assert!(quota.weight(WHOLE, 15) > WHOLE * 3 / 4);
        // What was lowered lasts no longer than the report that lowered it.
        quota.note(15, 16, &left(1.0, 100, 1), MINUTE);
        assert!(quota.weight(WHOLE, 60_014) < WHOLE);
        assert_eq!(quota.weight(WHOLE, 60_015), WHOLE);
    }

    #[test]
    fn the_last_one_goes_to_one_of_those_who_take_it_at_the_same_time() {
        const LEFT: u64 = 3;
        let quota = Quota::default();
        quota.note(1, 1, &left(0.5, LEFT, 60), MINUTE);
        for _ in 0..500 {
            let together = Barrier::new(4);
            let take = || {
                together.wait();
                let taken = [quota.take(2), quota.take(2)];
                together.wait();
                taken.iter().flatten().count() as u64
            };
            let taken = thread::scope(|scope| {
                let takers = [(); 4].map(|()| scope.spawn(take));
                takers.map(|taker| taker.join().unwrap())
            });
            assert_eq!(taken.iter().sum::<u64>(), LEFT);
            assert!(quota.has_room(2), "what was taken is given back");
        }
        let unminded = Quota::default();
        let taken: Vec<_> = (0..100).map_while(|_| unminded.take(2)).collect();
        assert_eq!(taken.len(), 100);
    }

    #[test]
    fn what_is_on_its_way_is_counted_against_what_is_left() {
        let quota = Quota::default();
        quota.note(1, 1, &left(0.5, 2, 60), MINUTE);
        let first = quota.awaits();
        assert!(quota.has_room(2));
        let second = quota.awaits();
        assert!(!quota.has_room(2));
        drop((first, second));
        assert!(quota.has_room(2));
    }
}
