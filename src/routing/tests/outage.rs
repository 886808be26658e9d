//! Outages in virtual time: thousands of requests whose attempts take realistic
//! times, so that many are in flight when a target fails.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{RETRY, fleet_since};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::{Balance, Retry};
use crate::routing::{AttemptOutcome, Next, Plan};

/// Initial tokens of a provider's retry budget, and tokens added per second.
const BURST: usize = 50;
const REFILL_PER_SECOND: usize = 1;
/// The breaker's default.
const COOLDOWN_MS: u64 = 5000;

/// One attempt at a target, in milliseconds since the start.
#[derive(Clone, Copy)]
struct Attempt {
    target: usize,
    started: u64,
    ended: u64,
    failed: bool,
}

/// Duration of an attempt in milliseconds, and its failure.
type Reaction = (u64, Option<AttemptOutcome>);

#[derive(Default)]
struct History {
    /// Arrivals of all requests.
    requests: Vec<u64>,
    attempts: Vec<Attempt>,
    /// Arrivals of the requests that failed.
    failed: Vec<u64>,
}

/// Sends `rate` requests a second to three targets of one step.
fn simulate(
    retry: Retry,
    rate: u64,
    seconds: u64,
    reaction: impl Fn(usize, u64) -> Reaction,
) -> History {
    let started = Instant::now();
    let fleet = fleet_since(started);
    let targets = targets(&[(0, 1), (0, 1), (0, 1)]);
    let mut rng = Rng::with_seed(5);
    let mut history = History::default();
    let mut running = Vec::new();
    let mut due = BinaryHeap::new();
    let clock = |at: u64| started + Duration::from_millis(at);
    let mut attempt = |target: usize, at: u64, due: &mut BinaryHeap<_>, request: usize| {
        let (took, failure) = reaction(target, at);
        due.push(Reverse((at + took, request)));
        history.attempts.push(Attempt {
            target,
            started: at,
            ended: at + took,
            failed: failure.is_some(),
        });
        failure
    };
    for number in 0..rate * seconds {
        let arrives = number * 1000 / rate;
        // Attempts that end before the next request arrives are handled first.
        while let Some(Reverse((at, request))) = due.peek().copied() {
            if at > arrives {
                break;
            }
            due.pop();
            let (plan, target, failure): &mut (Plan<'_>, &Target, Option<AttemptOutcome>) =
                &mut running[request];
            fleet.record_result(target, *failure, clock(at));
            let Some(outcome) = *failure else { continue };
            match plan.after(target, outcome, clock(at), &mut rng) {
                Next::Stop(_) => history.failed.push(history.requests[request]),
                Next::Try(next, _) => {
                    *target = next;
                    *failure = attempt(next.credential, at, &mut due, request);
                }
            }
        }
        let mut plan = Plan::new(&fleet, &targets, retry, Balance::Weighted);
        let first = plan.first(clock(arrives), &mut rng).unwrap();
        let failure = attempt(first.credential, arrives, &mut due, running.len());
        history.requests.push(arrives);
        running.push((plan, first, failure));
    }
    history
}

impl History {
    fn arrived(&self, from: u64, to: u64) -> usize {
        let arrived = self.requests.iter();
        arrived.filter(|at| (from..to).contains(*at)).count()
    }

    fn attempts(&self, from: u64, to: u64) -> usize {
        let attempts = self.attempts.iter();
        attempts
            .filter(|it| (from..to).contains(&it.started))
            .count()
    }

    fn at(&self, target: usize, from: u64, to: u64) -> Vec<Attempt> {
        let attempts = self.attempts.iter().copied();
        attempts
            .filter(|it| it.target == target && (from..to).contains(&it.started))
            .collect()
    }

    /// At most a tenth more attempts than requests, apart from the burst.
    #[track_caller]
    fn assert_no_storm(&self, from: u64, to: u64) {
        let (arrived, attempts) = (self.arrived(from, to), self.attempts(from, to));
        let seconds = usize::try_from((to - from) / 1000 + 1).unwrap();
        let max = arrived + arrived / 10 + BURST + seconds * REFILL_PER_SECOND;
        assert!(attempts <= max, "{attempts} for {arrived} requests");
    }
}

/// Responses take 20 to 59 ms, failures 30.
fn up(at: u64) -> Reaction {
    (20 + at % 40, None)
}

fn down() -> Reaction {
    (30, Some(AttemptOutcome::Failed))
}

#[test]
fn a_failing_target_of_three_is_ejected_and_restored_by_a_single_probe() {
    let outage = 10_000..40_000;
    let reaction = |target, at| {
        let is_down = target == 0 && outage.contains(&at);
        if is_down { down() } else { up(at) }
    };
    let history = simulate(RETRY, 300, 90, reaction);
    assert_eq!(history.failed.len(), 0, "there were two healthy targets");
    history.assert_no_storm(0, 90_000);
    // Until the fifth failure ends, other attempts start.
    let before = history.at(0, 10_000, 10_500);
    assert!((5..30).contains(&before.len()), "{}", before.len());
    // From then on there is one probe at a time, each after a longer ejection.
    let probes = history.at(0, 10_500, 40_000);
    assert!((1..=3).contains(&probes.len()), "{}", probes.len());
    assert!(probes.iter().all(|probe| probe.failed));
    let pauses = probes
        .windows(2)
        .map(|pair| pair[1].started - pair[0].ended);
    assert!(pauses.clone().is_sorted() && pauses.min() > Some(COOLDOWN_MS));
    // After the outage a single probe succeeds, and the target gets its share again.
    let later = history.at(0, 40_000, 90_000);
    let probe = later.first().expect("no probe");
    assert!(!probe.failed && probe.started < 40_000 + 60_000);
    let concurrent = history.at(0, probe.started, probe.ended);
    assert_eq!(concurrent.len(), 1, "more than one probe");
    let share = history.at(0, probe.ended, probe.ended + 3000).len();
    assert!((240..360).contains(&share), "{share} of 900");
}

#[test]
fn when_all_targets_fail_the_first_to_recover_is_found_at_once() {
    for recovers in [vec![0, 1, 2], vec![1]] {
        let reaction = |target, at| {
            let is_down = at >= 10_000 && (at < 40_000 || !recovers.contains(&target));
            if is_down { down() } else { up(at) }
        };
        let history = simulate(RETRY, 300, 60, reaction);
        history.assert_no_storm(0, 60_000);
        history.assert_no_storm(10_000, 40_000);
        let failed = history.failed.iter();
        assert!(failed.clone().all(|at| *at >= 9_900), "failed before");
        if recovers.len() == 3 {
            history.assert_no_storm(40_000, 41_000);
            assert!(failed.clone().all(|at| *at < 40_000), "failed after");
        }
        // Requests still go to all targets, so one that recovered is found, and
        // soon gets all requests.
        let late = failed.filter(|at| **at >= 41_000).count();
        assert_eq!(late, 0, "{recovers:?}");
    }
}

#[test]
fn a_target_that_stalls_is_ejected_after_the_first_timeouts() {
    let retry = Retry {
        non_idempotent: true,
        ..RETRY
    };
    let reaction = |target, at| {
        if target == 0 && at >= 5_000 {
            (2_000, Some(AttemptOutcome::MaybeProcessed))
        } else {
            up(at)
        }
    };
    let history = simulate(retry, 60, 60, reaction);
    history.assert_no_storm(0, 60_000);
    // Attempts before the first timeout, and the probes.
    let stalled = history.at(0, 5_000, 60_000).len();
    assert!((20..75).contains(&stalled), "{stalled}");
    let failed = history.failed.len();
    assert!(failed <= stalled.saturating_sub(BURST), "{failed}");
}

#[test]
fn a_flapping_target_causes_no_retry_storm() {
    let reaction = |target: usize, at: u64| {
        let is_down = (at / 300 + target as u64).is_multiple_of(2);
        if is_down { down() } else { up(at) }
    };
    let history = simulate(RETRY, 300, 60, reaction);
    history.assert_no_storm(0, 60_000);
    for second in (0..60_000).step_by(5000) {
        history.assert_no_storm(second, second + 5000);
    }
}
