//! Requests avoid a credential before its rate limit is reached.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{RETRY, fleet_since};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::Balance;
use crate::routing::{AffinityKey, AffinityResult, Fleet, Plan};
use crate::wire::rate_limit::RateLimitReport;

fn report(ratio: f64, requests: u64, reset: Duration) -> RateLimitReport {
    RateLimitReport {
        remaining_ratio: ratio,
        remaining_requests: Some(requests),
        reset_after: Some(reset),
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
fn a_key_with_a_low_quota_gets_less_and_one_without_quota_nothing() {
    let now = Instant::now();
    let targets = targets(&[(0, 100), (0, 100), (1, 1)]);
    let fleet = fleet_since(now);
    let at = |seconds| now + Duration::from_secs(seconds);
    // A fifth of the threshold, so one in six requests.
    fleet.record_rate_limit(&targets[0], &report(0.01, 100, MINUTE), at(1), at(1));
    let [low, full, later] = counts(&fleet, &targets, at(1));
    assert!((250..420).contains(&low), "{low}");
    assert_eq!((low + full, later), (2000, 0));
    fleet.record_rate_limit(&targets[0], &report(0.0, 0, MINUTE), at(2), at(2));
    assert_eq!(counts(&fleet, &targets, at(2)), [0, 2000, 0]);
    // Then the next step, and with no target available, all of the first step.
    fleet.record_rate_limit(&targets[1], &report(0.0, 0, MINUTE), at(2), at(2));
    assert_eq!(counts(&fleet, &targets, at(2)), [0, 0, 2000]);
    fleet.record_rate_limit(&targets[2], &report(0.0, 0, MINUTE), at(2), at(2));
    let [one, other, later] = counts(&fleet, &targets, at(2));
    assert!(one > 900 && other > 900 && later == 0);
    let [one, other, _] = counts(&fleet, &targets, at(63));
    assert!(one > 900 && other > 900);
}

#[test]
fn affinity_holds_until_the_quota_is_low() {
    let now = Instant::now();
    let targets = targets(&[(0, 100), (0, 100)]);
    let fleet = fleet_since(now);
    let hits = || {
        let is_hit = |name: &u32| {
            let key = AffinityKey::new(&[&name.to_le_bytes()], None);
            let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted).with_affinity(key);
            let target = plan.first(now, &mut Rng::with_seed(1)).unwrap();
            plan.affinity_result(target) == Some(AffinityResult::Hit)
        };
        (0..1000).filter(is_hit).count()
    };
    assert_eq!(hits(), 1000);
    fleet.record_rate_limit(&targets[0], &report(0.025, 9, MINUTE), now, now);
    // With half its weight, the target has a third of all requests, not a half.
    let hits = hits();
    assert!((770..890).contains(&hits), "{hits}");
}

/// An upstream with limits in fixed windows of a minute.
struct Upstream {
    limits: [u64; 2],
    used: [u64; 2],
    rejected: u64,
}

#[test]
fn keys_that_report_their_quota_never_exceed_it() {
    let started = Instant::now();
    let targets = targets(&[(0, 1000), (0, 1000)]);
    let fleet = fleet_since(started);
    let mut rng = Rng::with_seed(3);
    let mut upstream = Upstream {
        limits: [50, 400],
        used: [0; 2],
        rejected: 0,
    };
    // Ten windows of 440 requests, close to both limits; five are always in
    // flight.
    let mut in_flight = std::collections::VecDeque::new();
    for number in 0..4400_u64 {
        let window = number / 440;
        if number % 440 == 0 {
            upstream.used = [0; 2];
            in_flight.clear();
        }
        let now = started
            + MINUTE * u32::try_from(window).unwrap()
            + Duration::from_millis(number % 440 * 100);
        let reset = Duration::from_millis(60_000 - number % 440 * 100);
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
        let target = plan.first(now, &mut rng).unwrap();
        let key = target.credential;
        if upstream.used[key] == upstream.limits[key] {
            upstream.rejected += 1;
            continue;
        }
        upstream.used[key] += 1;
        let remaining = upstream.limits[key] - upstream.used[key];
        let ratio = remaining as f64 / upstream.limits[key] as f64;
        let report = report(ratio, remaining, reset);
        in_flight.push_back((target, plan.take_quota_permit(), report, now));
        if in_flight.len() > 5 {
            // Some responses are overtaken.
            let done = in_flight.remove(rng.usize(0..3)).unwrap();
            fleet.record_rate_limit(done.0, &done.2, done.3, now);
        }
    }
    assert_eq!(upstream.rejected, 0);
}
