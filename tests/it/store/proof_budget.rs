//! A budget that three replicas spend together: none of it twice, and all of it.

use std::sync::atomic::Ordering;

use super::replicas::{Storm, replica};
use crate::limits::proof_load::{DOLLAR, Load, time_zone_by_day};
use crate::support::gateway::Gateway;
use crate::support::store_server::{StoreData, StoreServer, StoreSetup};
use crate::support::wait;

pub const REPLICAS: usize = 3;
const CALLERS: u64 = 60;

/// A budget of a day, of which every request reserves its worst case.
pub fn daily(dollars: u64) -> String {
    format!("{}\nreserve = \"worst\"", budget(dollars))
}

fn budget(dollars: u64) -> String {
    let zone = time_zone_by_day();
    format!("[limits.daily]\nper = [\"key\"]\nbudget = [\"{dollars}/day\"]\ntime_zone = \"{zone}\"")
}

pub fn start(load: &Load, store: &str, limits: &str) -> Vec<Gateway> {
    let start = |_| replica(load, store, limits).start();
    (0..REPLICAS).map(start).collect()
}

/// Waits until this part of a budget, in percent, is billed.
#[track_caller]
pub fn await_billed(load: &Load, budget: u64, percent: u64) {
    wait::until("a part of the budget to be billed", || {
        (load.billed() >= budget / 100 * percent).then_some(())
    });
}

#[test]
fn three_replicas_spend_one_dollar() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let load = Load::start();
    let gateways = start(&load, &store.url(), &daily(1));
    let spending = Storm::new(&load, DOLLAR, &gateways.iter().collect::<Vec<_>>());
    spending.run(CALLERS, || {});
    spending.check(0);
    assert_eq!(spending.unavailable.load(Ordering::SeqCst), 0);
    for gateway in gateways {
        gateway.finish_without_errors();
    }
}

/// What the other proofs would see if replicas did not share.
#[test]
fn without_a_store_each_of_three_replicas_spends_a_dollar() {
    let load = Load::start();
    let start = |_| load.setup().section(&daily(1)).start();
    let gateways: Vec<Gateway> = (0..REPLICAS).map(start).collect();
    // Each may leave less than a request reserves.
    let all = 3 * (DOLLAR - Storm::worst_case());
    let spending = Storm::new(&load, all, &gateways.iter().collect::<Vec<_>>());
    spending.run(CALLERS, || {});
    spending.check(3 * Storm::worst_case());
}

/// A day's budget of ten dollars on one key, three replicas, 300 callers at a time, a
/// replica that is killed and a store that is killed and starts again. No request says more
/// than its `max_tokens`, which is what one of these is expected to say at most.
#[test]
fn ten_dollars_stay_ten_dollars_over_three_replicas_a_kill_and_a_restart_of_the_store() {
    const BUDGET: u64 = 10 * DOLLAR;
    let Some(mut store) = StoreSetup::new().persistent().start() else {
        return;
    };
    let load = Load::start();
    let gateways = start(&load, &store.url(), &budget(10));
    let spending = Storm::new(&load, BUDGET, &gateways.iter().collect::<Vec<_>>());
    let mut excess = 0;
    spending.run(300, || {
        await_billed(&load, BUDGET, 30);
        excess += spending.kill(2, &gateways[2]);
        await_billed(&load, BUDGET, 50);
        store.kill();
        // What is left of leases, and then a twentieth of the rest, goes on.
        store.restart(StoreData::Kept);
    });
    // The lost replica may have spent its leases after it last wrote how much.
    spending.check(excess);
}
