use std::time::Duration;

use super::{CircuitBreaker, Ejection, ResponseKind, Success};
use crate::config::Breaker;

use ResponseKind::{Other, Stream};
use Success::{Begun, Complete};

const RULES: Breaker = Breaker {
    failures: 3,
    error_rate: 50,
    broken_responses: 3,
    min_requests: 10,
    window: Duration::from_secs(10),
    cooldown: Duration::from_secs(5),
    max_cooldown: Duration::from_secs(15),
};
const COOLDOWN: Duration = RULES.cooldown;
const EJECTED: Option<Ejection> = Some(Ejection {
    duration: COOLDOWN,
    is_new: true,
});

#[test]
fn three_failures_in_a_row_eject() {
    let rules = Breaker {
        error_rate: 0,
        ..RULES
    };
    let breaker = CircuitBreaker::default();
    for round in 0..4 {
        assert_eq!(breaker.record_failure(round, &rules), None);
        assert_eq!(breaker.record_failure(round, &rules), None);
        assert!(!breaker.record_success(round, &rules, Complete) && breaker.is_available(round));
    }
    for expected in [None, None, EJECTED, None] {
        assert_eq!(breaker.record_failure(100, &rules), expected);
    }
    assert!(!breaker.is_available(5099) && breaker.is_available(5100));
    // An attempt from before the ejection does not end it.
    assert!(!breaker.record_success(200, &rules, Complete) && !breaker.is_available(200));
}

#[test]
fn a_lapsed_ejection_admits_one_attempt() {
    let breaker = CircuitBreaker::default();
    for _ in 0..3 {
        breaker.record_failure(0, &RULES);
    }
    assert!(!breaker.try_admit(4999, COOLDOWN));
    assert!(breaker.try_admit(5000, COOLDOWN) && !breaker.try_admit(5000, COOLDOWN));
    assert!(!breaker.is_available(5001));
    // It fails, and the duration is doubled, up to a bound.
    let mut now = 5000;
    for seconds in [10, 15, 15] {
        let duration = Duration::from_secs(seconds);
        let prolonged = Some(Ejection {
            duration,
            is_new: false,
        });
        assert_eq!(breaker.record_failure(now, &RULES), prolonged);
        now += u64::try_from(duration.as_millis()).unwrap();
        assert!(breaker.try_admit(now, COOLDOWN));
    }
    // A probe without a result blocks the next one for the cooldown only.
    assert!(!breaker.try_admit(now + 4999, COOLDOWN) && breaker.try_admit(now + 5000, COOLDOWN));
    assert!(breaker.record_success(now + 5001, &RULES, Complete));
    assert!(breaker.is_available(now + 5001) && breaker.try_admit(now + 5001, COOLDOWN));
    assert!(breaker.try_admit(now + 5001, COOLDOWN));
    assert_eq!(breaker.record_failure(now + 5002, &RULES), None);
}

#[test]
fn a_success_of_a_forced_attempt_ends_the_ejection() {
    let breaker = CircuitBreaker::default();
    let eject = |now| {
        (0..3)
            .filter_map(|_| breaker.record_failure(now, &RULES))
            .count()
    };
    assert_eq!(eject(0), 1);
    breaker.force_admit();
    assert_eq!(breaker.record_failure(1, &RULES), None);
    assert!(!breaker.is_available(4999));
    assert!(breaker.record_success(2, &RULES, Complete) && breaker.is_available(2));
    // A forced attempt does not count for the next ejection.
    assert_eq!(eject(3), 1);
    assert!(!breaker.record_success(4, &RULES, Complete) && !breaker.is_available(4));
}

#[test]
fn a_failure_rate_of_one_half_ejects() {
    let breaker = CircuitBreaker::default();
    for now in 0..4 {
        breaker.record_success(now, &RULES, Complete);
        assert_eq!(breaker.record_failure(now, &RULES), None);
    }
    // A new window starts from zero.
    for now in 10_000..10_004 {
        breaker.record_success(now, &RULES, Complete);
        assert_eq!(breaker.record_failure(now, &RULES), None);
    }
    breaker.record_success(10_004, &RULES, Complete);
    assert_eq!(breaker.record_failure(10_004, &RULES), EJECTED);
}

#[test]
fn of_concurrent_attempts_one_starts_an_ejection_and_one_ends_it() {
    let breaker = CircuitBreaker::default();
    let count = |record: &(dyn Fn() -> bool + Sync)| {
        let run = || (0..2000).filter(|_| record()).count();
        std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(run));
            let counts = threads.map(|thread| thread.join().unwrap());
            counts.iter().sum::<usize>()
        })
    };
    for round in 0..20 {
        let now = round * 100_000;
        let started = count(&|| {
            breaker
                .record_failure(now, &RULES)
                .is_some_and(|it| it.is_new)
        });
        let ended = count(&|| breaker.record_success(now + 90_000, &RULES, Complete));
        assert_eq!((started, ended), (1, 1));
    }
    // Both at once: each ejection that started has ended, or lasts.
    let (started, ended) = std::thread::scope(|scope| {
        let failing = scope.spawn(|| {
            let failures = (0..100_000).filter_map(|_| breaker.record_failure(0, &RULES));
            failures.filter(|ejection| ejection.is_new).count()
        });
        let recovering = scope.spawn(|| {
            let ended = (0..100_000).filter(|_| breaker.record_success(90_000, &RULES, Complete));
            ended.count()
        });
        (failing.join().unwrap(), recovering.join().unwrap())
    });
    let lasting = usize::from(!breaker.is_available(0));
    assert_eq!(started, ended + lasting);
}

#[test]
fn without_rules_no_target_is_ejected() {
    let off = Breaker {
        failures: 0,
        error_rate: 0,
        broken_responses: 0,
        ..RULES
    };
    let breaker = CircuitBreaker::default();
    assert!((0..1000).all(|now| breaker.record_failure(now, &off).is_none()));
    assert!((0..1000).all(|now| breaker.record_broken(now, &off, Stream).is_none()));
    assert!(!breaker.record_success(0, &off, Begun) && breaker.is_available(0));
}

#[test]
fn a_cooldown_is_never_shortened() {
    let breaker = CircuitBreaker::default();
    breaker.cool_down(0, Duration::from_secs(9));
    breaker.cool_down(1000, Duration::from_secs(1));
    assert!(!breaker.is_available(8999) && breaker.is_available(9000));
}

/// A stream that begins at one time and breaks off at the next.
fn broken_stream(breaker: &CircuitBreaker, now: u64) -> Option<Ejection> {
    assert!(!breaker.record_success(now, &RULES, Begun));
    breaker.record_broken(now + 1, &RULES, Stream)
}

#[test]
fn streams_that_break_off_in_a_row_eject() {
    let breaker = CircuitBreaker::default();
    for now in 0..4 {
        assert_eq!(broken_stream(&breaker, now), None);
        assert_eq!(broken_stream(&breaker, now), None);
        // Neither other responses nor the beginning of a stream matter.
        assert!(!breaker.record_good_end(now, Other));
        assert!(!breaker.record_success(now, &RULES, Complete));
        assert!(!breaker.record_good_end(now, Stream));
    }
    let ejected = [(); 4].map(|()| broken_stream(&breaker, 99));
    assert_eq!(ejected, [None, None, EJECTED, None]);
    assert!(!breaker.is_available(5099) && breaker.is_available(5100));
}

#[test]
fn only_a_good_end_ends_an_ejection_for_broken_responses() {
    let breaker = CircuitBreaker::default();
    for now in 0..3 {
        broken_stream(&breaker, now);
    }
    let mut now = 5002;
    for seconds in [10, 15] {
        assert!(!breaker.try_admit(now, COOLDOWN) && breaker.try_admit(now + 1, COOLDOWN));
        let duration = Duration::from_secs(seconds);
        let prolonged = Some(Ejection {
            duration,
            is_new: false,
        });
        // The probe begins well and breaks off, as before.
        assert_eq!(broken_stream(&breaker, now + 1), prolonged);
        now += 1 + u64::try_from(duration.as_millis()).unwrap();
    }
    assert!(breaker.try_admit(now + 1, COOLDOWN));
    assert!(!breaker.record_success(now + 1, &RULES, Begun) && !breaker.is_available(now + 2));
    assert!(breaker.record_good_end(now + 2, Stream) && breaker.is_available(now + 2));
    assert_eq!(broken_stream(&breaker, now + 3), None);
}

#[test]
fn another_response_ends_that_ejection_and_the_next_broken_stream_starts_one() {
    let breaker = CircuitBreaker::default();
    for now in 0..3 {
        broken_stream(&breaker, now);
    }
    assert!(breaker.try_admit(6000, COOLDOWN));
    assert!(breaker.record_good_end(6000, Other));
    assert_eq!(broken_stream(&breaker, 6001), EJECTED);
}

#[test]
fn responses_that_are_no_streams_are_counted_apart() {
    let breaker = CircuitBreaker::default();
    for kind in [Stream, Other, Other, Stream] {
        assert_eq!(breaker.record_broken(0, &RULES, kind), None);
        breaker.record_success(0, &RULES, Begun);
    }
    assert_eq!(breaker.record_broken(0, &RULES, Other), EJECTED);
}
