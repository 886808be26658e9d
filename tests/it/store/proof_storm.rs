//! Rounds of a storm with faults of all kinds, in random order: what each bills.
//!
//! ```sh
//! TRUNKLINE_SOAK=600 cargo test --locked --test it store::proof_storm -- --ignored --nocapture
//! ```

use std::time::{Duration, Instant};

use super::proof_budget::{REPLICAS, await_billed, daily};
use super::proof_outages::{await_store, without_store};
use super::replicas::{Storm, replica};
use crate::limits::proof_load::{DOLLAR, Load};
use crate::support::gateway::Gateway;
use crate::support::random_json::Rng;
use crate::support::store_link::{Direction, StoreLink};
use crate::support::store_server::{StoreData, StoreServer, StoreSetup};

const CALLERS: u64 = 60;
/// Faults of a round, each after another tenth of the budget.
const FAULTS: u64 = 6;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Pause,
    Hang,
    Kill(StoreData),
    Flush,
    Cut(Direction),
    KillReplica,
    /// A new process takes over.
    RestartReplica,
}

const ALL: [Fault; 9] = [
    Fault::Pause,
    Fault::Hang,
    Fault::Kill(StoreData::Kept),
    Fault::Kill(StoreData::Lost),
    Fault::Flush,
    Fault::Cut(Direction::ToStore),
    Fault::Cut(Direction::FromStore),
    Fault::KillReplica,
    Fault::RestartReplica,
];

struct Round<'r> {
    load: &'r Load,
    storm: &'r Storm<'r>,
    store: &'r mut StoreServer,
    links: &'r [StoreLink],
    gateways: Vec<Gateway>,
    /// What faults may have spent beyond the budget.
    excess: u64,
    /// What replicas that are gone have spent, which a store that loses its data forgets.
    spent_by_lost: u64,
}

impl Round<'_> {
    fn apply(&mut self, fault: Fault, rng: &mut Rng) {
        let index = rng.below(REPLICAS);
        match fault {
            Fault::Pause => {
                let milliseconds = 50 + rng.below(1_000) as u64;
                self.store
                    .pause_clients(Duration::from_millis(milliseconds));
            }
            Fault::Hang => {
                self.store.suspend();
                await_store(&self.gateways, false);
                self.store.resume();
            }
            Fault::Kill(data) => {
                self.store.restart(data);
                self.forget_lost(data == StoreData::Lost);
            }
            Fault::Flush => {
                let _: () = self.store.command(&["FLUSHALL"]);
                self.forget_lost(true);
            }
            Fault::Cut(direction) => {
                self.links[index].stop(direction);
                self.excess += without_store(DOLLAR.saturating_sub(self.load.billed()));
                await_store(&self.gateways[index..=index], false);
                self.links[index].resume(direction);
            }
            Fault::KillReplica => self.replace(index, |storm, gateway| storm.kill(index, gateway)),
            Fault::RestartReplica => self.replace(index, |storm, gateway| {
                storm.replace(index, None);
                gateway.signal("TERM");
                0
            }),
        }
        await_store(&self.gateways, true);
    }

    fn replace(&mut self, index: usize, end: impl FnOnce(&Storm<'_>, &Gateway) -> u64) {
        self.excess += end(self.storm, &self.gateways[index]);
        self.gateways[index].wait_for_exit();
        self.spent_by_lost += self.storm.take_billed(index);
        let url = self.links[index].url();
        self.gateways[index] = replica(self.load, &url, &daily(1)).start();
        await_store(&self.gateways, true);
        self.storm.replace(index, Some(&self.gateways[index]));
    }

    fn forget_lost(&mut self, is_lost: bool) {
        if is_lost {
            self.excess += std::mem::take(&mut self.spent_by_lost);
        }
    }
}

fn run_round(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut setup = StoreSetup::new();
    if rng.below(2) == 0 {
        setup = setup.persistent();
    }
    let mut store = setup.start().expect("a store");
    let load = Load::start();
    let links: Vec<StoreLink> = (0..REPLICAS)
        .map(|_| StoreLink::start(store.address()))
        .collect();
    let start = |link: &StoreLink| replica(&load, &link.url(), &daily(1)).start();
    let gateways: Vec<Gateway> = links.iter().map(start).collect();
    await_store(&gateways, true);
    let spending = Storm::new(&load, DOLLAR, &gateways.iter().collect::<Vec<_>>());
    let mut faults = Vec::new();
    let mut excess = 0;
    let begin = Instant::now();
    let gateways = spending.run(CALLERS, || {
        let mut round = Round {
            load: &load,
            storm: &spending,
            store: &mut store,
            links: &links,
            gateways,
            excess: 0,
            spent_by_lost: 0,
        };
        for fault in 1..=FAULTS {
            await_billed(&load, DOLLAR, fault * 10);
            let fault = ALL[rng.below(ALL.len())];
            eprintln!("  {fault:?}");
            faults.push(fault);
            round.apply(fault, &mut rng);
        }
        excess = round.excess;
        round.gateways
    });
    eprintln!(
        "seed {seed}: {} of {DOLLAR} (+ {excess}) in {:?}; {}; {faults:?}",
        load.billed(),
        begin.elapsed(),
        spending.summary()
    );
    spending.check(excess);
    drop(gateways);
}

#[test]
#[ignore = "takes as long as TRUNKLINE_SOAK says"]
fn faults_in_random_order_spend_nothing_twice() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seconds = number("TRUNKLINE_SOAK").unwrap_or(60);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut seed = number("TRUNKLINE_SEED").unwrap_or(1);
    while Instant::now() < end {
        run_round(seed);
        seed += 1;
    }
}
