//! Targets that cannot take a request.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{RETRY, fleet_since};
use crate::catalog::tests::targets;
use crate::config::{Balance, Retry};
use crate::routing::{AttemptOutcome, Next, Plan};

#[test]
fn a_target_that_is_passed_over_is_no_attempt() {
    let now = Instant::now();
    let fleet = fleet_since(now);
    let targets = targets(&[(0, 1), (1, 1), (2, 1)]);
    let retry = Retry {
        attempts: 1,
        ..RETRY
    };
    let mut rng = Rng::with_seed(1);
    let mut plan = Plan::new(&fleet, &targets, retry, Balance::Weighted);
    let mut target = plan.first(now, &mut rng).unwrap();
    for expected in [1, 2] {
        let (next, pause) = plan.pass_over(target, now, &mut rng).unwrap();
        assert_eq!((next.credential, pause), (expected, Duration::ZERO));
        assert_eq!(plan.attempts(), 1);
        target = next;
    }
    assert!(plan.pass_over(target, now, &mut rng).is_none());
    assert_eq!(plan.attempts(), 0);
}

#[test]
fn behind_one_that_was_passed_over_a_failure_is_retried_as_ever() {
    let now = Instant::now();
    let fleet = fleet_since(now);
    let targets = targets(&[(0, 1), (1, 1), (2, 1)]);
    let mut rng = Rng::with_seed(1);
    let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
    let first = plan.first(now, &mut rng).unwrap();
    let (second, _) = plan.pass_over(first, now, &mut rng).unwrap();
    let next = plan.after(second, AttemptOutcome::Failed, now, &mut rng);
    let Next::Try(third, _) = next else {
        panic!("{next:?}");
    };
    assert_eq!((third.credential, plan.attempts()), (2, 2));
}

/// The probe of an ejected target goes to a request that the target can take.
#[test]
fn a_probe_that_is_passed_over_is_left_to_the_next_request() {
    let start = Instant::now();
    let fleet = fleet_since(start);
    let targets = targets(&[(0, 1), (1, 1)]);
    for _ in 0..100 {
        fleet.record_result(&targets[0], Some(AttemptOutcome::Failed), start);
    }
    let mut rng = Rng::with_seed(1);
    let mut first = |now| {
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
        let target = plan.first(now, &mut rng).unwrap();
        (plan, target)
    };
    assert_eq!(first(start).1.credential, 1, "not ejected");
    let later = start + Duration::from_secs(600);
    let (mut plan, probed) = first(later);
    assert_eq!(probed.credential, 0);
    plan.pass_over(probed, later, &mut Rng::with_seed(1))
        .unwrap();
    let (_, probed) = first(later);
    assert_eq!(probed.credential, 0);
    assert_eq!(first(later).1.credential, 1, "two probes at a time");
}
