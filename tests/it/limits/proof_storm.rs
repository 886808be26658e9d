//! Kills of the process in a storm of requests, with a ledger: what is spent and what is
//! left are the budget, up to what was in flight and what was not yet written.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rusqlite::{Connection, OpenFlags};

use super::proof_budget::{
    LEAST_SPENT, MAX_WAVES, OUTPUTS, STREAMS, Wave, a_dollar_a_day, run_wave,
};
use super::proof_load::{
    DOLLAR, Ending, KEY, Load, Script, amount, report, time_zone_by_day, used,
};
use crate::support::gateway::{Gateway, Setup};
use crate::support::random_json::Rng;
use crate::support::wait;

const REQUESTS: usize = 10_000;
const KILLS: usize = 4;
const CLIENTS: usize = 16;

fn with_ledger(setup: Setup, database: &Path) -> Gateway {
    setup
        .log("access = false")
        .section(&format!("[ledger]\npath = \"{}\"", database.display()))
        .start()
}

/// Sends requests until the gateway is killed, or `is_over`. `responses` counts them.
fn run_client(
    gateway: &Gateway,
    rng: &mut Rng,
    responses: &AtomicUsize,
    is_over: impl Fn() -> bool,
) {
    let mut client = gateway.client();
    while !is_over() {
        let output = 50 + u32::try_from(rng.below(200)).unwrap();
        let script = Script::new(20, output, Ending::Json);
        if client.try_send(&script.request(None).bytes()).is_err() {
            return;
        }
        let Some(head) = client.try_head() else {
            return;
        };
        assert_eq!(head.status, 200);
        client.read_body();
        responses.fetch_add(1, Ordering::SeqCst);
    }
}

/// At least a thousand requests, until there are enough.
fn send_the_rest(gateway: &Gateway, responses: &AtomicUsize) {
    let enough = REQUESTS.max(responses.load(Ordering::SeqCst) + 1_000);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let mut rng = Rng::new(client as u64);
            let is_over = move || responses.load(Ordering::SeqCst) >= enough;
            scope.spawn(move || run_client(gateway, &mut rng, responses, is_over));
        }
    });
}

/// What the database has of the budget, reserved amounts included.
fn written(database: &Path) -> Option<u64> {
    let connection =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let sql = "SELECT sum(used + reserved) FROM limit_window";
    let sum = connection.query_row(sql, (), |row| row.get::<_, i64>(0));
    sum.ok().map(i64::unsigned_abs)
}

#[test]
fn lg1_spent_and_left_are_the_budget_after_ten_thousand_requests_and_four_kills() {
    const BUDGET: u64 = 1_000 * DOLLAR;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("usage.db");
    let load = Load::start();
    let zone = time_zone_by_day();
    let limit = format!(
        "[limits.daily]\nper = [\"key\"]\nbudget = [\"1000/month\"]\ntime_zone = \"{zone}\""
    );
    let start = || with_ledger(load.setup().section(&limit), &database);
    let responses = AtomicUsize::new(0);
    // Of the last kill: what was written before it, and what was billed.
    let (mut stored, mut billed_before) = (0, 0);
    for kill in 1..=KILLS {
        let mut gateway = start();
        let restored = used(&gateway, "daily", "budget");
        assert!(restored >= stored, "{restored} of {stored}");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (gateway, responses, is_over) = (&gateway, &responses, &is_over);
                let mut rng = Rng::new((kill * CLIENTS + client) as u64);
                let is_over = || is_over.load(Ordering::SeqCst);
                scope.spawn(move || run_client(gateway, &mut rng, responses, is_over));
            }
            wait::until("some of the requests", || {
                let count = responses.load(Ordering::SeqCst);
                (count >= REQUESTS / (KILLS + 1) * kill).then_some(())
            });
            // All of this is written within a second.
            let mark = used(&gateway, "daily", "budget");
            stored = wait::until("the mark to be written", || {
                written(&database).filter(|written| *written >= mark)
            });
            gateway.signal("KILL");
            is_over.store(true, Ordering::SeqCst);
        });
        gateway.wait_for_exit();
        load.upstream.wait_for_closed(load.upstream.connections());
        billed_before = load.billed();
    }
    let gateway = start();
    send_the_rest(&gateway, &responses);
    gateway.wait_until_idle();
    let report = report(&gateway, KEY);
    let spent = amount(&report, "daily", "budget", "used");
    let left = amount(&report, "daily", "budget", "remaining");
    assert_eq!(spent + left, BUDGET, "{report}");
    let billed = load.billed();
    // A request that a kill ended stays counted by its estimate.
    let in_flight = (KILLS * CLIENTS) as u64 * Script::new(200, 1024, Ending::Json).cost();
    assert!(
        spent <= billed + in_flight,
        "{spent} of {billed} + {in_flight}"
    );
    // Nothing is lost but what was billed between the last write and the kill.
    let since = billed - billed_before;
    assert!(spent >= stored + since, "{spent} of {stored} + {since}");
    gateway.finish_without_errors();
}

/// Runs waves until one has no more; returns by how much the last one that passed used
/// more than it reserved.
fn run_waves(load: &Load, gateway: &Gateway, waves: std::ops::Range<usize>) -> u64 {
    let mut bound = 0;
    for wave in waves {
        let wave: Wave = run_wave(load, gateway, wave, &OUTPUTS);
        let excess = wave.check();
        if wave.passed.is_empty() {
            break;
        }
        bound = excess;
    }
    bound
}

#[test]
fn lg2_a_restart_in_the_middle_changes_nothing_of_a_dollar_for_two_hundred_streams() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("usage.db");
    let load = Load::start();
    let start = || with_ledger(load.setup().section(&a_dollar_a_day("")), &database);
    let gateway = start();
    run_waves(&load, &gateway, 1..3);
    let before = used(&gateway, "daily", "budget");
    assert!((DOLLAR / 4..DOLLAR).contains(&before), "{before}");
    gateway.finish_without_errors();
    let gateway = start();
    assert_eq!(used(&gateway, "daily", "budget"), before);
    let bound = run_waves(&load, &gateway, STREAMS..STREAMS + MAX_WAVES);
    let spent = used(&gateway, "daily", "budget");
    assert!(spent <= DOLLAR + bound, "{spent} with a bound of {bound}");
    assert!(spent >= LEAST_SPENT, "{spent}");
    gateway.finish_without_errors();
}
