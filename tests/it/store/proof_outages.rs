//! A store that is away for a while, in all ways: what three replicas spend of a dollar
//! meanwhile and afterwards.

use std::time::Duration;

use super::proof_budget::{await_billed, daily, start};
use super::replicas::{Storm, replica};
use crate::limits::proof_load::{DOLLAR, Load};
use crate::support::gateway::Gateway;
use crate::support::store_link::{Direction, StoreLink};
use crate::support::store_server::{StoreData, StoreServer, StoreSetup};

const CALLERS: u64 = 60;
const STORE_UP: &str = "trunkline_limit_store_up";

#[track_caller]
pub fn await_store(gateways: &[Gateway], is_up: bool) {
    for gateway in gateways {
        gateway.await_metric(STORE_UP, &[], f64::from(u8::from(is_up)));
    }
}

/// What a replica may spend beyond its leases while the store is away for it alone: a part
/// for each replica of which it knows, and it may know of none but itself.
pub fn without_store(free: u64) -> u64 {
    free / 20
}

/// Three replicas spend a dollar while `disturb` acts on the store.
#[track_caller]
fn spend_a_dollar(
    setup: StoreSetup,
    excess: u64,
    disturb: impl FnOnce(&Load, &mut StoreServer, &[Gateway]),
) {
    let Some(mut store) = setup.start() else {
        return;
    };
    let load = Load::start();
    let gateways = start(&load, &store.url(), &daily(1));
    let spending = Storm::new(&load, DOLLAR, &gateways.iter().collect::<Vec<_>>());
    await_store(&gateways, true);
    spending.run(CALLERS, || disturb(&load, &mut store, &gateways));
    spending.check(excess);
    for gateway in gateways {
        gateway.finish_without_errors();
    }
}

#[test]
fn a_store_that_pauses_spends_nothing_twice() {
    spend_a_dollar(StoreSetup::new(), 0, |load, store, _| {
        for percent in [20, 40, 60] {
            await_billed(load, DOLLAR, percent);
            store.pause_clients(Duration::from_millis(300));
        }
    });
}

#[test]
fn a_store_that_hangs_spends_nothing_twice() {
    spend_a_dollar(StoreSetup::new(), 0, |load, store, gateways| {
        await_billed(load, DOLLAR, 30);
        store.suspend();
        await_store(gateways, false);
        store.resume();
        await_store(gateways, true);
    });
}

#[test]
fn a_store_that_is_killed_and_keeps_its_data_spends_nothing_twice() {
    spend_a_dollar(
        StoreSetup::new().persistent(),
        0,
        |load, store, gateways| {
            await_billed(load, DOLLAR, 30);
            store.kill();
            await_store(gateways, false);
            store.restart(StoreData::Kept);
            await_store(gateways, true);
        },
    );
}

/// The living replicas write what they have used again.
#[test]
fn a_store_that_loses_its_data_spends_nothing_twice() {
    spend_a_dollar(StoreSetup::new(), 0, |load, store, _| {
        for percent in [30, 90] {
            await_billed(load, DOLLAR, percent);
            store.restart(StoreData::Lost);
        }
    });
}

#[test]
fn a_store_that_is_flushed_spends_nothing_twice() {
    spend_a_dollar(StoreSetup::new(), 0, |load, store, _| {
        for percent in [30, 50, 70, 90] {
            await_billed(load, DOLLAR, percent);
            let _: () = store.command(&["FLUSHALL"]);
            let _: () = store.command(&["SCRIPT", "FLUSH"]);
        }
    });
}

/// One replica of three is cut off in one direction, and later on in the other one.
#[test]
fn a_replica_that_is_cut_off_in_one_direction_spends_nothing_twice() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    for direction in [Direction::ToStore, Direction::FromStore] {
        let _: () = store.command(&["FLUSHALL"]);
        let load = Load::start();
        let link = StoreLink::start(store.address());
        let mut gateways = start(&load, &store.url(), &daily(1));
        gateways[0] = replica(&load, &link.url(), &daily(1)).start();
        await_store(&gateways, true);
        let spending = Storm::new(&load, DOLLAR, &gateways.iter().collect::<Vec<_>>());
        spending.run(CALLERS, || {
            await_billed(&load, DOLLAR, 30);
            link.stop(direction);
            await_store(&gateways[..1], false);
            link.resume(direction);
            await_store(&gateways, true);
        });
        spending.check(without_store(DOLLAR / 100 * 70));
    }
}

/// A replica that starts while the store is away is not different from one that loses it.
#[test]
fn replicas_start_without_their_store_and_spend_a_part() {
    let Some(mut store) = StoreServer::start() else {
        return;
    };
    store.kill();
    let load = Load::start();
    let gateways = start(&load, &store.url(), &daily(1));
    let mut passed = 0;
    for gateway in &gateways {
        gateway.await_metric(STORE_UP, &[], 0.0);
        while super::replicas::spend(gateway, 100) {
            passed += 1;
        }
    }
    // A twentieth of what each believes to be free.
    assert!(passed > 0);
    assert!(load.billed() <= 3 * DOLLAR / 20, "{}", load.billed());
    store.restart(StoreData::Lost);
    await_store(&gateways, true);
    let spending = Storm::new(&load, DOLLAR, &gateways.iter().collect::<Vec<_>>());
    spending.run(CALLERS, || {});
    spending.check(0);
}
