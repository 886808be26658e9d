//! What one replica has taken of a counter, and what it may take.

use std::time::Duration;

use super::Store;

const COUNTER: &str = include_str!("../../../../src/store_sync/scripts/counter.lua");
const RESTORE: &str = include_str!("../../../../src/store_sync/scripts/restore.lua");
const SET_COUNTER: &str = include_str!("../../../../src/store_sync/scripts/set_counter.lua");

const KEEP: u64 = 100_000;
/// Doubles are exact up to here.
const MOST: u64 = 1 << 53;

/// One replica of several, and what it says.
#[derive(Clone, Copy)]
struct Report<'a> {
    replica: &'a str,
    sequence: u64,
    taken: u64,
    reserved: u64,
    granted: u64,
    want: u64,
    needed: u64,
    least: u64,
    /// What all had settled by its last response.
    known: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Counted {
    granted: i64,
    free: i64,
    others: i64,
    settled: i64,
    is_new: bool,
}

impl Store {
    /// Of a counter with this limit; `None` for a late one.
    fn count(&mut self, limit: u64, report: Report<'_>) -> Option<Counted> {
        self.count_of(limit, report, true)
    }

    fn count_of(&mut self, limit: u64, report: Report<'_>, outlives: bool) -> Option<Counted> {
        let arguments = [
            report.replica.to_owned(),
            report.sequence.to_string(),
            limit.to_string(),
            report.taken.to_string(),
            report.reserved.to_string(),
            report.granted.to_string(),
            report.want.to_string(),
            report.needed.to_string(),
            report.least.to_string(),
            "3".to_owned(),
            KEEP.to_string(),
            u8::from(outlives).to_string(),
            report.known.to_string(),
        ];
        match *self.eval(COUNTER, &["k", "folded"], &arguments) {
            [1, granted, free, others, settled, is_new] => Some(Counted {
                granted,
                free,
                others,
                settled,
                is_new: is_new == 1,
            }),
            [0] => None,
            ref other => panic!("{other:?}"),
        }
    }

    fn begin(&mut self, outlives: bool) {
        self.count_of(100, report("first", 1), outlives).unwrap();
    }

    /// As if the last call of a replica had been so long ago.
    fn age(&mut self, replica: &str, by: Duration) {
        let field = format!("e:{replica}");
        let ends: i64 = self.field(&field).unwrap().parse().unwrap();
        let aged = ends - i64::try_from(by.as_millis()).unwrap();
        let _: i64 = self.command(&["HSET", "k", &field, &aged.to_string()]);
    }
}

const DEAD: Duration = Duration::from_secs(11);
const LONG_DEAD: Duration = Duration::from_secs(3_700);

fn report(replica: &str, sequence: u64) -> Report<'_> {
    Report {
        replica,
        sequence,
        taken: 0,
        reserved: 0,
        granted: 0,
        want: 0,
        needed: 0,
        least: 0,
        known: 0,
    }
}

#[test]
fn a_lease_shrinks_as_the_limit_nears() {
    let Some(mut store) = Store::start() else {
        return;
    };
    let asks = |sequence, granted, want| Report {
        granted,
        want,
        needed: 1,
        least: 1,
        ..report("a", sequence)
    };
    // A twelfth of what is free, of three replicas.
    let first = store.count(1200, asks(1, 0, 500)).unwrap();
    let expected = Counted {
        granted: 100,
        free: 1100,
        others: 0,
        settled: 0,
        is_new: true,
    };
    assert_eq!(first, expected);
    assert_eq!(store.count(1200, asks(2, 100, 30)).unwrap().granted, 30);
    // What waits is covered, however little is left.
    let most = Report {
        needed: 1000,
        ..asks(3, 130, 1000)
    };
    assert_eq!(store.count(1200, most).unwrap().granted, 1000);
    let other = Report {
        granted: 0,
        ..asks(4, 0, 500)
    };
    let other = Report {
        replica: "b",
        ..other
    };
    // 70 are free: a twelfth is 5.
    assert_eq!(store.count(1200, other).unwrap().granted, 5);
    // Of less than it can use, it gets nothing.
    let large = Report {
        granted: 5,
        needed: 66,
        least: 66,
        want: 66,
        ..report("b", 5)
    };
    let refused = store.count(1200, large).unwrap();
    assert_eq!((refused.granted, refused.free), (0, 65));
    // A part is of use to some of those that wait.
    let parts = Report {
        sequence: 6,
        least: 10,
        ..large
    };
    let last = store.count(1200, parts).unwrap();
    assert_eq!((last.granted, last.free), (65, 0));
}

#[test]
fn a_call_that_is_repeated_or_late_changes_nothing() {
    let Some(mut store) = Store::start() else {
        return;
    };
    let asks = Report {
        taken: 40,
        reserved: 10,
        granted: 50,
        want: 10,
        needed: 10,
        least: 10,
        ..report("a", 7)
    };
    store.count(100, report("b", 1)).unwrap();
    assert_eq!(store.count(100, asks).unwrap().granted, 10);
    assert_eq!(store.count(100, asks), None);
    assert_eq!(
        store.count(
            100,
            Report {
                sequence: 6,
                ..asks
            }
        ),
        None
    );
    // Its response was lost: it says what it knows.
    let again = store
        .count(
            100,
            Report {
                sequence: 8,
                ..asks
            },
        )
        .unwrap();
    assert_eq!((again.granted, again.free), (10, 40));
    let other = store.count(100, report("b", 2)).unwrap();
    let expected = Counted {
        granted: 0,
        free: 40,
        others: 40,
        settled: 30,
        is_new: false,
    };
    assert_eq!(other, expected);
}

#[test]
fn what_a_dead_replica_has_used_stays_and_its_lease_does_not() {
    let Some(mut store) = Store::start() else {
        return;
    };
    store.begin(true);
    let dead = Report {
        taken: 40,
        reserved: 15,
        granted: 90,
        ..report("a", 1)
    };
    store.count(100, dead).unwrap();
    assert_eq!(store.count(100, report("b", 1)).unwrap().free, 10);
    store.age("a", DEAD);
    let found = store.count(100, report("b", 2)).unwrap();
    // What was under way may have been billed.
    assert_eq!((found.free, found.others, found.settled), (60, 40, 40));
    // It was only cut off.
    let back = store
        .count(
            100,
            Report {
                sequence: 2,
                ..dead
            },
        )
        .unwrap();
    assert!(!back.is_new);
    assert_eq!(store.count(100, report("b", 3)).unwrap().free, 10);
}

#[test]
fn permits_of_a_dead_replica_are_free() {
    let Some(mut store) = Store::start() else {
        return;
    };
    store.begin(false);
    let holds = Report {
        taken: 4,
        reserved: 4,
        granted: 5,
        ..report("a", 1)
    };
    store.count_of(8, holds, false).unwrap();
    assert_eq!(store.count_of(8, report("b", 1), false).unwrap().free, 3);
    store.age("a", DEAD);
    let found = store.count_of(8, report("b", 2), false).unwrap();
    assert_eq!((found.free, found.others), (8, 0));
    assert_eq!(store.field("u:a"), None);
}

#[test]
fn a_replica_that_is_long_gone_is_folded_and_unfolded_when_it_comes_back() {
    let Some(mut store) = Store::start() else {
        return;
    };
    let gone = Report {
        taken: 40,
        ..report("a", 9)
    };
    store.count(100, gone).unwrap();
    store.age("a", LONG_DEAD);
    for sequence in 1..3 {
        let found = store.count(100, report("b", sequence)).unwrap();
        assert_eq!((found.free, found.others, found.settled), (60, 40, 40));
        assert_eq!(store.field("u:a"), None);
        assert_eq!(store.field("a").as_deref(), Some("40"));
    }
    // Its ledger knows of a little more.
    let restored = ["a", "45", "0"].map(str::to_owned);
    store.eval(RESTORE, &["k", "folded"], &restored);
    store.eval(RESTORE, &["k", "folded"], &restored);
    assert_eq!(store.count(100, report("b", 3)).unwrap().free, 55);
    let back = Report {
        taken: 50,
        ..report("a", 10)
    };
    let found = store.count(100, back).unwrap();
    assert_eq!((found.free, found.others, found.settled), (50, 0, 50));
    assert!(!found.is_new);
}

#[test]
fn the_larger_of_store_and_ledger_holds() {
    let Some(mut store) = Store::start() else {
        return;
    };
    let restore = |store: &mut Store, used: u64| {
        let arguments = ["old".to_owned(), used.to_string(), KEEP.to_string()];
        store.eval(RESTORE, &["k", "folded"], &arguments);
        store.field("u:old").unwrap()
    };
    assert_eq!(restore(&mut store, 30), "30");
    assert_eq!(restore(&mut store, 20), "30");
    assert_eq!(restore(&mut store, 31), "31");
    assert_eq!(store.count(100, report("b", 1)).unwrap().free, 69);
}

#[test]
fn an_operator_sets_the_sum_of_all() {
    let Some(mut store) = Store::start() else {
        return;
    };
    store.begin(true);
    let running = Report {
        taken: 50,
        reserved: 20,
        granted: 50,
        ..report("a", 1)
    };
    store.count(100, running).unwrap();
    for _ in 0..2 {
        store.eval(SET_COUNTER, &["k"], &["10".to_owned(), KEEP.to_string()]);
        let found = store.count(
            100,
            Report {
                sequence: 0,
                ..report("b", 1)
            },
        );
        assert_eq!(found, None);
    }
    let found = store.count(100, report("b", 1)).unwrap();
    assert_eq!((found.settled, found.others, found.free), (10, 30, 70));
    store.eval(SET_COUNTER, &["k"], &["200".to_owned(), KEEP.to_string()]);
    let found = store.count(100, report("b", 2)).unwrap();
    assert_eq!((found.settled, found.free), (200, -120));
}

#[test]
fn after_a_loss_of_data_nothing_is_granted_until_all_can_have_said_what_they_have() {
    let Some(mut store) = Store::start() else {
        return;
    };
    let asks = |replica, sequence| Report {
        want: 10,
        needed: 10,
        least: 10,
        ..report(replica, sequence)
    };
    let known = Report {
        taken: 30,
        granted: 40,
        known: 60,
        ..asks("a", 7)
    };
    let found = store.count(100, known).unwrap();
    assert_eq!((found.granted, found.free, found.settled), (0, 0, 60));
    // Nor to one that was never there before.
    assert_eq!(store.count(100, asks("b", 1)).unwrap().granted, 0);
    let _: i64 = store.command(&["HSET", "k", "w", "1"]);
    assert_eq!(store.count(100, asks("b", 2)).unwrap().granted, 10);
    // It is not the first time that `c` says something, but nothing was lost since.
    let late = Report {
        known: 60,
        ..asks("c", 9)
    };
    assert_eq!(store.count(100, late).unwrap().granted, 10);
}

#[test]
fn large_numbers_are_exact() {
    let Some(mut store) = Store::start() else {
        return;
    };
    store.count(MOST, report("b", 1)).unwrap();
    let asks = Report {
        taken: MOST - 3,
        granted: MOST - 3,
        want: 2,
        needed: 2,
        least: 2,
        ..report("a", 1)
    };
    let found = store.count(MOST, asks).unwrap();
    assert_eq!((found.granted, found.free), (2, 1));
    assert_eq!(store.field("g:a"), Some((MOST - 1).to_string()));
}

#[test]
fn a_window_ends_with_its_key() {
    let Some(mut store) = Store::start() else {
        return;
    };
    store.count(100, report("a", 1)).unwrap();
    let left: u64 = store.command(&["PTTL", "k"]);
    assert!(left > KEEP / 2 && left <= KEEP, "{left}");
}
