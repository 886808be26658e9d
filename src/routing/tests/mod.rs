//! Plans over made-up targets and outcomes.

mod affinity;
mod hedge;
mod invariants;
mod outage;
mod passed_over;
mod quota;

use std::time::{Duration, Instant};

use fastrand::Rng;
use proptest::prelude::*;

use super::{AttemptOutcome, Fleet, Next, Plan, StopReason, single_target};
use crate::catalog::tests::{config, targets};
use crate::catalog::{Catalog, Target};
use crate::config::{Balance, Retry};
use crate::telemetry::metric::Registry;

const RETRY: Retry = Retry {
    attempts: 3,
    non_idempotent: false,
    max_wait: Duration::ZERO,
};

fn fleet() -> Fleet {
    fleet_since(Instant::now())
}

fn fleet_since(now: Instant) -> Fleet {
    let config = config("");
    let catalog = Catalog::new(&config);
    let registry = Registry::new();
    Fleet::new(&config, &catalog, &registry, now)
}

/// Runs a plan to its end. Returns the credentials tried, with the pauses before
/// them, and why it stopped, `None` for a success.
fn run(
    fleet: &Fleet,
    targets: &[Target],
    retry: Retry,
    seed: u64,
    outcome: impl Fn(&Target) -> Option<AttemptOutcome>,
) -> (Vec<(usize, Duration)>, Option<StopReason>) {
    let mut rng = Rng::with_seed(seed);
    let mut now = Instant::now();
    let mut plan = Plan::new(fleet, targets, retry, Balance::Weighted);
    let mut target = plan.first(now, &mut rng).unwrap();
    let mut tried = vec![(target.credential, Duration::ZERO)];
    loop {
        let Some(outcome) = outcome(target) else {
            return (tried, None);
        };
        let has_next = plan.has_next();
        match plan.after(target, outcome, now, &mut rng) {
            Next::Try(next, pause) => {
                assert!(has_next, "an attempt that `has_next` excluded");
                now += pause;
                target = next;
                tried.push((target.credential, pause));
            }
            Next::Stop(stop) => return (tried, Some(stop)),
        }
    }
}

fn outcomes() -> impl Strategy<Value = Option<AttemptOutcome>> {
    let wait = proptest::option::of((0u64..5).prop_map(Duration::from_secs));
    prop_oneof![
        Just(None),
        Just(Some(AttemptOutcome::NotProcessed)),
        Just(Some(AttemptOutcome::MaybeProcessed)),
        Just(Some(AttemptOutcome::Unauthorized)),
        Just(Some(AttemptOutcome::Failed)),
        wait.prop_map(|wait| Some(AttemptOutcome::Throttled(wait))),
    ]
}

proptest! {
    #[test]
    fn a_plan_keeps_its_invariants(
        cases in proptest::collection::vec((0usize..4, 1u64..5, outcomes()), 1..12),
        attempts in 1usize..14,
        non_idempotent: bool,
        wait in 0u64..8,
        seed: u64,
    ) {
        let shape: Vec<_> = cases.iter().map(|(step, weight, _)| (*step, *weight)).collect();
        let targets = targets(&shape);
        let max_wait = Duration::from_secs(wait);
        let retry = Retry { attempts, non_idempotent, max_wait };
        let outcome = |target: &Target| cases[target.credential].2;
        let (tried, stop) = run(&fleet(), &targets, retry, seed, outcome);

        prop_assert!(tried.len() <= attempts, "more attempts than allowed");
        let order: Vec<usize> = tried.iter().map(|(index, _)| *index).collect();
        let mut distinct = order.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if wait == 0 {
            prop_assert_eq!(distinct.len(), order.len(), "a target was tried twice");
        }
        let first_round = order.len().min(cases.len());
        let mut round = order[..first_round].to_vec();
        round.sort_unstable();
        round.dedup();
        prop_assert_eq!(round.len(), first_round, "a target was retried before all were tried");
        let steps: Vec<usize> = order[..first_round].iter().map(|index| cases[*index].0).collect();
        prop_assert!(steps.is_sorted(), "a later step was tried first");
        prop_assert!(tried.iter().map(|(_, pause)| *pause).sum::<Duration>() <= max_wait);
        let is_maybe_processed =
            |index: &usize| cases[*index].2 == Some(AttemptOutcome::MaybeProcessed);
        let maybe_processed = order.iter().position(is_maybe_processed);
        if let (Some(position), false) = (maybe_processed, non_idempotent) {
            prop_assert_eq!(position + 1, order.len(), "sent again although it may have been processed");
            prop_assert_eq!(stop, Some(StopReason::MaybeProcessed));
        }
        let healthy = cases.iter().any(|(_, _, outcome)| outcome.is_none());
        if healthy && attempts >= cases.len() && stop.is_some() {
            prop_assert_eq!(stop, Some(StopReason::MaybeProcessed), "a healthy target was not found");
        }
    }
}

#[test]
fn requests_are_distributed_by_weight() {
    let targets = targets(&[(0, 3), (0, 1), (1, 100)]);
    let fleet = fleet();
    let mut firsts = [0; 3];
    for seed in 0..4000 {
        let (tried, _) = run(&fleet, &targets, RETRY, seed, |_| None);
        firsts[tried[0].0] += 1;
    }
    assert!((2850..3150).contains(&firsts[0]), "{firsts:?}");
    assert_eq!(firsts[2], 0);
}

#[test]
fn the_same_seed_makes_the_same_choice() {
    let targets = targets(&[(0, 1), (0, 1), (0, 1)]);
    let fail = |_: &Target| Some(AttemptOutcome::NotProcessed);
    for seed in 0..50 {
        let once = run(&fleet(), &targets, RETRY, seed, fail);
        assert_eq!(once, run(&fleet(), &targets, RETRY, seed, fail));
        assert_eq!(once.0.len(), 3);
        assert_eq!(once.1, Some(StopReason::Attempts));
    }
}

#[test]
fn a_single_target_needs_no_plan() {
    let targets = targets(&[(0, 1), (0, 1)]);
    assert!(single_target(&targets, &RETRY).is_none());
    assert!(single_target(&targets[..1], &RETRY).is_some());
    let with_max_wait = Retry {
        max_wait: Duration::from_secs(1),
        ..RETRY
    };
    assert!(single_target(&targets[..1], &with_max_wait).is_none());
}

#[test]
fn a_target_is_retried_after_its_requested_delay_if_there_is_time() {
    let targets = targets(&[(0, 1), (1, 1)]);
    let with_max_wait = Retry {
        max_wait: Duration::from_secs(5),
        ..RETRY
    };
    let throttled = |seconds: [u64; 2]| {
        move |target: &Target| {
            let wait = Duration::from_secs(seconds[target.credential]);
            Some(AttemptOutcome::Throttled(Some(wait)))
        }
    };
    let seconds = Duration::from_secs;
    let (tried, stop) = run(&fleet(), &targets, with_max_wait, 1, throttled([4, 2]));
    assert_eq!(tried, [(0, seconds(0)), (1, seconds(0)), (1, seconds(2))]);
    assert_eq!(stop, Some(StopReason::Attempts));
    let (tried, stop) = run(&fleet(), &targets, with_max_wait, 1, throttled([9, 7]));
    assert_eq!((tried.len(), stop), (2, Some(StopReason::Targets)));
    let (tried, _) = run(&fleet(), &targets, RETRY, 1, throttled([0, 0]));
    assert_eq!(tried.len(), 2);
}

#[test]
fn an_outage_causes_no_retry_storm() {
    let targets = targets(&[(0, 1), (1, 1), (2, 1)]);
    let fleet = fleet();
    let fail = |_: &Target| Some(AttemptOutcome::Failed);
    let requests = 10_000;
    let sent: usize = (0..requests)
        .map(|seed| run(&fleet, &targets, RETRY, seed, fail).0.len())
        .sum();
    // A tenth more, and the initial budgets.
    assert!(sent <= 11_000 + 3 * 50 + 10, "{sent}");
    // A request that was not sent costs no budget, so all targets are tried.
    let not_sent = |_: &Target| Some(AttemptOutcome::NotProcessed);
    assert_eq!(run(&fleet, &targets, RETRY, 1, not_sent).0.len(), 3);
}

/// A model of three targets in virtual time, with one request per millisecond.
struct Simulation {
    fleet: Fleet,
    targets: Vec<Target>,
    started: Instant,
    rng: Rng,
    /// Attempts at each target, and failed requests.
    attempts: [usize; 3],
    failed: usize,
}

impl Simulation {
    fn new(shape: &[(usize, u64)]) -> Self {
        let started = Instant::now();
        Self {
            fleet: fleet_since(started),
            targets: targets(shape),
            started,
            rng: Rng::with_seed(7),
            attempts: [0; 3],
            failed: 0,
        }
    }

    /// Serves requests from one millisecond to another; `result` is what each
    /// target returns.
    fn serve(&mut self, from: u64, to: u64, result: impl Fn(usize) -> Option<AttemptOutcome>) {
        (self.attempts, self.failed) = ([0; 3], 0);
        for at in from..to {
            let now = self.started + Duration::from_millis(at);
            let mut plan = Plan::new(&self.fleet, &self.targets, RETRY, Balance::Weighted);
            let mut target = plan.first(now, &mut self.rng).unwrap();
            loop {
                self.attempts[target.credential] += 1;
                let outcome = result(target.credential);
                self.fleet.record_result(target, outcome, now);
                let Some(outcome) = outcome else { break };
                match plan.after(target, outcome, now, &mut self.rng) {
                    Next::Try(next, _) => target = next,
                    Next::Stop(_) => {
                        self.failed += 1;
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn a_failing_target_of_three_is_ejected_and_recovers() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1), (0, 1)]);
    simulation.serve(0, 3000, |_| None);
    assert!(
        simulation
            .attempts
            .iter()
            .all(|count| (900..1100).contains(count))
    );
    for failure in [AttemptOutcome::NotProcessed, AttemptOutcome::Failed] {
        let mut simulation = Simulation::new(&[(0, 1), (0, 1), (0, 1)]);
        simulation.serve(0, 30_000, |target| (target == 0).then_some(failure));
        // Five failures, and probes after 5, 10 and 20 seconds more.
        assert!(simulation.attempts[0] <= 5 + 3, "{:?}", simulation.attempts);
        assert_eq!(simulation.failed, 0);
        simulation.serve(30_000, 60_000, |_| None);
        assert_eq!(simulation.failed, 0);
        simulation.serve(75_000, 78_000, |_| None);
        assert!(simulation.attempts[0] > 900, "{:?}", simulation.attempts);
    }
}

#[test]
fn a_target_that_fails_every_other_time_is_ejected_too() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1), (0, 1)]);
    let fails = std::cell::Cell::new(false);
    simulation.serve(0, 5000, |target| {
        fails.set(fails.get() != (target == 0));
        (target == 0 && fails.get()).then_some(AttemptOutcome::Failed)
    });
    assert!(simulation.attempts[0] < 60, "{:?}", simulation.attempts);
    assert_eq!(simulation.failed, 0);
}

#[test]
fn the_last_target_is_always_tried() {
    let mut simulation = Simulation::new(&[(0, 1), (1, 1)]);
    simulation.serve(0, 10_000, |_| Some(AttemptOutcome::NotProcessed));
    assert_eq!(simulation.attempts[0], 10_000);
    // One of them recovers long before its ejection ends.
    simulation.serve(10_000, 10_100, |target| {
        (target == 0).then_some(AttemptOutcome::NotProcessed)
    });
    assert_eq!(simulation.failed, 0);
}

#[test]
fn an_outage_of_all_targets_costs_a_tenth_more_and_ends_at_once() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1), (1, 1)]);
    simulation.serve(0, 10_000, |_| Some(AttemptOutcome::Failed));
    assert_eq!(simulation.failed, 10_000);
    let sent: usize = simulation.attempts.iter().sum();
    assert!(sent <= 11_000 + 50 + 10, "{sent}");
    simulation.serve(10_000, 12_000, |_| None);
    assert_eq!(
        (simulation.failed, simulation.attempts.iter().sum()),
        (0, 2000)
    );
}

#[test]
fn a_throttled_target_cools_down_for_its_requested_delay_and_a_rejected_key_for_a_minute() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1)]);
    let wait = Some(Duration::from_secs(4));
    simulation.serve(0, 12_000, |target| {
        (target == 0).then_some(AttemptOutcome::Throttled(wait))
    });
    assert!(
        (2..=4).contains(&simulation.attempts[0]),
        "{:?}",
        simulation.attempts
    );
    assert_eq!(simulation.failed, 0);
    let mut simulation = Simulation::new(&[(0, 1), (0, 1)]);
    simulation.targets[0].credential_state_index = 2;
    simulation.serve(0, 61_000, |target| {
        (target == 0).then_some(AttemptOutcome::Unauthorized)
    });
    assert!(
        (1..=2).contains(&simulation.attempts[0]),
        "{:?}",
        simulation.attempts
    );
}

#[test]
fn responses_that_clients_can_cause_eject_no_target() {
    let mut simulation = Simulation::new(&[(0, 1), (1, 1)]);
    simulation.serve(0, 50, |target| {
        (target == 0).then_some(AttemptOutcome::Rejected)
    });
    assert_eq!(simulation.attempts[0], 50);
}

#[test]
fn the_less_loaded_of_two_is_chosen_within_a_step() {
    let targets = targets(&[(0, 1), (0, 1), (0, 1), (1, 1)]);
    let now = Instant::now();
    let fleet = fleet_since(now);
    let milliseconds = [50, 5, 5, 1];
    for (target, took) in targets.iter().zip(milliseconds) {
        fleet.record_latency(target, Duration::from_millis(took), now);
    }
    let choices = |fleet: &Fleet| {
        let mut chosen = [0; 4];
        for seed in 0..600 {
            let mut plan = Plan::new(fleet, &targets, RETRY, Balance::LeastLoaded);
            let target = plan.first(now, &mut Rng::with_seed(seed)).unwrap();
            chosen[target.credential] += 1;
        }
        chosen
    };
    let [slow, one, other, later] = choices(&fleet);
    assert_eq!((slow, later), (0, 0));
    assert!(one > 200 && other > 200);
    // With twenty requests in flight there, the slow target is the better choice.
    let _held: Vec<_> = (0..20).map(|_| fleet.track_request(&targets[1])).collect();
    assert_eq!(choices(&fleet)[1], 0);
}
