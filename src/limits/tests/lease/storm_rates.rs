//! A rate over several replicas: no more than the refill and the burst, whatever happens to
//! calls; and all of it can be used.

use std::time::Duration;

use proptest::prelude::*;

use super::replica::{Network, Replica, clock, used};
use super::store::{ModelStore, Time};
use crate::config::{LimitRule, LimitUnit, Period, WithoutStore};
use crate::limits::Shortage;
use crate::limits::tests::{amount, rule};

const REPLICAS: usize = 3;
const TICK: Duration = Duration::from_millis(100);
/// Units a minute: ten a second.
const RATE: u64 = 600;

#[derive(Clone, Debug)]
enum Step {
    Begin(usize, u64),
    /// The oldest request of this replica ends, having used so many percent of it.
    End(usize, u64),
    Pass(u64),
    Network(usize, Network),
    Repeat(usize, usize),
    LoseData,
}

fn steps(is_lossy: bool) -> impl Strategy<Value = Vec<Step>> {
    let replica = 0..REPLICAS;
    let network = prop_oneof![
        3 => Just(Network::Works),
        1 => Just(Network::LosesCalls),
        1 => Just(Network::LosesResponses),
    ];
    let step = prop_oneof![
        40 => (replica.clone(), 1_u64..100).prop_map(|(at, it)| Step::Begin(at, it)),
        30 => (replica.clone(), 0_u64..=100).prop_map(|(at, it)| Step::End(at, it)),
        20 => (1_u64..1_500).prop_map(Step::Pass),
        3 => (5_000_u64..40_000).prop_map(Step::Pass),
        5 => (replica.clone(), 0_usize..1_000).prop_map(|(at, it)| Step::Repeat(at, it)),
        u32::from(is_lossy) * 3 => (replica, network).prop_map(|(at, it)| Step::Network(at, it)),
        1 => Just(Step::LoseData),
    ];
    prop::collection::vec(step, 1..200)
}

fn rules() -> Vec<LimitRule> {
    let all = [amount(LimitUnit::Tokens, RATE, Period::Minute)];
    let mut rule = rule("rate", &[], &all);
    rule.without = WithoutStore::Refuse;
    vec![rule]
}

struct World {
    store: ModelStore,
    replicas: Vec<Replica>,
    now: Time,
    /// Units that were taken, less what was given back.
    taken: u64,
    /// What may be over the rate, by what happened.
    excess: u64,
    /// The true arrival time, with everything that was taken.
    full_at: Time,
}

fn time_of(units: u64) -> Duration {
    Duration::from_micros(units * 60_000_000 / RATE)
}

impl World {
    fn new() -> Self {
        Self {
            store: ModelStore {
                replicas: REPLICAS as u64,
                ..ModelStore::default()
            },
            replicas: (0..REPLICAS)
                .map(|it| Replica::new(&format!("replica-{it}"), &rules(), None))
                .collect(),
            now: Duration::ZERO,
            taken: 0,
            excess: 0,
            full_at: Duration::ZERO,
        }
    }

    fn begin(&mut self, at: usize, expected: u64) -> Result<(), TestCaseError> {
        let usage = used(LimitUnit::Tokens, expected);
        let replica = &mut self.replicas[at];
        let is_away = replica.network != Network::Works;
        match replica.reserve(&mut self.store, self.now, 0, usage) {
            Ok(reservation) => {
                replica.held.push((expected, reservation));
                self.taken += expected;
                self.full_at = self.full_at.max(self.now) + time_of(expected);
            }
            Err(Shortage::StoreAway) => prop_assert!(is_away, "the store is there"),
            Err(Shortage::Wait(_)) => {}
            Err(other) => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }

    fn end(&mut self, at: usize, percent: u64) {
        let replica = &mut self.replicas[at];
        if replica.held.is_empty() {
            return;
        }
        let (expected, reservation) = replica.held.remove(0);
        let spent = expected * percent / 100;
        reservation.settle(clock(self.now), &used(LimitUnit::Tokens, spent));
        self.taken -= expected - spent;
        // Given back to a bucket that has been full since, it has no effect.
        let back = time_of(expected - spent);
        self.full_at = self.full_at.saturating_sub(back);
    }

    fn pass(&mut self, milliseconds: u64) {
        let until = self.now + Duration::from_millis(milliseconds);
        while self.now < until {
            self.now += TICK;
            for replica in &mut self.replicas {
                replica.exchange(&mut self.store, self.now);
            }
        }
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Begin(at, expected) => self.begin(at, expected)?,
            Step::End(at, percent) => self.end(at, percent),
            Step::Pass(milliseconds) => self.pass(milliseconds),
            Step::Network(at, network) => self.replicas[at].network = network,
            Step::Repeat(at, index) => {
                let sent = &self.replicas[at].sent;
                if let Some(message) = sent.get(index % sent.len().max(1)) {
                    let message = message.clone();
                    self.store.call(&message, self.now);
                }
            }
            Step::LoseData => {
                self.store.lose_data();
                // No call is on its way for so long.
                self.replicas.iter_mut().for_each(|it| it.sent.clear());
                // It refills from full.
                self.excess += RATE;
            }
        }
        Ok(())
    }

    /// What was given back is not counted as refilled, so this is no more than the truth.
    fn check(&self) -> Result<(), TestCaseError> {
        let refilled = u64::try_from(self.now.as_millis()).unwrap() * RATE / 60_000;
        let most = RATE + refilled + self.excess;
        // Leases that are a second old have been refilled in part.
        let leased = RATE / 4;
        prop_assert!(self.taken <= most + leased, "{} of {most}", self.taken);
        Ok(())
    }

    fn check_use(&mut self, after: u64) -> Result<(), TestCaseError> {
        for replica in &mut self.replicas {
            replica.network = Network::Works;
        }
        self.pass(after);
        let busy = self.full_at.saturating_sub(self.now);
        let in_use = u64::try_from(busy.as_micros()).unwrap().div_ceil(100_000);
        let free = RATE.saturating_sub(in_use);
        if free > 2 {
            let usage = used(LimitUnit::Tokens, free - 2);
            let taken = self.replicas[0].reserve(&mut self.store, self.now, 0, usage);
            prop_assert!(taken.is_ok(), "{free}: {taken:?}");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn replicas_use_all_of_a_rate_and_no_more(steps in steps(false)) {
        let mut world = World::new();
        for step in &steps {
            world.apply(step)?;
            world.check()?;
        }
        world.check_use(2_500)?;
    }

    #[test]
    fn replicas_that_lose_calls_never_pass_a_rate(steps in steps(true)) {
        let mut world = World::new();
        for step in &steps {
            world.apply(step)?;
            world.check()?;
        }
        // What was leased and lost is there again after a minute.
        world.check_use(62_500)?;
    }
}
