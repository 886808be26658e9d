//! When a second attempt is begun beside the first, and where.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;

use super::{RETRY, fleet, fleet_since};
use crate::catalog::Target;
use crate::config::{Balance, Hedge, Retry};
use crate::routing::{Fleet, Next, Outcome, Plan, Second, Stop};

const QUANTILE: Hedge = Hedge::Quantile {
    percent: 95,
    floor: Duration::from_millis(50),
    samples: 20,
};

/// Targets in these steps, each at a place of its own.
fn targets(steps: &[usize]) -> Vec<Target> {
    let shape: Vec<_> = steps.iter().map(|step| (*step, 1)).collect();
    let mut targets = crate::catalog::tests::targets(&shape);
    for target in &mut targets {
        target.encoded_model = Bytes::from(format!("\"{}\"", target.credential));
    }
    targets
}

fn begun<'p>(fleet: &'p Fleet, targets: &'p [Target], retry: Retry) -> (Plan<'p>, &'p Target) {
    let mut plan = Plan::new(fleet, targets, retry, Balance::Weighted);
    let first = plan.first(Instant::now(), &mut Rng::with_seed(1)).unwrap();
    (plan, first)
}

fn hedge<'p>(plan: &mut Plan<'p>, first: &'p Target, now: Instant) -> Second<'p> {
    plan.hedge(first, now, &mut Rng::with_seed(2))
}

#[test]
fn the_second_goes_to_the_next_place_and_counts_as_an_attempt() {
    let (fleet, targets) = (fleet(), targets(&[0, 1, 2]));
    let (mut plan, first) = begun(&fleet, &targets, RETRY);
    assert!(plan.may_hedge(first));
    let now = Instant::now();
    let Second::Try(second) = hedge(&mut plan, first, now) else {
        panic!("no second attempt");
    };
    assert_eq!((first.credential, second.credential), (0, 1));
    assert_eq!(plan.attempts(), 2);
    plan.failed_beside(second, Outcome::Failed, now, &mut Rng::new());
    let Next::Try(third, _) = plan.after(first, Outcome::Failed, now, &mut Rng::new()) else {
        panic!("no third attempt");
    };
    assert_eq!(third.credential, 2);
    assert!(!plan.may_hedge(third));
    assert!(matches!(hedge(&mut plan, third, now), Second::None));
}

#[test]
fn another_key_of_the_same_provider_is_no_other_place() {
    let fleet = fleet();
    let keys = crate::catalog::tests::targets(&[(0, 1), (0, 1)]);
    let (mut plan, first) = begun(&fleet, &keys, RETRY);
    assert!(!plan.may_hedge(first));
    assert!(matches!(
        hedge(&mut plan, first, Instant::now()),
        Second::None
    ));
    assert_eq!(plan.attempts(), 1);
}

#[test]
fn only_where_all_is_well() {
    let targets = targets(&[0, 1, 2]);
    let began = Instant::now();
    let fleet = fleet_since(began);
    for _ in 0..5 {
        fleet.note(&targets[1], Some(Outcome::Failed), began);
    }
    let wait = Some(Duration::from_secs(9));
    fleet.note(&targets[2], Some(Outcome::Throttled(wait)), began);
    let (mut plan, first) = begun(&fleet, &targets, RETRY);
    // The ejection has lapsed at 6 s, but a hedge is not what tries it out.
    for (after, expected) in [(0, None), (6, None), (10, Some(2))] {
        let second = hedge(&mut plan, first, began + Duration::from_secs(after));
        let place = match second {
            Second::Try(second) => Some(second.credential),
            _ => None,
        };
        assert_eq!(place, expected, "after {after} s");
    }
}

#[test]
fn second_attempts_come_out_of_the_retry_budget() {
    let (fleet, targets) = (fleet(), targets(&[0, 1]));
    let now = Instant::now();
    let (mut begun_second, mut withheld) = (0, 0);
    for _ in 0..10_000 {
        let (mut plan, first) = begun(&fleet, &targets, RETRY);
        match hedge(&mut plan, first, now) {
            Second::Try(_) => begun_second += 1,
            Second::Withheld(target) => {
                assert_eq!(target.credential, 1);
                assert_eq!(plan.attempts(), 1);
                withheld += 1;
            }
            Second::None => panic!("there is another place"),
        }
    }
    assert!(
        (1000..=1050).contains(&begun_second),
        "{begun_second} of 10,000"
    );
    assert_eq!(begun_second + withheld, 10_000);
}

#[test]
fn what_was_lost_beside_another_is_not_sent_again() {
    let (fleet, targets) = (fleet(), targets(&[0, 1, 2]));
    let now = Instant::now();
    for processed in [false, true] {
        let retry = Retry { processed, ..RETRY };
        let (mut plan, first) = begun(&fleet, &targets, retry);
        let Second::Try(second) = hedge(&mut plan, first, now) else {
            panic!("no second attempt");
        };
        let told = plan.failed_beside(first, Outcome::MaybeProcessed, now, &mut Rng::new());
        assert_eq!(told, !processed);
        let next = plan.after(second, Outcome::Failed, now, &mut Rng::new());
        if processed {
            assert!(matches!(next, Next::Try(..)));
        } else {
            assert!(matches!(next, Next::Stop(Stop::MaybeProcessed)));
        }
    }
}

#[test]
fn a_quantile_needs_answers_and_knows_streams_apart() {
    let (fleet, targets) = (fleet(), targets(&[0, 1]));
    let [one, other] = &targets[..] else {
        panic!("two targets");
    };
    let ms = Duration::from_millis;
    for took in 1..=20 {
        assert_eq!(fleet.hedge_delay(QUANTILE, one, true), None);
        fleet.remember(one, true, ms(took * 10));
    }
    assert_eq!(fleet.hedge_delay(QUANTILE, one, true), Some(ms(190)));
    assert_eq!(fleet.hedge_delay(QUANTILE, one, false), None);
    assert_eq!(fleet.hedge_delay(QUANTILE, other, true), None);
    for _ in 0..20 {
        fleet.remember(other, false, ms(2));
    }
    assert_eq!(fleet.hedge_delay(QUANTILE, other, false), Some(ms(50)));
    let after = Hedge::After(ms(7));
    assert_eq!(fleet.hedge_delay(after, other, true), Some(ms(7)));
}

/// One answer in twenty takes a second, the others ten milliseconds. What is
/// given up counts with the time that it was given, or the delay would come
/// down further and further.
#[test]
fn hedging_at_a_quantile_cuts_the_tail_and_stays_rare() {
    let targets = targets(&[0, 0]);
    let began = Instant::now();
    let fleet = fleet_since(began);
    let mut rng = Rng::with_seed(11);
    let took = |rng: &mut Rng| Duration::from_millis(if rng.u8(0..20) == 0 { 1000 } else { 10 });
    let (mut hedges, mut slow) = (0, 0);
    for at in 0..20_000 {
        let now = began + Duration::from_millis(at * 10);
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
        let first = plan.first(now, &mut rng).unwrap();
        let alone = took(&mut rng);
        let delay = fleet.hedge_delay(QUANTILE, first, true);
        let due = delay.filter(|delay| *delay < alone);
        let second = due.map(|_| plan.hedge(first, now, &mut rng));
        let mut whole = alone;
        if let (Some(Second::Try(second)), Some(delay)) = (second, due) {
            hedges += 1;
            let its_own = took(&mut rng);
            whole = alone.min(delay + its_own);
            if whole < alone {
                fleet.remember(second, true, its_own);
            }
        }
        // Of the first, given up or not, this is what is known.
        fleet.remember(first, true, whole);
        slow += u32::from(whole >= Duration::from_millis(500));
    }
    assert!((400..1200).contains(&hedges), "{hedges} of 20,000");
    assert!(slow < 200, "{slow} of 20,000, and 1,000 without hedging");
}
