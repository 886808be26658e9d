//! The planner, over invented targets and invented outcomes.

mod affinity;
mod quota;

use std::time::{Duration, Instant};

use fastrand::Rng;
use proptest::prelude::*;

use super::{Fleet, Next, Outcome, Plan, Stop, only};
use crate::catalog::Catalog;
use crate::catalog::Target;
use crate::catalog::tests::{config, targets};
use crate::config::{Balance, Retry};
use crate::telemetry::metric::Registry;

mod hedge;
mod outage;
mod promises;

const RETRY: Retry = Retry {
    attempts: 3,
    processed: false,
    max_wait: Duration::ZERO,
};

/// A fleet that knows the invented targets.
fn fleet() -> Fleet {
    fleet_since(Instant::now())
}

fn fleet_since(now: Instant) -> Fleet {
    let config = config("");
    let catalog = Catalog::new(&config);
    let registry = Registry::new();
    Fleet::new(&config, &catalog, &registry, now)
}

/// Runs a plan to its end and says what was tried, with the pauses, and how it
/// ended; a good answer ends it with none.
fn run(
    fleet: &Fleet,
    targets: &[Target],
    retry: Retry,
    seed: u64,
    outcome: impl Fn(&Target) -> Option<Outcome>,
) -> (Vec<(usize, Duration)>, Option<Stop>) {
    let mut rng = Rng::with_seed(seed);
    let mut now = Instant::now();
    let mut plan = Plan::new(fleet, targets, retry, Balance::Weighted);
    let mut target = plan.first(now, &mut rng).unwrap();
    let mut tried = vec![(target.credential, Duration::ZERO)];
    loop {
        let Some(outcome) = outcome(target) else {
            return (tried, None);
        };
        let could = plan.may_go_on();
        match plan.after(target, outcome, now, &mut rng) {
            Next::Try(next, pause) => {
                assert!(could, "an attempt that was not foreseen");
                now += pause;
                target = next;
                tried.push((target.credential, pause));
            }
            Next::Stop(stop) => return (tried, Some(stop)),
        }
    }
}

fn outcomes() -> impl Strategy<Value = Option<Outcome>> {
    let wait = proptest::option::of((0u64..5).prop_map(Duration::from_secs));
    prop_oneof![
        Just(None),
        Just(Some(Outcome::NotProcessed)),
        Just(Some(Outcome::MaybeProcessed)),
        Just(Some(Outcome::Denied)),
        Just(Some(Outcome::Failed)),
        wait.prop_map(|wait| Some(Outcome::Throttled(wait))),
    ]
}

proptest! {
    #[test]
    fn a_plan_keeps_its_promises(
        places in proptest::collection::vec((0usize..4, 1u64..5, outcomes()), 1..12),
        attempts in 1usize..14,
        processed: bool,
        wait in 0u64..8,
        seed: u64,
    ) {
        let shape: Vec<_> = places.iter().map(|(step, weight, _)| (*step, *weight)).collect();
        let targets = targets(&shape);
        let max_wait = Duration::from_secs(wait);
        let retry = Retry { attempts, processed, max_wait };
        let fate = |target: &Target| places[target.credential].2;
        let (tried, stop) = run(&fleet(), &targets, retry, seed, fate);

        prop_assert!(tried.len() <= attempts, "more attempts than allowed");
        let order: Vec<usize> = tried.iter().map(|(place, _)| *place).collect();
        let mut distinct = order.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if wait == 0 {
            prop_assert_eq!(distinct.len(), order.len(), "a target came twice");
        }
        let first_round = order.len().min(places.len());
        let mut round = order[..first_round].to_vec();
        round.sort_unstable();
        round.dedup();
        prop_assert_eq!(round.len(), first_round, "one came again before all had their turn");
        let steps: Vec<usize> = order[..first_round].iter().map(|place| places[*place].0).collect();
        prop_assert!(steps.is_sorted(), "a later step came first");
        prop_assert!(tried.iter().map(|(_, pause)| *pause).sum::<Duration>() <= max_wait);
        let lost = order.iter().position(|place| places[*place].2 == Some(Outcome::MaybeProcessed));
        if let (Some(lost), false) = (lost, processed) {
            prop_assert_eq!(lost + 1, order.len(), "sent again although it may have been processed");
            prop_assert_eq!(stop, Some(Stop::MaybeProcessed));
        }
        let healthy = places.iter().any(|(_, _, outcome)| outcome.is_none());
        if healthy && attempts >= places.len() && stop.is_some() {
            prop_assert_eq!(stop, Some(Stop::MaybeProcessed), "a healthy target was not found");
        }
    }
}

#[test]
fn weights_share_the_requests_out() {
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
    let fail = |_: &Target| Some(Outcome::NotProcessed);
    for seed in 0..50 {
        let once = run(&fleet(), &targets, RETRY, seed, fail);
        assert_eq!(once, run(&fleet(), &targets, RETRY, seed, fail));
        assert_eq!(once.0.len(), 3);
        assert_eq!(once.1, Some(Stop::Attempts));
    }
}

#[test]
fn one_target_needs_no_plan() {
    let targets = targets(&[(0, 1), (0, 1)]);
    assert!(only(&targets, &RETRY).is_none());
    assert!(only(&targets[..1], &RETRY).is_some());
    let patient = Retry {
        max_wait: Duration::from_secs(1),
        ..RETRY
    };
    assert!(only(&targets[..1], &patient).is_none());
}

#[test]
fn a_target_is_tried_again_when_it_said_so_and_there_is_time() {
    let targets = targets(&[(0, 1), (1, 1)]);
    let patient = Retry {
        max_wait: Duration::from_secs(5),
        ..RETRY
    };
    let throttled = |seconds: [u64; 2]| {
        move |target: &Target| {
            let wait = Duration::from_secs(seconds[target.credential]);
            Some(Outcome::Throttled(Some(wait)))
        }
    };
    let seconds = Duration::from_secs;
    let (tried, stop) = run(&fleet(), &targets, patient, 1, throttled([4, 2]));
    assert_eq!(tried, [(0, seconds(0)), (1, seconds(0)), (1, seconds(2))]);
    assert_eq!(stop, Some(Stop::Attempts));
    let (tried, stop) = run(&fleet(), &targets, patient, 1, throttled([9, 7]));
    assert_eq!((tried.len(), stop), (2, Some(Stop::Targets)));
    let (tried, _) = run(&fleet(), &targets, RETRY, 1, throttled([0, 0]));
    assert_eq!(tried.len(), 2);
}

#[test]
fn an_outage_brings_no_storm() {
    let targets = targets(&[(0, 1), (1, 1), (2, 1)]);
    let fleet = fleet();
    let fail = |_: &Target| Some(Outcome::Failed);
    let requests = 10_000;
    let sent: usize = (0..requests)
        .map(|seed| run(&fleet, &targets, RETRY, seed, fail).0.len())
        .sum();
    // A tenth more, and what the buckets held in the beginning.
    assert!(sent <= 11_000 + 3 * 50 + 10, "{sent}");
    // What never arrives is no burden, and every target gets its chance.
    let refuse = |_: &Target| Some(Outcome::NotProcessed);
    assert_eq!(run(&fleet, &targets, RETRY, 1, refuse).0.len(), 3);
}

/// A model of three targets over a virtual time, one request each millisecond.
struct Simulation {
    fleet: Fleet,
    targets: Vec<Target>,
    began: Instant,
    rng: Rng,
    /// Attempts at each target, and requests that got no good answer.
    attempts: [usize; 3],
    failed: usize,
}

impl Simulation {
    fn new(shape: &[(usize, u64)]) -> Self {
        let began = Instant::now();
        Self {
            fleet: fleet_since(began),
            targets: targets(shape),
            began,
            rng: Rng::with_seed(7),
            attempts: [0; 3],
            failed: 0,
        }
    }

    /// Serves requests from one millisecond to another; `fate` tells how each
    /// target answers.
    fn serve(&mut self, from: u64, to: u64, fate: impl Fn(usize) -> Option<Outcome>) {
        (self.attempts, self.failed) = ([0; 3], 0);
        for at in from..to {
            let now = self.began + Duration::from_millis(at);
            let mut plan = Plan::new(&self.fleet, &self.targets, RETRY, Balance::Weighted);
            let mut target = plan.first(now, &mut self.rng).unwrap();
            loop {
                self.attempts[target.credential] += 1;
                let outcome = fate(target.credential);
                self.fleet.note(target, outcome, now);
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
fn one_of_three_goes_down_and_comes_back() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1), (0, 1)]);
    simulation.serve(0, 3000, |_| None);
    assert!(
        simulation
            .attempts
            .iter()
            .all(|count| (900..1100).contains(count))
    );
    for fault in [Outcome::NotProcessed, Outcome::Failed] {
        let mut simulation = Simulation::new(&[(0, 1), (0, 1), (0, 1)]);
        simulation.serve(0, 30_000, |target| (target == 0).then_some(fault));
        // Five faults and a probe after 5, 10 and 20 seconds more.
        assert!(simulation.attempts[0] <= 5 + 3, "{:?}", simulation.attempts);
        assert_eq!(simulation.failed, 0);
        simulation.serve(30_000, 60_000, |_| None);
        assert_eq!(simulation.failed, 0);
        simulation.serve(75_000, 78_000, |_| None);
        assert!(simulation.attempts[0] > 900, "{:?}", simulation.attempts);
    }
}

#[test]
fn a_target_that_fails_every_other_time_is_left_out_too() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1), (0, 1)]);
    let turn = std::cell::Cell::new(false);
    simulation.serve(0, 5000, |target| {
        turn.set(turn.get() != (target == 0));
        (target == 0 && turn.get()).then_some(Outcome::Failed)
    });
    assert!(simulation.attempts[0] < 60, "{:?}", simulation.attempts);
    assert_eq!(simulation.failed, 0);
}

#[test]
fn the_last_one_is_never_left_out() {
    let mut simulation = Simulation::new(&[(0, 1), (1, 1)]);
    simulation.serve(0, 10_000, |_| Some(Outcome::NotProcessed));
    assert_eq!(simulation.attempts[0], 10_000);
    // One of them comes back long before its time out is over.
    simulation.serve(10_000, 10_100, |target| {
        (target == 0).then_some(Outcome::NotProcessed)
    });
    assert_eq!(simulation.failed, 0);
}

#[test]
fn an_outage_of_all_costs_a_tenth_more_and_ends_at_once() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1), (1, 1)]);
    simulation.serve(0, 10_000, |_| Some(Outcome::Failed));
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
fn a_busy_target_rests_for_as_long_as_it_says_and_a_refused_key_for_a_minute() {
    let mut simulation = Simulation::new(&[(0, 1), (0, 1)]);
    let wait = Some(Duration::from_secs(4));
    simulation.serve(0, 12_000, |target| {
        (target == 0).then_some(Outcome::Throttled(wait))
    });
    assert!(
        (2..=4).contains(&simulation.attempts[0]),
        "{:?}",
        simulation.attempts
    );
    assert_eq!(simulation.failed, 0);
    let mut simulation = Simulation::new(&[(0, 1), (0, 1)]);
    simulation.targets[0].key = 2;
    simulation.serve(0, 61_000, |target| (target == 0).then_some(Outcome::Denied));
    assert!(
        (1..=2).contains(&simulation.attempts[0]),
        "{:?}",
        simulation.attempts
    );
}

#[test]
fn what_a_caller_can_bring_about_ejects_nobody() {
    let mut simulation = Simulation::new(&[(0, 1), (1, 1)]);
    simulation.serve(0, 50, |target| (target == 0).then_some(Outcome::Refused));
    assert_eq!(simulation.attempts[0], 50);
}

#[test]
fn the_less_busy_of_two_is_chosen_within_a_step() {
    let targets = targets(&[(0, 1), (0, 1), (0, 1), (1, 1)]);
    let now = Instant::now();
    let fleet = fleet_since(now);
    let milliseconds = [50, 5, 5, 1];
    for (target, took) in targets.iter().zip(milliseconds) {
        fleet.observe(target, Duration::from_millis(took), now);
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
    // Twenty in flight there, and the slow one is the better choice.
    let _held: Vec<_> = (0..20).map(|_| fleet.enter(&targets[1])).collect();
    assert_eq!(choices(&fleet)[1], 0);
}
