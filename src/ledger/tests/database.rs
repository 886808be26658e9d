use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;

use super::*;
use crate::ledger::database::OpenWindows;
use crate::ledger::query::{LedgerReader, UsageColumn};
use crate::ledger::{LedgerFile, probe};

const DAY: i64 = 24 * 3600;

fn read(path: &Path, columns: &[UsageColumn]) -> Vec<(Vec<String>, [u128; 9])> {
    let reader = LedgerReader::open(path).unwrap();
    let records = reader.usage(&(i64::MIN..i64::MAX), columns).unwrap();
    let records = records.into_iter();
    records.map(|record| (record.names, record.sums)).collect()
}

/// Requests by key.
fn requests_by_key(path: &Path) -> Vec<(String, u128)> {
    let records = read(path, &[UsageColumn::Key]).into_iter();
    records
        .map(|(mut names, sums)| (names.remove(0), sums[0]))
        .collect()
}

#[test]
fn totals_add_up_and_windows_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut database = open(&path).unwrap().database;
    write(
        &mut database,
        &[(row("a"), requests(2)), (row("b"), requests(1))],
        &[window("key a", 100, 20)],
    );
    write(
        &mut database,
        &[(row("a"), requests(3))],
        &[window("key a", 130, 0)],
    );
    // While it is being written.
    assert_eq!(
        read(&path, &[UsageColumn::Key]),
        [
            (vec!["a".to_owned()], [5, 50, 0, 0, 0, 0, 5000, 0, 0]),
            (vec!["b".to_owned()], [1, 10, 0, 0, 0, 0, 1000, 0, 0]),
        ]
    );
    assert_eq!(
        read(&path, &[]),
        [(vec![], [6, 60, 0, 0, 0, 0, 6000, 0, 0])]
    );
    drop(database);
    let opened = open(&path).unwrap();
    assert_eq!(opened.windows.own, [window("key a", 130, 0)]);
    assert!(opened.damaged.is_none());
}

#[test]
fn every_part_of_a_window_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut first = window("", 7, 8);
    first.id.model = Some("m".into());
    first.id.user = Some("someone@example.com".into());
    first.id.provider = Some("up".into());
    first.id.of = LimitUnit::OutputTokens;
    first.id.period = Period::Total;
    first.id.zone = "Europe/Berlin".into();
    first.id.month_starts_on = 15;
    first.id.start = i64::MIN;
    first.end = i64::MAX;
    let mut ended = window("key a", 1, 0);
    ended.end = HOUR;
    write(
        &mut open(&path).unwrap().database,
        &[],
        &[first.clone(), ended],
    );
    assert_eq!(open(&path).unwrap().windows.own, [first]);
}

#[test]
fn absurd_counts_saturate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut database = open(&path).unwrap().database;
    let absurd = UsageTotals {
        input_tokens: u64::MAX,
        cost: i64::MAX.unsigned_abs() - 1,
        ..requests(1)
    };
    for _ in 0..3 {
        write(
            &mut database,
            &[(row("a"), absurd), (row("b"), absurd)],
            &[],
        );
    }
    let max = u128::from(i64::MAX.unsigned_abs());
    // Their sum has more than 63 bits.
    let [(_, sums)] = &*read(&path, &[]) else {
        panic!()
    };
    assert_eq!(*sums, [6, 2 * max, 0, 0, 0, 0, 2 * max, 0, 0]);
}

#[test]
fn another_process_cannot_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let first = open(&path).unwrap();
    assert!(matches!(open(&path), Err(LedgerError::InUse)));
    assert!(matches!(probe(&path), LedgerFile::InUse));
    drop(first);
    assert!(matches!(probe(&path), LedgerFile::Ready));
    open(&path).unwrap();
}

#[test]
fn a_damaged_database_is_set_aside_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut damaged = {
        let _ledger = open(&path).unwrap();
        std::fs::read(&path).unwrap()
    };
    damaged[..16].fill(0xff);
    std::fs::write(&path, &damaged).unwrap();
    assert!(matches!(probe(&path), LedgerFile::Damaged(_)));
    let opened = open(&path).unwrap();
    let (error, moved_to) = opened.damaged.unwrap();
    assert!(matches!(error, LedgerError::Damaged(_)));
    assert_eq!(
        moved_to,
        folder.path().join("usage.db.damaged-20261130T170100Z")
    );
    assert_eq!(std::fs::read(moved_to).unwrap(), damaged);
    assert_eq!(opened.windows, OpenWindows::default());
}

#[test]
fn damage_among_the_windows_is_found_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    write(
        &mut open(&path).unwrap().database,
        &[],
        &[window("key a", 1, 0)],
    );
    let page: u32 = {
        let connection = Connection::open(&path).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'limit_window'";
        connection.query_row(sql, (), |row| row.get(0)).unwrap()
    };
    let mut bytes = std::fs::read(&path).unwrap();
    let page = page as usize;
    bytes[(page - 1) * 4096..page * 4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let opened = open(&path).unwrap();
    assert!(matches!(opened.damaged, Some((LedgerError::Damaged(_), _))));
    assert_eq!(opened.windows, OpenWindows::default());
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE TABLE notes (text)")
        .unwrap();
    drop(connection);
    assert_foreign(&path);
}

/// Nothing takes the file for a ledger, and it stays as it is.
fn assert_foreign(path: &Path) {
    let before = std::fs::read(path).unwrap();
    assert!(matches!(open(path), Err(LedgerError::Foreign)));
    assert!(matches!(
        LedgerReader::open(path),
        Err(LedgerError::Foreign)
    ));
    assert!(matches!(
        probe(path),
        LedgerFile::Unusable(LedgerError::Foreign)
    ));
    assert_eq!(std::fs::read(path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for content in [
        "short",
        "SQLite format 3\0",
        &"a text of some length ".repeat(500),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_foreign(&path);
    }
}

#[test]
fn the_format_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut database = open(&path).unwrap().database;
    write(&mut database, &[(row("a"), requests(1))], &[]);
    database
        .connection()
        .execute_batch("PRAGMA user_version = 2")
        .unwrap();
    drop(database);
    let before = std::fs::read(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, LedgerError::Newer(2)));
    let text = error.to_string();
    assert!(
        text.contains("a newer version of Trunkline wrote it"),
        "{text}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_full_disk_changes_nothing_and_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut database = open(&path).unwrap().database;
    write(
        &mut database,
        &[(row("a"), requests(1))],
        &[window("key a", 1, 0)],
    );
    let set_pages = |database: &Database, pages: &str| {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        let set = database
            .connection()
            .query_row(&pragma, (), |row| row.get::<_, i64>(0));
        set.unwrap();
    };
    // No page more than there are.
    set_pages(&database, "1");
    let keys: Vec<String> = (0..1000).map(|number| format!("key-{number}")).collect();
    let usage: Vec<_> = keys.iter().map(|key| row(key).owned()).collect();
    let one = requests(1);
    let many = || usage.iter().map(|row| (row, &one));
    let error = database
        .write(many(), WindowOwner::Process, [].iter())
        .unwrap_err();
    assert!(matches!(error, LedgerError::Database(_)), "{error}");
    assert_eq!(requests_by_key(&path), [("a".to_owned(), 1)]);
    set_pages(&database, "100000");
    database
        .write(many(), WindowOwner::Process, [].iter())
        .unwrap();
    assert_eq!(requests_by_key(&path).len(), 1001);
}

#[test]
fn old_hours_and_ended_windows_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut database = open(&path).unwrap().database;
    let at = |hour| UsageRow { hour, ..row("a") };
    let old = [
        at(HOUR - 400 * DAY),
        at(HOUR - 11 * DAY),
        at(HOUR - 10 * DAY),
        at(HOUR),
    ];
    write(
        &mut database,
        &old.map(|row| (row, requests(1))),
        &[window("key a", 1, 0)],
    );
    while database.prune(HOUR, 10).unwrap() {}
    assert_eq!(requests_by_key(&path), [("a".to_owned(), 2)]);
    let windows = |database: &Database| -> i64 {
        let sql = "SELECT count(*) FROM limit_window";
        database
            .connection()
            .query_row(sql, (), |row| row.get(0))
            .unwrap()
    };
    database.prune(HOUR + DAY, 10).unwrap();
    assert_eq!(windows(&database), 1);
    database.prune(HOUR + 2 * DAY, 10).unwrap();
    assert_eq!(windows(&database), 0);
}

#[test]
fn the_file_shrinks_when_old_hours_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let mut database = open(&path).unwrap().database;
    let keys: Vec<String> = (0..2000).map(|number| format!("key-{number}")).collect();
    let rows: Vec<_> = keys.iter().map(|key| (row(key), requests(1))).collect();
    write(&mut database, &rows, &[]);
    let pages = |database: &Database| -> i64 {
        let sql = "PRAGMA page_count";
        database
            .connection()
            .query_row(sql, (), |row| row.get(0))
            .unwrap()
    };
    let before = pages(&database);
    while database.prune(HOUR + 20 * DAY, 10).unwrap() {}
    let after = pages(&database);
    assert!(before > 30 && after < 10, "{before}, then {after} pages");
}

#[test]
fn a_deleted_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let database = open(&path).unwrap().database;
    assert!(database.is_at_its_path());
    std::fs::remove_file(&path).unwrap();
    assert!(!database.is_at_its_path());
    std::fs::write(&path, "").unwrap();
    assert!(!database.is_at_its_path());
}

#[test]
fn the_group_may_read_it_and_others_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let _open = open(&path).unwrap();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let file = folder.path().join(format!("usage.db{suffix}"));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{}", file.display());
    }
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/usage.db");
    let error = open(&path).unwrap_err().to_string();
    assert!(error.ends_with("none does not exist; create it"), "{error}");
    assert!(matches!(probe(&path), LedgerFile::Unusable(_)));
    assert!(!folder.path().join("none").exists());
    let absent = folder.path().join("usage.db");
    assert!(matches!(probe(&absent), LedgerFile::Absent));
    assert!(!absent.exists());
}
