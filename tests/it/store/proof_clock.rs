//! Replicas whose clocks are wrong: windows begin and end by the clock of the store.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::proof_outages::await_store;
use super::replicas::{Storm, replica, spend};
use crate::limits::proof_load::{DOLLAR, Load};
use crate::support::gateway::Gateway;
use crate::support::skewed_clock::SkewedClock;
use crate::support::store_server::{StoreServer, StoreSetup};
use crate::support::wait;

const CALLERS: u64 = 60;
const DAY: i64 = 24 * 3600;
/// Until the day ends, by the clock of the store.
const LEFT: i64 = 8;
const WRONG_BY: i64 = 30;
const LIMITS: &str = "[limits.daily]\nper = [\"key\"]\nbudget = [\"1/day\"]\nreserve = \"worst\"";

/// Processes whose day is about to end.
struct Evening {
    clock: SkewedClock,
    skew: i64,
    _folder: TempDir,
}

impl Evening {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        Self {
            clock: SkewedClock::compile(folder.path()),
            skew: DAY - LEFT - now % DAY,
            _folder: folder,
        }
    }

    fn start_store(&self) -> Option<StoreServer> {
        let [preload, seconds] = self.clock.env(self.skew);
        let setup = StoreSetup::new().env(preload.0, &preload.1);
        setup.env(seconds.0, &seconds.1).start()
    }

    /// A replica whose clock is ahead of the store's.
    fn start(&self, load: &Load, store: &StoreServer, ahead: i64) -> Gateway {
        let [preload, seconds] = self.clock.env(self.skew + ahead);
        replica(load, &store.url(), LIMITS)
            .env(preload.0, &preload.1)
            .env(seconds.0, &seconds.1)
            .start()
    }
}

/// Waits until the next day has begun at all of these.
#[track_caller]
fn await_next_day(gateways: &[Gateway]) {
    wait::until("the next day at all replicas", || {
        let mut gateways = gateways.iter();
        gateways.all(|gateway| spend(gateway, 100)).then_some(())
    });
}

#[test]
fn a_clock_that_is_wrong_by_30_seconds_changes_no_window() {
    let evening = Evening::new();
    let Some(store) = evening.start_store() else {
        return;
    };
    let load = Load::start();
    // For the second one, it is tomorrow already.
    let gateways = [0, WRONG_BY, -WRONG_BY].map(|ahead| evening.start(&load, &store, ahead));
    await_store(&gateways, true);
    let all: Vec<&Gateway> = gateways.iter().collect();
    let today = Storm::new(&load, DOLLAR, &all);
    today.run(CALLERS, || {});
    today.check(0);
    let billed_today = load.billed();
    // All refuse until the day ends, and none goes on refusing.
    await_next_day(&gateways);
    let tomorrow = Storm::new(&load, billed_today + DOLLAR, &all);
    tomorrow.run(CALLERS, || {});
    tomorrow.check(0);
}

/// What was spent of the new day without the store counts once it is back, and no stream
/// of the day before does.
#[test]
fn a_day_that_ends_while_the_store_is_away_is_spent_once() {
    let evening = Evening::new();
    let Some(store) = evening.start_store() else {
        return;
    };
    let load = Load::start();
    let gateways = [0, 0, 0].map(|ahead| evening.start(&load, &store, ahead));
    await_store(&gateways, true);
    let all: Vec<&Gateway> = gateways.iter().collect();
    let today = Storm::new(&load, DOLLAR, &all);
    today.run(CALLERS, || {});
    today.check(0);
    store.suspend();
    await_store(&gateways, false);
    let billed_today = load.billed();
    await_next_day(&gateways);
    let tomorrow = Storm::new(&load, billed_today + DOLLAR, &all);
    tomorrow.run(CALLERS, || {
        // A twentieth of what is free, divided by the replicas that each had heard of: within
        // a second of its start, the first one of itself, the second one of two.
        wait::until("requests to be refused without the store", || {
            let unavailable = tomorrow.unavailable.load(Ordering::SeqCst);
            (unavailable > 2 * CALLERS).then_some(())
        });
        let billed = load.billed() - billed_today;
        assert!(billed <= 11 * DOLLAR / 120, "{billed}");
        store.resume();
        await_store(&gateways, true);
    });
    tomorrow.check(0);
}
