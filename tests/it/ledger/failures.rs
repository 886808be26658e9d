//! A ledger that cannot be used never stops or slows the gateway.

use rusqlite::Connection;

use super::{State, record, send_ok};
use crate::limits::proof_load::{Ending, Load, Script};
use crate::support::gateway::{Gateway, run};

const CANNOT: &str = "the ledger cannot be written";
const AGAIN: &str = "the ledger is written again";

#[track_caller]
fn assert_serves(gateway: &Gateway) {
    send_ok(gateway, &Script::new(20, 10, Ending::Json).request(None));
}

/// Ends the gateway; returns how many lines say the one and the other.
fn lines(gateway: Gateway) -> (usize, usize) {
    let output = gateway.finish();
    let count = |text: &str| output.lines().filter(|line| line.contains(text)).count();
    (count(CANNOT), count(AGAIN))
}

#[test]
fn a_missing_folder_is_reported_once_and_nothing_is_lost_when_it_appears() {
    let (state, load) = (State::new(), Load::start());
    let folder = state.0.path().join("later");
    let gateway = record(load.setup(), &folder.join("usage.db")).start();
    gateway.await_log("WARN", &[CANNOT, "does not exist; create it"], 1);
    for _ in 0..3 {
        assert_serves(&gateway);
    }
    gateway.await_metric("trunkline_ledger_up", &[], 0.0);
    std::fs::create_dir(&folder).unwrap();
    gateway.await_metric("trunkline_ledger_up", &[], 1.0);
    assert_eq!(lines(gateway), (1, 1));
    let connection = Connection::open(folder.join("usage.db")).unwrap();
    let sql = "SELECT sum(requests) FROM usage";
    let requests: i64 = connection.query_row(sql, (), |row| row.get(0)).unwrap();
    assert_eq!(requests, 3);
}

/// A limit of the size of files stands for a full disk.
#[test]
fn a_full_disk_is_reported_once() {
    let (state, load) = (State::new(), Load::start());
    let full = "trap '' XFSZ && ulimit -f 8";
    let gateway = state.record(load.setup().shell(full)).start();
    gateway.await_log("WARN", &[CANNOT], 1);
    for _ in 0..3 {
        assert_serves(&gateway);
    }
    gateway.await_metric("trunkline_ledger_up", &[], 0.0);
    assert_eq!(lines(gateway), (1, 0));
    // With room again.
    let gateway = state.record(load.setup()).start();
    assert_serves(&gateway);
    state.wait_for_requests(1);
    gateway.finish_without_errors();
}

#[test]
fn a_damaged_database_is_set_aside_and_named() {
    let (state, load) = (State::new(), Load::start());
    state.record(load.setup()).start().finish_without_errors();
    let mut damaged = std::fs::read(state.database()).unwrap();
    damaged[..16].fill(0xff);
    std::fs::write(state.database(), &damaged).unwrap();
    let gateway = state.record(load.setup()).start();
    let said = [
        "the ledger was damaged and is set aside",
        "usage.db.damaged-",
    ];
    gateway.await_log("WARN", &said, 1);
    gateway.await_metric("trunkline_ledger_up", &[], 1.0);
    assert_serves(&gateway);
    state.wait_for_requests(1);
    let [kept] = &*state.files(".damaged-") else {
        panic!("{:?}", state.files(""));
    };
    assert_eq!(std::fs::read(kept).unwrap(), damaged);
    assert_eq!(lines(gateway), (0, 0));
}

#[test]
fn a_file_that_is_deleted_is_begun_anew() {
    let (state, load) = (State::new(), Load::start());
    let zone = crate::limits::proof_load::time_zone_by_day();
    let limits =
        format!("[limits.daily]\nper = [\"key\"]\nbudget = [\"1/day\"]\ntime_zone = \"{zone}\"");
    let gateway = state.record(load.setup().section(&limits)).start();
    assert_serves(&gateway);
    state.wait_for_requests(1);
    let window = "SELECT used FROM limit_window WHERE reserved = 0";
    let cost = i64::try_from(Script::new(20, 10, Ending::Json).cost()).unwrap();
    state.wait_for(window, &cost);
    for file in state.files("usage.db") {
        std::fs::remove_file(file).unwrap();
    }
    gateway.await_log("WARN", &["was deleted or replaced"], 1);
    // The windows are whole; totals begin anew.
    state.wait_for(window, &cost);
    state.wait_for_requests(0);
    assert_serves(&gateway);
    state.wait_for_requests(1);
    assert_eq!(lines(gateway), (0, 0));
}

#[test]
fn the_format_of_a_newer_version_is_refused_and_not_touched() {
    let (state, load) = (State::new(), Load::start());
    let gateway = state.record(load.setup()).start();
    assert_serves(&gateway);
    gateway.finish_without_errors();
    let connection = Connection::open(state.database()).unwrap();
    connection.execute_batch("PRAGMA user_version = 7").unwrap();
    drop(connection);
    let before = std::fs::read(state.database()).unwrap();
    let gateway = state.record(load.setup()).start();
    gateway.await_log(
        "WARN",
        &[CANNOT, "a newer version of Trunkline wrote it"],
        1,
    );
    assert_serves(&gateway);
    assert_eq!(lines(gateway), (1, 0));
    assert_eq!(std::fs::read(state.database()).unwrap(), before);
}

/// A path with a typing error may name anything.
#[test]
fn a_file_of_another_program_is_not_touched() {
    let (state, load) = (State::new(), Load::start());
    let refuses = || {
        let before = std::fs::read(state.database()).unwrap();
        let gateway = state.record(load.setup()).start();
        gateway.await_log("WARN", &[CANNOT, "is not a ledger of Trunkline"], 1);
        assert_serves(&gateway);
        assert_eq!(lines(gateway), (1, 0));
        assert_eq!(std::fs::read(state.database()).unwrap(), before);
    };
    let connection = Connection::open(state.database()).unwrap();
    connection
        .execute_batch("CREATE TABLE notes (text)")
        .unwrap();
    drop(connection);
    refuses();
    std::fs::write(state.database(), "a text\n".repeat(1000)).unwrap();
    refuses();
}

/// As a write transaction that is left open in a shell of SQLite.
#[test]
fn a_lock_of_another_program_is_waited_for_without_a_request() {
    let (state, load) = (State::new(), Load::start());
    let gateway = state.record(load.setup()).start();
    let connection = Connection::open(state.database()).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_serves(&gateway);
    gateway.await_log("WARN", &[CANNOT, "locked"], 1);
    assert_serves(&gateway);
    connection.execute_batch("ROLLBACK").unwrap();
    state.wait_for_requests(2);
    gateway.await_metric("trunkline_ledger_up", &[], 1.0);
    assert_eq!(lines(gateway), (1, 1));
}

#[test]
fn check_says_what_the_ledger_means_for_limits_and_creates_nothing() {
    let (state, load) = (State::new(), Load::start());
    let limits = "[limits.daily]\nper = [\"key\"]\nbudget = [\"1/day\"]";
    let check = |setup| {
        let (status, stdout, stderr) = run(&setup, &["check"]);
        assert!(status.success(), "{stderr}");
        stdout
    };
    let without = check(load.setup().section(limits));
    assert!(
        without.contains("No ledger: a restart forgets"),
        "{without}"
    );
    assert!(!check(load.setup()).contains("edger"));

    let with = || state.record(load.setup().section(limits));
    let absent = check(with());
    assert!(
        absent.contains("kept for 400 days; it is created"),
        "{absent}"
    );
    assert!(state.files("").is_empty());
    let gateway = with().start();
    gateway.await_metric("trunkline_ledger_up", &[], 1.0);
    let in_use = check(with());
    assert!(in_use.contains("a process writes it now"), "{in_use}");
    gateway.finish_without_errors();
    let ready = check(with());
    assert!(ready.contains("usage.db, kept for 400 days\n"), "{ready}");

    let mut bytes = std::fs::read(state.database()).unwrap();
    bytes[..16].fill(0xff);
    std::fs::write(state.database(), &bytes).unwrap();
    let damaged = check(with());
    assert!(damaged.contains("warning: the ledger"), "{damaged}");
    assert!(damaged.contains("start anew"), "{damaged}");
    assert_eq!(std::fs::read(state.database()).unwrap(), bytes);
    let missing = state.0.path().join("none/usage.db");
    let missing = check(record(load.setup().section(limits), &missing));
    assert!(missing.contains("starts without it"), "{missing}");
    assert!(state.files("none").is_empty());
}
