//! When a second attempt starts while the first still runs, and at which target.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;

use super::{RETRY, fleet, fleet_since};
use crate::catalog::Target;
use crate::config::{Balance, Hedge, Retry};
use crate::routing::{AttemptOutcome, Fleet, HedgeDecision, Next, Plan, StopReason};

const QUANTILE: Hedge = Hedge::Quantile {
    percent: 95,
    floor: Duration::from_millis(50),
    samples: 20,
};

/// Targets in these steps, each with its own upstream model.
fn targets(steps: &[usize]) -> Vec<Target> {
    let shape: Vec<_> = steps.iter().map(|step| (*step, 1)).collect();
    let mut targets = crate::catalog::tests::targets(&shape);
    for target in &mut targets {
        target.encoded_model = Bytes::from(format!("\"{}\"", target.credential));
    }
    targets
}

fn started<'p>(fleet: &'p Fleet, targets: &'p [Target], retry: Retry) -> (Plan<'p>, &'p Target) {
    let mut plan = Plan::new(fleet, targets, retry, Balance::Weighted);
    let first = plan.first(Instant::now(), &mut Rng::with_seed(1)).unwrap();
    (plan, first)
}

fn hedge<'p>(plan: &mut Plan<'p>, first: &'p Target, now: Instant) -> HedgeDecision<'p> {
    plan.hedge(first, now, &mut Rng::with_seed(2))
}

#[test]
fn a_hedge_goes_to_the_next_target_and_counts_as_an_attempt() {
    let (fleet, targets) = (fleet(), targets(&[0, 1, 2]));
    let (mut plan, first) = started(&fleet, &targets, RETRY);
    assert!(plan.may_hedge(first));
    let now = Instant::now();
    let HedgeDecision::Start(second) = hedge(&mut plan, first, now) else {
        panic!("no second attempt");
    };
    assert_eq!((first.credential, second.credential), (0, 1));
    assert_eq!(plan.attempts(), 2);
    plan.record_concurrent_failure(second, AttemptOutcome::Failed, now, &mut Rng::new());
    let Next::Try(third, _) = plan.after(first, AttemptOutcome::Failed, now, &mut Rng::new())
    else {
        panic!("no third attempt");
    };
    assert_eq!(third.credential, 2);
    assert!(!plan.may_hedge(third));
    assert!(matches!(hedge(&mut plan, third, now), HedgeDecision::None));
}

#[test]
fn another_key_of_the_same_provider_is_the_same_upstream() {
    let fleet = fleet();
    let keys = crate::catalog::tests::targets(&[(0, 1), (0, 1)]);
    let (mut plan, first) = started(&fleet, &keys, RETRY);
    assert!(!plan.may_hedge(first));
    assert!(matches!(
        hedge(&mut plan, first, Instant::now()),
        HedgeDecision::None
    ));
    assert_eq!(plan.attempts(), 1);
}

#[test]
fn hedges_go_to_available_targets_only() {
    let targets = targets(&[0, 1, 2]);
    let start = Instant::now();
    let fleet = fleet_since(start);
    for _ in 0..5 {
        fleet.record_result(&targets[1], Some(AttemptOutcome::Failed), start);
    }
    let wait = Some(Duration::from_secs(9));
    fleet.record_result(&targets[2], Some(AttemptOutcome::Throttled(wait)), start);
    let (mut plan, first) = started(&fleet, &targets, RETRY);
    // The ejection has lapsed at 6 s, but a hedge must not be the probe.
    for (after, expected) in [(0, None), (6, None), (10, Some(2))] {
        let second = hedge(&mut plan, first, start + Duration::from_secs(after));
        let credential = match second {
            HedgeDecision::Start(second) => Some(second.credential),
            _ => None,
        };
        assert_eq!(credential, expected, "after {after} s");
    }
}

#[test]
fn second_attempts_use_the_retry_budget() {
    let (fleet, targets) = (fleet(), targets(&[0, 1]));
    let now = Instant::now();
    let (mut hedges_started, mut over_budget) = (0, 0);
    for _ in 0..10_000 {
        let (mut plan, first) = started(&fleet, &targets, RETRY);
        match hedge(&mut plan, first, now) {
            HedgeDecision::Start(_) => hedges_started += 1,
            HedgeDecision::OverBudget(target) => {
                assert_eq!(target.credential, 1);
                assert_eq!(plan.attempts(), 1);
                over_budget += 1;
            }
            HedgeDecision::None => panic!("there is another target"),
        }
    }
    assert!(
        (1000..=1050).contains(&hedges_started),
        "{hedges_started} of 10,000"
    );
    assert_eq!(hedges_started + over_budget, 10_000);
}

#[test]
fn a_hedged_request_that_may_have_been_processed_is_not_sent_again() {
    let (fleet, targets) = (fleet(), targets(&[0, 1, 2]));
    let now = Instant::now();
    for non_idempotent in [false, true] {
        let retry = Retry {
            non_idempotent,
            ..RETRY
        };
        let (mut plan, first) = started(&fleet, &targets, retry);
        let HedgeDecision::Start(second) = hedge(&mut plan, first, now) else {
            panic!("no second attempt");
        };
        let outcome = AttemptOutcome::MaybeProcessed;
        let must_report = plan.record_concurrent_failure(first, outcome, now, &mut Rng::new());
        assert_eq!(must_report, !non_idempotent);
        let next = plan.after(second, AttemptOutcome::Failed, now, &mut Rng::new());
        if non_idempotent {
            assert!(matches!(next, Next::Try(..)));
        } else {
            assert!(matches!(next, Next::Stop(StopReason::MaybeProcessed)));
        }
    }
}

#[test]
fn a_quantile_needs_samples_and_separates_streams() {
    let (fleet, targets) = (fleet(), targets(&[0, 1]));
    let [one, other] = &targets[..] else {
        panic!("two targets");
    };
    let ms = Duration::from_millis;
    for latency in 1..=20 {
        assert_eq!(fleet.hedge_delay(QUANTILE, one, true), None);
        fleet.record_hedge_latency(one, true, ms(latency * 10));
    }
    assert_eq!(fleet.hedge_delay(QUANTILE, one, true), Some(ms(190)));
    assert_eq!(fleet.hedge_delay(QUANTILE, one, false), None);
    assert_eq!(fleet.hedge_delay(QUANTILE, other, true), None);
    for _ in 0..20 {
        fleet.record_hedge_latency(other, false, ms(2));
    }
    assert_eq!(fleet.hedge_delay(QUANTILE, other, false), Some(ms(50)));
    let after = Hedge::After(ms(7));
    assert_eq!(fleet.hedge_delay(after, other, true), Some(ms(7)));
}

/// One response in twenty takes a second, the others ten milliseconds. A cancelled
/// attempt counts with the time until its cancellation, or the delay would shrink
/// further and further.
#[test]
fn hedging_at_a_quantile_cuts_the_tail_and_stays_rare() {
    let targets = targets(&[0, 0]);
    let start = Instant::now();
    let fleet = fleet_since(start);
    let mut rng = Rng::with_seed(11);
    let latency = |rng: &mut Rng| Duration::from_millis(if rng.u8(0..20) == 0 { 1000 } else { 10 });
    let (mut hedges, mut slow) = (0, 0);
    for at in 0..20_000 {
        let now = start + Duration::from_millis(at * 10);
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
        let first = plan.first(now, &mut rng).unwrap();
        let first_latency = latency(&mut rng);
        let delay = fleet.hedge_delay(QUANTILE, first, true);
        let due = delay.filter(|delay| *delay < first_latency);
        let second = due.map(|_| plan.hedge(first, now, &mut rng));
        let mut total = first_latency;
        if let (Some(HedgeDecision::Start(second)), Some(delay)) = (second, due) {
            hedges += 1;
            let second_latency = latency(&mut rng);
            total = first_latency.min(delay + second_latency);
            if total < first_latency {
                fleet.record_hedge_latency(second, true, second_latency);
            }
        }
        // Known of the first attempt, cancelled or not.
        fleet.record_hedge_latency(first, true, total);
        slow += u32::from(total >= Duration::from_millis(500));
    }
    assert!((400..1200).contains(&hedges), "{hedges} of 20,000");
    assert!(slow < 200, "{slow} of 20,000, and 1,000 without hedging");
}
