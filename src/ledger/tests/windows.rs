//! Windows with and without a store.

use rusqlite::Connection;

use super::*;
use crate::ledger::query::LedgerReader;

/// What each process has used of a window, where a store counts over all of them; and a
/// change from one way of counting to the other.
#[test]
fn windows_of_replicas_are_kept_apart_and_summed_without_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let shared = || Database::open(&path, now(), true).unwrap();
    let window = |used, reserved| window("key a", used, reserved);
    // Without a store so far.
    write(&mut open(&path).unwrap().database, &[], &[window(5, 1)]);
    let opened = shared();
    let [earlier] = &*opened.windows.of_replicas else {
        panic!("{:?}", opened.windows);
    };
    assert_eq!(earlier.window, window(5, 1));
    assert_eq!((earlier.replica.len(), &*opened.windows.own), (16, &[][..]));
    let mut database = opened.database;
    for (ids, used) in [(&["one"][..], 7), (&["one", "two"], 8)] {
        let ids: Vec<Box<str>> = ids.iter().map(|it| Box::from(*it)).collect();
        let owner = WindowOwner::Replica(&ids);
        database
            .write([].into_iter(), owner, [window(used, 2)].iter())
            .unwrap();
    }
    drop(database);
    let mut kept: Vec<_> = shared().windows.of_replicas;
    kept.retain(|it| it.replica != earlier.replica);
    // The second one is the same process, with all that it has used.
    let used: Vec<_> = kept
        .iter()
        .map(|it| (&*it.replica, it.window.used))
        .collect();
    assert_eq!(used, [("two", 8)]);
    let reader = LedgerReader::open(&path).unwrap();
    assert_eq!(reader.open_windows(now()).unwrap(), [window(13, 3)]);
    drop(reader);
    for _ in 0..2 {
        assert_eq!(open(&path).unwrap().windows.own, [window(13, 3)]);
        assert_eq!(open(&path).unwrap().windows.of_replicas, []);
    }
}

/// A file of the version before has no such table.
#[test]
fn a_file_of_an_older_version_gets_the_table_and_keeps_its_windows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    write(
        &mut open(&path).unwrap().database,
        &[],
        &[window("key a", 5, 1)],
    );
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("DROP TABLE replica_window")
        .unwrap();
    let reader = LedgerReader::open(&path).unwrap();
    assert_eq!(reader.open_windows(now()).unwrap(), [window("key a", 5, 1)]);
    drop((reader, connection));
    assert_eq!(open(&path).unwrap().windows.own, [window("key a", 5, 1)]);
    let shared = Database::open(&path, now(), true).unwrap();
    assert_eq!(shared.windows.of_replicas.len(), 1);
}
