//! What a replica borrows of a rate, and how many replicas there are.

use super::Store;
use crate::support::wait;

const RATE: &str = include_str!("../../../../src/store_sync/scripts/rate.lua");
const SET_RATE: &str = include_str!("../../../../src/store_sync/scripts/set_rate.lua");
const HEARTBEAT: &str = include_str!("../../../../src/store_sync/scripts/heartbeat.lua");

/// One call of a rate of 60 a minute.
#[derive(Clone, Copy)]
struct Loan<'a> {
    replica: &'a str,
    sequence: u64,
    amount: u64,
    take: i64,
    want: u64,
    needed: u64,
}

fn loan(replica: &str, sequence: u64, take: i64, want: u64) -> Loan<'_> {
    Loan {
        replica,
        sequence,
        amount: 60,
        take,
        want,
        needed: want,
    }
}

impl Store {
    /// What is granted, and seconds until the rate is full; `None` for a late call.
    fn lend(&mut self, loan: Loan<'_>) -> Option<(i64, i64)> {
        let arguments = [
            loan.replica.to_owned(),
            loan.sequence.to_string(),
            loan.amount.to_string(),
            "60000000".to_owned(),
            loan.amount.to_string(),
            loan.take.to_string(),
            loan.want.to_string(),
            loan.needed.to_string(),
            loan.needed.min(1).to_string(),
            "3".to_owned(),
            "60000".to_owned(),
        ];
        match *self.eval(RATE, &["k"], &arguments) {
            // Rounded up: some milliseconds have passed since.
            [1, granted, busy] => Some((granted, (busy + 999_999) / 1_000_000)),
            [0] => None,
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_rate_is_lent_once_however_often_a_call_is_repeated() {
    let Some(mut store) = Store::start() else {
        return;
    };
    assert_eq!(store.lend(loan("a", 3, 0, 20)), Some((20, 20)));
    assert_eq!(store.lend(loan("a", 3, 0, 20)), Some((20, 20)));
    assert_eq!(store.lend(loan("a", 2, 0, 20)), None);
    // A twelfth of the forty that are free, as nothing waits.
    let refill = Loan {
        needed: 0,
        ..loan("b", 1, 0, 20)
    };
    assert_eq!(store.lend(refill), Some((3, 23)));
    assert_eq!(store.lend(loan("b", 2, 0, 37)), Some((37, 60)));
    // Nothing is left but what refills.
    let (granted, busy) = store.lend(loan("a", 4, 0, 20)).unwrap();
    assert!(granted <= 1 && (60..=61).contains(&busy));
}

#[test]
fn a_rate_takes_debts_and_what_is_given_back() {
    let Some(mut store) = Store::start() else {
        return;
    };
    assert_eq!(store.lend(loan("a", 1, 0, 30)), Some((30, 30)));
    assert_eq!(store.lend(loan("a", 2, 70, 10)), Some((0, 100)));
    assert_eq!(store.lend(loan("a", 3, -60, 0)), Some((0, 40)));
    // Never more than full.
    assert_eq!(store.lend(loan("a", 4, -60, 0)), Some((0, 0)));
    assert_eq!(store.lend(loan("b", 1, 0, 60)), Some((60, 60)));
}

#[test]
fn a_rate_that_changes_keeps_what_was_used() {
    let Some(mut store) = Store::start() else {
        return;
    };
    assert_eq!(store.lend(loan("a", 1, 0, 30)), Some((30, 30)));
    let more = Loan {
        amount: 600,
        ..loan("a", 2, 0, 0)
    };
    // 30 of 600 are used, which refill in three seconds.
    assert_eq!(store.lend(more), Some((0, 3)));
    let used = ["45", "60", "60000000"].map(str::to_owned);
    store.eval(SET_RATE, &["k"], &used);
    assert_eq!(store.lend(loan("a", 3, 0, 20)), Some((15, 60)));
}

#[test]
fn a_rate_of_odd_numbers_lends_all_of_it() {
    let Some(mut store) = Store::start() else {
        return;
    };
    for (index, amount) in [7, 11, 13, 999_999_937].into_iter().enumerate() {
        let _: i64 = store.command(&["DEL", "k"]);
        let all = Loan {
            amount,
            ..loan("a", index as u64 + 1, 0, amount)
        };
        let (granted, _) = store.lend(all).unwrap();
        assert_eq!(granted, i64::try_from(amount).unwrap());
    }
}

#[test]
fn replicas_are_counted_while_they_live() {
    let Some(mut store) = Store::start() else {
        return;
    };
    let beat = |store: &mut Store, replica: &str, alive: u8| {
        let arguments = [replica.to_owned(), alive.to_string()];
        let [count, seconds, _] = *store.eval(HEARTBEAT, &["k"], &arguments) else {
            panic!("three numbers");
        };
        assert!(seconds > 1_700_000_000);
        count
    };
    assert_eq!(beat(&mut store, "a", 1), 1);
    assert_eq!(beat(&mut store, "b", 1), 2);
    assert_eq!(beat(&mut store, "a", 1), 2);
    assert_eq!(beat(&mut store, "a", 0), 1);
    let _: i64 = store.command(&["ZADD", "k", "1", "dead"]);
    assert_eq!(beat(&mut store, "b", 1), 1);
    wait::until("the key to have an end", || {
        let left: i64 = store.command(&["PTTL", "k"]);
        (left > 0).then_some(())
    });
}
