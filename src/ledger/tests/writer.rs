use std::sync::Arc;
use std::sync::mpsc::channel;

use super::*;
use crate::app::test_support::CapturedLog;
use crate::config::LedgerConfig;
use crate::ledger::file_lock::FileLock;
use crate::ledger::query::LedgerReader;
use crate::ledger::writer::Writer;
use crate::ledger::{Ledger, UsageTable, UsageTables};
use crate::telemetry::metric::Registry;

/// A writer without its thread, and the table of a worker.
struct Bench {
    folder: tempfile::TempDir,
    registry: Registry,
    writer: Writer,
    table: Arc<UsageTable>,
}

impl Bench {
    /// The database is in a folder that does not exist yet.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new();
        let path = folder.path().join("state/usage.db");
        let ledger = Ledger {
            path: path.clone(),
            tables: UsageTables::default(),
            stored: Arc::default(),
            limits: Arc::default(),
            commands: channel().0,
        };
        let config = LedgerConfig {
            path,
            retention_days: 10,
        };
        Self {
            writer: Writer::new(&ledger, &config, false, &registry),
            table: ledger.tables.add_table(),
            registry,
            folder,
        }
    }

    fn with_folder() -> Self {
        let mut bench = Self::new();
        std::fs::create_dir(bench.state()).unwrap();
        bench.writer.open_first();
        bench
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// Requests in the database.
    fn requests(&self) -> u128 {
        let reader = LedgerReader::open(&self.state().join("usage.db")).unwrap();
        let records = reader.usage(&(i64::MIN..i64::MAX), &[]).unwrap();
        records.iter().map(|record| record.sums[0]).sum()
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.registry.render();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap()
            .split_whitespace()
            .next_back()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// A row that is not old.
    fn add(&self, key: &str, count: u64) {
        let hour = crate::ledger::current_hour();
        self.table
            .add(&UsageRow { hour, ..row(key) }, &requests(count));
    }
}

#[test]
fn each_request_is_written_once() {
    let mut bench = Bench::with_folder();
    bench.add("a", 2);
    bench.writer.tick();
    bench.writer.tick();
    bench.add("a", 1);
    bench.writer.tick();
    assert_eq!(bench.requests(), 3);
    assert_eq!(bench.metric("trunkline_ledger_up"), 1);
    assert_eq!(bench.metric("trunkline_ledger_errors_total"), 0);
}

#[test]
fn a_ledger_that_cannot_be_written_is_reported_once_and_loses_nothing() {
    let (log, _guard) = CapturedLog::capture();
    let mut bench = Bench::new();
    bench.writer.open_first();
    for _ in 0..3 {
        bench.add("a", 1);
        bench.writer.tick();
    }
    assert_eq!(bench.metric("trunkline_ledger_up"), 0);
    assert_eq!(bench.metric("trunkline_ledger_errors_total"), 4);
    assert_eq!(bench.metric("trunkline_ledger_in_use"), 0);
    let lines = log.lines("the ledger cannot be written");
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains("does not exist; create it"),
        "{}",
        lines[0]
    );
    std::fs::create_dir(bench.state()).unwrap();
    bench.writer.tick();
    bench.writer.tick();
    assert_eq!(bench.requests(), 3);
    assert_eq!(bench.metric("trunkline_ledger_up"), 1);
    assert_eq!(log.lines("the ledger is written again").len(), 1);
    assert_eq!(log.lines("ERROR").len(), 0);
}

#[test]
fn a_database_that_another_process_has_is_no_other_failure() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.state()).unwrap();
    let lock = FileLock::take(&bench.state().join("usage.db")).unwrap();
    bench.writer.open_first();
    assert_eq!(bench.metric("trunkline_ledger_up"), 0);
    assert_eq!(bench.metric("trunkline_ledger_in_use"), 1);
    drop(lock);
    bench.writer.tick();
    assert_eq!(bench.metric("trunkline_ledger_up"), 1);
    assert_eq!(bench.metric("trunkline_ledger_in_use"), 0);
    let never = bench.metric("trunkline_ledger_last_set_aside_timestamp_seconds");
    assert_eq!(never, 0);
}

#[test]
fn a_file_that_vanishes_is_begun_anew() {
    let (log, _guard) = CapturedLog::capture();
    let mut bench = Bench::with_folder();
    bench.add("a", 1);
    bench.writer.tick();
    std::fs::remove_dir_all(bench.state()).unwrap();
    bench.add("a", 2);
    bench.writer.tick();
    bench.writer.tick();
    assert_eq!(bench.metric("trunkline_ledger_up"), 0);
    std::fs::create_dir(bench.state()).unwrap();
    bench.writer.tick();
    assert_eq!(bench.requests(), 2);
    assert_eq!(bench.metric("trunkline_ledger_up"), 1);
    assert_eq!(log.lines("was deleted or replaced").len(), 1);
    assert_eq!(log.lines("the ledger cannot be written").len(), 1);
    assert_eq!(log.lines("the ledger is written again").len(), 1);
}

/// Of a subject that had no request since the process began.
#[test]
fn a_window_that_is_not_used_is_in_the_next_file_too() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.state()).unwrap();
    let path = bench.state().join("usage.db");
    let mut kept = window("key a", 100, 20);
    kept.id.period = Period::Total;
    kept.end = i64::MAX;
    write(&mut open(&path).unwrap().database, &[], &[kept.clone()]);
    bench.writer.open_first();
    bench.writer.tick();
    std::fs::remove_dir_all(bench.state()).unwrap();
    std::fs::create_dir(bench.state()).unwrap();
    bench.writer.tick();
    let reader = LedgerReader::open(&path).unwrap();
    assert_eq!(reader.open_windows(now()).unwrap(), [kept]);
}

/// As a backup that is put back while the gateway runs.
#[test]
fn a_file_that_is_replaced_is_not_mixed_with_the_log_of_the_one_before() {
    let (log, _guard) = CapturedLog::capture();
    let mut bench = Bench::with_folder();
    let path = bench.state().join("usage.db");
    bench.add("a", 1);
    bench.writer.tick();
    let copy = bench.folder.path().join("copy.db");
    let sql = format!("VACUUM INTO '{}'", copy.display());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&sql).unwrap();
    drop(connection);
    for number in 0..200 {
        bench.add(&format!("key-{number}"), 1);
    }
    bench.writer.tick();
    std::fs::rename(&copy, &path).unwrap();
    bench.add("a", 2);
    bench.writer.tick();
    assert_eq!(bench.requests(), 3);
    assert_eq!(log.lines("was deleted or replaced").len(), 1);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let check = connection.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0));
    assert_eq!(check.unwrap(), "ok");
}

#[test]
fn damage_at_run_time_is_set_aside_and_the_pending_rows_are_written() {
    let (log, _guard) = CapturedLog::capture();
    let mut bench = Bench::with_folder();
    bench.add("a", 1);
    bench.writer.tick();
    bench.writer.damage();
    bench.add("a", 2);
    bench.writer.tick();
    bench.writer.tick();
    assert_eq!(bench.requests(), 2);
    assert_eq!(bench.metric("trunkline_ledger_up"), 1);
    assert!(bench.metric("trunkline_ledger_last_set_aside_timestamp_seconds") > 1_700_000_000);
    assert_eq!(
        log.lines("the ledger was damaged and is set aside").len(),
        1
    );
    let files = std::fs::read_dir(bench.state()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains(".damaged-")).count(), 1);
}

#[test]
fn what_waits_to_be_written_is_bounded_and_the_rest_is_counted() {
    let mut bench = Bench::new();
    let second = bench.writer.add_table();
    let models: Vec<String> = (0..60_000).map(|number| number.to_string()).collect();
    let hour = crate::ledger::current_hour();
    for (key, table) in [("a", &bench.table), ("b", &second)] {
        for model in &models {
            table.add(
                &UsageRow {
                    hour,
                    model,
                    ..row(key)
                },
                &requests(1),
            );
        }
    }
    bench.writer.tick();
    assert_eq!(bench.metric("trunkline_ledger_requests_lost_total"), 20_000);
    std::fs::create_dir(bench.state()).unwrap();
    bench.writer.tick();
    assert_eq!(bench.requests(), 100_000);
}

#[test]
fn old_totals_are_dropped_while_it_runs() {
    let mut bench = Bench::with_folder();
    let hour = crate::ledger::current_hour();
    for days in [0, 9, 11, 12] {
        let hour = hour - days * 24 * 3600;
        bench
            .table
            .add(&UsageRow { hour, ..row("a") }, &requests(1));
    }
    // One hour is dropped at a time.
    for _ in 0..4 {
        bench.writer.tick();
    }
    assert_eq!(bench.requests(), 2);
}
