//! Load that is steered away from a credential before its limit is reached.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{RETRY, fleet_since};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::Balance;
use crate::routing::{Fleet, Kept, Kinship, Plan};
use crate::wire::rate_limit::Report;

fn left(share: f64, requests: u64, reset: Duration) -> Report {
    Report {
        share,
        requests: Some(requests),
        reset: Some(reset),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn counts(fleet: &Fleet, targets: &[Target], now: Instant) -> [usize; 3] {
    let mut counts = [0; 3];
    for seed in 0..2000 {
        let mut plan = Plan::new(fleet, targets, RETRY, Balance::Weighted);
        let target = plan.first(now, &mut Rng::with_seed(seed)).unwrap();
        counts[target.credential] += 1;
    }
    counts
}

#[test]
fn a_key_with_little_left_gets_less_and_one_with_nothing_rests() {
    let now = Instant::now();
    let targets = targets(&[(0, 100), (0, 100), (1, 1)]);
    let fleet = fleet_since(now);
    let at = |seconds| now + Duration::from_secs(seconds);
    // A fifth of the floor, so one of six.
    fleet.report(&targets[0], &left(0.01, 100, MINUTE), at(1), at(1));
    let [little, plenty, later] = counts(&fleet, &targets, at(1));
    assert!((250..420).contains(&little), "{little}");
    assert_eq!((little + plenty, later), (2000, 0));
    fleet.report(&targets[0], &left(0.0, 0, MINUTE), at(2), at(2));
    assert_eq!(counts(&fleet, &targets, at(2)), [0, 2000, 0]);
    // Then those of the next step, and with nobody left, all of the first.
    fleet.report(&targets[1], &left(0.0, 0, MINUTE), at(2), at(2));
    assert_eq!(counts(&fleet, &targets, at(2)), [0, 0, 2000]);
    fleet.report(&targets[2], &left(0.0, 0, MINUTE), at(2), at(2));
    let [one, other, later] = counts(&fleet, &targets, at(2));
    assert!(one > 900 && other > 900 && later == 0);
    let [one, other, _] = counts(&fleet, &targets, at(63));
    assert!(one > 900 && other > 900);
}

#[test]
fn requests_belong_where_they_belong_until_little_is_left_there() {
    let now = Instant::now();
    let targets = targets(&[(0, 100), (0, 100)]);
    let fleet = fleet_since(now);
    let at_home = || {
        let is_kept = |name: &u32| {
            let kinship = Kinship::of(&[&name.to_le_bytes()], None);
            let mut plan =
                Plan::new(&fleet, &targets, RETRY, Balance::Weighted).with_affinity(kinship);
            let target = plan.first(now, &mut Rng::with_seed(1)).unwrap();
            plan.keeps_to(target) == Some(Kept::Kept)
        };
        (0..1000).filter(is_kept).count()
    };
    assert_eq!(at_home(), 1000);
    fleet.report(&targets[0], &left(0.025, 9, MINUTE), now, now);
    // A half of the weight is a third of all, where it was a half.
    let kept = at_home();
    assert!((770..890).contains(&kept), "{kept}");
}

/// Limits in fixed windows of a minute, as an upstream keeps them.
struct Upstream {
    limits: [u64; 2],
    used: [u64; 2],
    refused: u64,
}

#[test]
fn keys_that_count_down_are_never_asked_for_more() {
    let began = Instant::now();
    let targets = targets(&[(0, 1000), (0, 1000)]);
    let fleet = fleet_since(began);
    let mut rng = Rng::with_seed(3);
    let mut upstream = Upstream {
        limits: [50, 400],
        used: [0; 2],
        refused: 0,
    };
    // Ten windows of 440 requests, most of what both can take; five are always
    // on their way.
    let mut flying = std::collections::VecDeque::new();
    for turn in 0..4400_u64 {
        let window = turn / 440;
        if turn % 440 == 0 {
            upstream.used = [0; 2];
            flying.clear();
        }
        let now = began
            + MINUTE * u32::try_from(window).unwrap()
            + Duration::from_millis(turn % 440 * 100);
        let reset = Duration::from_millis(60_000 - turn % 440 * 100);
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
        let target = plan.first(now, &mut rng).unwrap();
        let key = target.credential;
        if upstream.used[key] == upstream.limits[key] {
            upstream.refused += 1;
            continue;
        }
        upstream.used[key] += 1;
        let remaining = upstream.limits[key] - upstream.used[key];
        let share = remaining as f64 / upstream.limits[key] as f64;
        let report = left(share, remaining, reset);
        flying.push_back((target, plan.awaited(), report, now));
        if flying.len() > 5 {
            // Some are overtaken.
            let answered = flying.remove(rng.usize(0..3)).unwrap();
            fleet.report(answered.0, &answered.2, answered.3, now);
        }
    }
    assert_eq!(upstream.refused, 0);
}
