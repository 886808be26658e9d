//! What survives the end of a process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::State;
use crate::limits::proof_load::{
    Called, DOLLAR, Ending, Load, Script, call, read_first_event, time_zone_by_day, used,
};
use crate::support::gateway::{Gateway, Setup};
use crate::support::wait;

fn budget(amount: &str) -> String {
    let zone = time_zone_by_day();
    format!("[limits.daily]\nper = [\"key\"]\nbudget = [\"{amount}\"]\ntime_zone = \"{zone}\"")
}

fn start(state: &State, load: &Load, limits: &str) -> Gateway {
    state.record(load.setup().section(limits)).start()
}

fn spent(gateway: &Gateway) -> u64 {
    used(gateway, "daily", "budget")
}

/// Sends a request and reads all of the response; returns what it costs.
#[track_caller]
fn spend(gateway: &Gateway, output: u32) -> u64 {
    let script = Script::new(20, output, Ending::Json);
    let mut client = gateway.client();
    let Called::Passed(head) = call(&mut client, &script.request(None)) else {
        panic!("refused");
    };
    assert_eq!(head.status, 200);
    assert!(client.read_body().1);
    script.cost()
}

#[track_caller]
fn kill(mut gateway: Gateway) {
    gateway.signal("KILL");
    gateway.wait_for_exit();
}

#[test]
fn a_kill_keeps_what_was_written_and_charges_what_was_reserved() {
    let (state, load) = (State::new(), Load::start());
    let gateway = start(&state, &load, &budget("1/day"));
    let cost = spend(&gateway, 1000) + spend(&gateway, 3000);
    gateway.wait_until_idle();
    assert_eq!(spent(&gateway), cost);
    // A stream that runs at the time of the kill, which the provider bills.
    let mut client = gateway.client();
    let script = Script {
        wave: 1,
        ..Script::new(20, 50, Ending::Usage)
    };
    let Called::Passed(_) = call(&mut client, &script.request(None)) else {
        panic!("refused");
    };
    read_first_event(&mut client);
    let with_reserved = spent(&gateway);
    assert!(with_reserved > cost);
    let sql = "SELECT used + reserved FROM limit_window WHERE reserved > 0";
    state.wait_for(sql, &i64::try_from(with_reserved).unwrap());
    kill(gateway);
    load.release(1);

    let gateway = start(&state, &load, &budget("1/day"));
    // Before any request.
    assert_eq!(spent(&gateway), with_reserved);
    let more = spend(&gateway, 100);
    gateway.wait_until_idle();
    assert_eq!(spent(&gateway), with_reserved + more);
    gateway.finish_without_errors();
}

#[test]
fn a_spent_budget_stays_spent_over_a_restart() {
    let (state, load) = (State::new(), Load::start());
    let gateway = start(&state, &load, &budget("0.01/day"));
    spend(&gateway, 20_000);
    gateway.wait_until_idle();
    gateway.finish_without_errors();
    let gateway = start(&state, &load, &budget("0.01/day"));
    let request = Script::new(20, 10, Ending::Json).request(None);
    let Called::Refused(body) = call(&mut gateway.client(), &request) else {
        panic!("a spent budget was forgotten");
    };
    assert_eq!(body["error"]["code"], "insufficient_quota");
}

/// Eight clients that never pause, and three kills among their requests.
#[test]
fn a_storm_with_kills_spends_no_more_than_the_budget() {
    const CLIENTS: u64 = 8;
    const ROUNDS: usize = 3;
    let (state, load) = (State::new(), Load::start());
    let limits = budget("1000/day");
    let billed = AtomicU64::new(0);
    let mut before = 0;
    for round in 0..ROUNDS {
        let gateway = start(&state, &load, &limits);
        let restored = spent(&gateway);
        assert!(restored >= before, "round {round}: {restored} < {before}");
        let is_killed = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| storm(&gateway, &is_killed, &billed));
            }
            wait::until("some requests", || {
                (billed.load(Ordering::SeqCst) > before + DOLLAR).then_some(())
            });
            // What is used by now gets into the database soon.
            let used = i64::try_from(spent(&gateway)).unwrap();
            let sql = format!("SELECT used + reserved >= {used} FROM limit_window");
            state.wait_for(&sql, &true);
            before = used.unsigned_abs();
            is_killed.store(true, Ordering::SeqCst);
            gateway.signal("KILL");
        });
        drop(gateway);
    }
    let gateway = start(&state, &load, &limits);
    let (spent, billed) = (spent(&gateway), billed.load(Ordering::SeqCst));
    assert!(spent >= before, "{spent} < {before}");
    // Each kill adds at most what was reserved for the requests that it ended.
    let reserved = 2 * CLIENTS * ROUNDS as u64 * Script::new(20, 4000, Ending::Json).cost();
    assert!(
        spent <= billed + reserved,
        "{spent} > {billed} + {reserved}"
    );
}

/// Counts what the upstream bills for each request, before it is sent.
fn storm(gateway: &Gateway, is_killed: &AtomicBool, billed: &AtomicU64) {
    let script = Script::new(20, 2000, Ending::Json);
    while !is_killed.load(Ordering::SeqCst) {
        let mut client = gateway.client();
        client.send(&script.request(None).bytes());
        let Some(head) = client.try_head() else { break };
        if head.status == 200 {
            billed.fetch_add(script.cost(), Ordering::SeqCst);
        }
    }
}

#[test]
fn an_ordinary_end_loses_nothing() {
    let (state, load) = (State::new(), Load::start());
    let gateway = start(&state, &load, &budget("1/day"));
    let mut cost = 0;
    for output in 1..=20 {
        cost += spend(&gateway, output);
    }
    // This one ends while the gateway drains.
    let script = Script {
        wave: 1,
        ..Script::new(20, 500, Ending::Usage)
    };
    let mut client = gateway.client();
    let Called::Passed(_) = call(&mut client, &script.request(None)) else {
        panic!("refused");
    };
    read_first_event(&mut client);
    gateway.signal("TERM");
    gateway.await_log("INFO", &["draining"], 1);
    load.release(1);
    assert!(client.read_body().1);
    let mut gateway = gateway;
    assert!(gateway.wait_for_exit().success());
    // One file has it all.
    assert!(state.files("-wal").is_empty());
    state.wait_for_requests(21);
    let cost = cost + script.cost();
    let spent_sql = "SELECT sum(cost_picodollars) FROM usage";
    state.wait_for(spent_sql, &i64::try_from(cost).unwrap());
    assert_eq!(spent(&start(&state, &load, &budget("1/day"))), cost);
}

#[test]
fn a_rule_that_is_removed_and_put_back_goes_on() {
    let (state, load) = (State::new(), Load::start());
    let gateway = start(&state, &load, &budget("1/day"));
    let cost = spend(&gateway, 1000);
    gateway.wait_until_idle();
    state.wait_for(
        "SELECT used FROM limit_window WHERE reserved = 0",
        &i64::try_from(cost).unwrap(),
    );
    let limits = budget("1/day");
    gateway.reload(|text| text.replace(&limits, ""));
    spend(&gateway, 7000);
    gateway.reload(|text| format!("{text}\n{limits}\n"));
    assert_eq!(spent(&gateway), cost);
    spend(&gateway, 10);
    gateway.finish_without_errors();
}

/// As during an update in which the next process listens before the last one ends.
#[test]
fn a_process_that_takes_over_counts_what_the_last_one_uses() {
    let (state, load) = (State::new(), Load::start());
    let first = start(&state, &load, &budget("1/day"));
    let mut cost = spend(&first, 1000);
    let second = start(&state, &load, &budget("1/day"));
    let in_use = [
        "the ledger cannot be written",
        "another process has it open",
    ];
    second.await_log("WARN", &in_use, 1);
    let await_spent = |cost: u64| {
        wait::until("what both have used", || {
            (spent(&second) == cost).then_some(())
        });
    };
    await_spent(cost);
    cost += spend(&second, 300);
    cost += spend(&first, 200);
    await_spent(cost);
    first.finish_without_errors();
    second.await_log("INFO", &["the ledger is written again"], 1);
    second.await_metric("trunkline_ledger_up", &[], 1.0);
    state.wait_for_requests(3);
    assert_eq!(spent(&second), cost);
    cost += spend(&second, 10);
    second.finish_without_errors();
    assert_eq!(spent(&start(&state, &load, &budget("1/day"))), cost);
}

#[test]
fn another_path_takes_effect_at_a_restart_and_says_so() {
    let (state, load) = (State::new(), Load::start());
    let gateway = start(&state, &load, &budget("1/day"));
    gateway.reload(|text| text.replace("usage.db", "other.db"));
    gateway.await_log("WARN", &["take effect at a restart", "ledger.path"], 1);
    spend(&gateway, 10);
    state.wait_for_requests(1);
    assert!(state.files("other").is_empty());
}

#[test]
fn totals_are_kept_for_as_long_as_configured() {
    let (state, load) = (State::new(), Load::start());
    let setup = || load.setup();
    let gateway = state.record(setup()).start();
    spend(&gateway, 10);
    gateway.finish_without_errors();
    let connection = rusqlite::Connection::open(state.database()).unwrap();
    let aged = connection.execute("UPDATE usage SET hour = hour - 20 * 24 * 3600", ());
    assert_eq!(aged.unwrap(), 1);
    drop(connection);
    let retention = |days: &str| -> Setup {
        setup().section(&format!(
            "[ledger]\npath = \"{}\"\nretention_days = {days}",
            state.database().display()
        ))
    };
    let gateway = retention("21").start();
    spend(&gateway, 10);
    state.wait_for_requests(2);
    // A reload applies it.
    gateway.reload(|text| text.replace("retention_days = 21", "retention_days = 19"));
    state.wait_for_requests(1);
    gateway.finish_without_errors();
}
