//! What else can go wrong between replicas and their store while they spend one budget.

use super::proof_budget::{await_billed, daily, start};
use super::proof_outages::await_store;
use super::replicas::{Storm, replica};
use crate::limits::proof_load::{DOLLAR, Load};
use crate::support::gateway::Gateway;
use crate::support::store_link::StoreLink;
use crate::support::store_server::{StoreServer, StoreSetup};
use crate::support::wait;

const CALLERS: u64 = 60;

fn all(gateways: &[Gateway]) -> Vec<&Gateway> {
    gateways.iter().collect()
}

/// Old calls tell of less than was spent since, and ask for more.
#[test]
fn calls_that_arrive_again_and_late_change_nothing() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let load = Load::start();
    let link = StoreLink::start(store.address());
    let gateways = start(&load, &link.url(), &daily(1));
    await_store(&gateways, true);
    let spending = Storm::new(&load, DOLLAR, &all(&gateways));
    spending.run(CALLERS, || {
        for percent in [20, 40, 60, 80] {
            await_billed(&load, DOLLAR, percent);
            link.replay();
        }
    });
    link.replay();
    spending.check(0);
}

/// Leases are kept, and the new limit holds as soon as each replica has it.
#[test]
fn a_limit_that_is_raised_by_reloads_keeps_what_was_spent() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let load = Load::start();
    let gateways = start(&load, &store.url(), &daily(1));
    await_store(&gateways, true);
    let spending = Storm::new(&load, 2 * DOLLAR, &all(&gateways));
    spending.run(CALLERS, || {
        for (gateway, percent) in gateways.iter().zip([15, 20, 25]) {
            await_billed(&load, 2 * DOLLAR, percent);
            gateway.reload(|text| text.replace("\"1/day\"", "\"2/day\""));
        }
        // What changes nothing of the limits, many times.
        for number in 0..10 {
            gateways[0].reload(|text| format!("{text}\n# {number}\n"));
        }
    });
    spending.check(0);
    for gateway in gateways {
        gateway.finish_without_errors();
    }
}

/// Out of memory, without its replicas, itself a replica: it refuses to write.
#[test]
fn a_store_that_refuses_to_write_is_away_until_it_writes() {
    let refusals: [[&[&str]; 2]; 3] = [
        [
            &["CONFIG", "SET", "maxmemory", "1"],
            &["CONFIG", "SET", "maxmemory", "0"],
        ],
        [
            &["CONFIG", "SET", "min-replicas-to-write", "1"],
            &["CONFIG", "SET", "min-replicas-to-write", "0"],
        ],
        [
            &["REPLICAOF", "127.0.0.1", "1"],
            &["REPLICAOF", "NO", "ONE"],
        ],
    ];
    let Some(store) = StoreServer::start() else {
        return;
    };
    for [refuse, accept] in refusals {
        let load = Load::start();
        let _: () = store.command(&["FLUSHALL"]);
        let gateways = start(&load, &store.url(), &daily(1));
        await_store(&gateways, true);
        let spending = Storm::new(&load, DOLLAR, &all(&gateways));
        spending.run(CALLERS, || {
            await_billed(&load, DOLLAR, 30);
            let _: String = store.command(refuse);
            await_store(&gateways, false);
            let _: String = store.command(accept);
            await_store(&gateways, true);
        });
        spending.check(0);
        for gateway in gateways {
            gateway.finish_without_errors();
        }
    }
}

/// The new master may not have all of what the old one knew; the replicas tell it.
#[test]
fn a_failover_by_a_sentinel_spends_nothing_twice() {
    let Some(master) = StoreServer::start() else {
        return;
    };
    let line = format!("replicaof 127.0.0.1 {}", master.port());
    let second = StoreSetup::new().lines(&line).start().unwrap();
    wait::until("the second server to be in step", || {
        let info: String = second.command(&["INFO", "replication"]);
        info.contains("master_link_status:up").then_some(())
    });
    // It asks the master for its replicas at once, and then every ten seconds.
    let line = format!(
        "sentinel monitor main 127.0.0.1 {} 1\nsentinel failover-timeout main 1000",
        master.port()
    );
    let sentinel = StoreSetup::new().sentinel().lines(&line).start().unwrap();
    wait::until("the sentinel to know the second server", || {
        let words = ["SENTINEL", "replicas", "main"];
        let found: Vec<redis::Value> = sentinel.try_command(&words).ok()?;
        (found.len() == 1).then_some(())
    });
    let load = Load::start();
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port());
    let gateways = start(&load, &url, &daily(1));
    await_store(&gateways, true);
    let spending = Storm::new(&load, DOLLAR, &all(&gateways));
    spending.run(CALLERS, || {
        await_billed(&load, DOLLAR, 40);
        wait::until("the failover to begin", || {
            sentinel
                .try_command::<String>(&["SENTINEL", "FAILOVER", "main"])
                .ok()
        });
        // The sentinel ends all connections to servers of which it changes the role.
        wait::until("another master", || {
            let info: String = second.try_command(&["INFO", "replication"]).ok()?;
            info.contains("role:master").then_some(())
        });
        wait::until("calls to the new master", || {
            let info: String = second.try_command(&["INFO", "commandstats"]).ok()?;
            info.contains("cmdstat_evalsha:").then_some(())
        });
    });
    // A lease that the new master does not know of, since the old one had no time to say it.
    spending.check(DOLLAR / 100 * 60 / 12);
}

/// A replica that is new learns from the store what others have spent.
#[test]
fn a_replica_that_comes_and_goes_spends_nothing_twice() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let load = Load::start();
    let mut gateways = start(&load, &store.url(), &daily(1));
    await_store(&gateways, true);
    let spending = Storm::new(&load, DOLLAR, &all(&gateways));
    let gateways = spending.run(CALLERS, || {
        for (percent, index) in [(20, 0), (40, 1), (60, 2)] {
            await_billed(&load, DOLLAR, percent);
            spending.replace(index, None);
            gateways[index].signal("TERM");
            gateways[index].wait_for_exit();
            gateways[index] = replica(&load, &store.url(), &daily(1)).start();
            await_store(&gateways, true);
            spending.replace(index, Some(&gateways[index]));
        }
        gateways
    });
    // What they had leased was handed back at their end.
    spending.check(0);
    drop(gateways);
}
