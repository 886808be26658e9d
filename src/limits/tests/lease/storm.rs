//! Replicas, a store, and all that can happen to them: never more than the limit and what
//! is documented, and nothing that fits is refused for long.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::replica::{Network, Replica, clock, used};
use super::store::{ModelStore, Time};
use crate::config::{LimitRule, LimitUnit, Period, WithoutStore};
use crate::limits::tests::{amount, rule};
use crate::limits::{Shortage, StoredWindows};

const REPLICAS: usize = 3;
/// How often replicas look at what is due.
const TICK: Duration = Duration::from_millis(100);
const LIMIT: u64 = 1_000;

#[derive(Clone, Debug)]
enum Step {
    /// A request of this replica that is expected to use so much.
    Begin(usize, u64),
    /// The oldest one of this replica ends, having used so many percent of it.
    End(usize, u64),
    Pass(u64),
    Network(usize, Network),
    /// The process is killed, and another one begins.
    Crash(usize),
    /// An old call arrives again.
    Repeat(usize, usize),
    LoseData,
    Reload(u64),
}

fn steps(is_rough: bool) -> impl Strategy<Value = Vec<Step>> {
    let replica = 0..REPLICAS;
    let rough = u32::from(is_rough);
    let network = prop_oneof![
        3 => Just(Network::Works),
        1 => Just(Network::LosesCalls),
        1 => Just(Network::LosesResponses),
    ];
    let step = prop_oneof![
        40 => (replica.clone(), 1_u64..60).prop_map(|(at, it)| Step::Begin(at, it)),
        30 => (replica.clone(), 0_u64..=100).prop_map(|(at, it)| Step::End(at, it)),
        20 => (1_u64..1_500).prop_map(Step::Pass),
        2 => (5_000_u64..20_000).prop_map(Step::Pass),
        5 => (replica.clone(), 0_usize..1_000).prop_map(|(at, it)| Step::Repeat(at, it)),
        3 => (replica.clone(), network).prop_map(|(at, it)| Step::Network(at, it)),
        rough => replica.clone().prop_map(Step::Crash),
        rough => Just(Step::LoseData),
        1 => (LIMIT / 2..LIMIT).prop_map(Step::Reload),
    ];
    prop::collection::vec(step, 1..200)
}

struct World {
    store: ModelStore,
    replicas: Vec<Replica>,
    now: Time,
    limit: u64,
    /// What processes that are gone have used, and had reserved.
    dead: u64,
    /// What the store counts of them besides.
    lost: u64,
    /// What may be over the limit, by what happened.
    excess: u64,
    started: usize,
    without: WithoutStore,
}

impl World {
    fn new(without: WithoutStore) -> Self {
        let mut world = Self {
            store: ModelStore {
                replicas: REPLICAS as u64,
                ..ModelStore::default()
            },
            replicas: Vec::new(),
            now: Duration::ZERO,
            limit: LIMIT,
            dead: 0,
            lost: 0,
            excess: 0,
            started: 0,
            without,
        };
        for _ in 0..REPLICAS {
            let replica = world.start(&Arc::default());
            world.replicas.push(replica);
        }
        world
    }

    fn start(&mut self, stored: &Arc<StoredWindows>) -> Replica {
        self.started += 1;
        let name = format!("replica-{}", self.started);
        Replica::new(&name, &self.rules(), Some(stored))
    }

    fn rules(&self) -> Vec<LimitRule> {
        let all = [amount(LimitUnit::Tokens, self.limit, Period::Total)];
        let mut rule = rule("tokens", &[], &all);
        rule.without = self.without;
        vec![rule]
    }

    /// Used and reserved in truth.
    fn taken_by(replica: &Replica) -> u64 {
        let windows = replica.set.windows(clock(Duration::ZERO));
        windows.iter().map(|it| it.used + it.reserved).sum()
    }

    fn taken(&self) -> u64 {
        self.dead + self.replicas.iter().map(Self::taken_by).sum::<u64>()
    }

    fn known(&self, replica: &Replica) -> u64 {
        let counters = self.store.counters.first();
        let part = counters.and_then(|(_, it)| it.of.get(&replica.name));
        part.map_or(0, |it| it.taken)
    }

    fn begin(&mut self, at: usize, expected: u64) -> Result<(), TestCaseError> {
        let (now, store) = (self.now, &mut self.store);
        let replica = &mut self.replicas[at];
        let is_away = replica.network != Network::Works;
        let usage = used(LimitUnit::Tokens, expected);
        match replica.reserve(store, now, 0, usage) {
            Ok(reservation) => replica.held.push((expected, reservation)),
            Err(Shortage::StoreAway) => prop_assert!(is_away, "the store is there"),
            Err(Shortage::Held | Shortage::UntilEnd(_)) => {}
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
        let spent = used(LimitUnit::Tokens, expected * percent / 100);
        reservation.settle(clock(self.now), &spent);
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

    fn crash(&mut self, at: usize) {
        let stored = Arc::new(StoredWindows::default());
        let replica = &self.replicas[at];
        // The ledger was written at this moment.
        for record in replica.set.windows(clock(self.now)) {
            stored.restore_from(&replica.name, &record);
        }
        let taken = Self::taken_by(replica);
        // What it had of its lease, others may have for a moment too.
        self.excess += taken.saturating_sub(self.known(replica));
        self.dead += taken;
        // Of what it has given back without a call, the store does not know.
        self.lost += self.known(replica).saturating_sub(taken);
        let new = self.start(&stored);
        let old = std::mem::replace(&mut self.replicas[at], new);
        // The requests do not end for this process; the provider bills them.
        old.held.into_iter().for_each(std::mem::forget);
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Begin(at, expected) => self.begin(at, expected)?,
            Step::End(at, percent) => self.end(at, percent),
            Step::Pass(milliseconds) => self.pass(milliseconds),
            Step::Network(at, network) => {
                self.cut_off(at, network);
            }
            Step::Crash(at) => self.crash(at),
            Step::Repeat(at, index) => {
                let sent = &self.replicas[at].sent;
                if let Some(message) = sent.get(index % sent.len().max(1)) {
                    let message = message.clone();
                    self.store.call(&message, self.now);
                }
            }
            Step::LoseData => self.lose_data(),
            Step::Reload(limit) => {
                self.excess += self.limit.saturating_sub(limit);
                self.limit = limit;
                let rules = self.rules();
                self.replicas.iter_mut().for_each(|it| it.reload(&rules));
            }
        }
        Ok(())
    }

    /// Each time that a replica is without the store, it may use its share of a twentieth,
    /// and the store may give its lease to others.
    fn cut_off(&mut self, at: usize, network: Network) {
        let replica = &mut self.replicas[at];
        if replica.network == Network::Works && network != Network::Works {
            self.excess += LIMIT / 20 / REPLICAS as u64 + LIMIT / (4 * REPLICAS as u64);
        }
        replica.network = network;
    }

    fn lose_data(&mut self) {
        // Until those that live have reported, they may have it twice.
        self.excess += self.limit;
        self.store.lose_data();
        // The store's thread notices, and no call is on its way for so long.
        for replica in &mut self.replicas {
            replica.link.restore_again();
            replica.sent.clear();
        }
        self.pass(1_200);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let (taken, most) = (self.taken(), self.limit + self.excess);
        prop_assert!(taken <= most, "{taken} of {most}");
        Ok(())
    }

    /// After so long with a network that works, what fits passes.
    fn check_use(&mut self, after: u64) -> Result<(), TestCaseError> {
        for replica in &mut self.replicas {
            replica.network = Network::Works;
        }
        self.pass(after);
        let free = self.limit.saturating_sub(self.taken() + self.lost);
        for at in 0..REPLICAS {
            let part = free / REPLICAS as u64;
            if part > 0 {
                let usage = used(LimitUnit::Tokens, part);
                let (store, now) = (&mut self.store, self.now);
                let taken = self.replicas[at].reserve(store, now, 0, usage);
                prop_assert!(taken.is_ok(), "{part} of {free}: {taken:?}");
                self.replicas[at].held.push((part, taken.unwrap()));
                self.pass(2_000);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn replicas_never_pass_a_limit(steps in steps(false)) {
        let mut world = World::new(WithoutStore::Share);
        for step in &steps {
            world.apply(step)?;
            world.check()?;
        }
        world.check_use(2_000)?;
    }

    #[test]
    fn crashes_and_losses_cost_no_more_than_is_documented(steps in steps(true)) {
        let mut world = World::new(WithoutStore::Refuse);
        for step in &steps {
            world.apply(step)?;
            world.check()?;
        }
        // The leases of the dead end after ten.
        world.check_use(12_000)?;
    }
}
