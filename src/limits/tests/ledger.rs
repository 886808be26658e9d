//! Windows that the ledger keeps, and amounts that operators set.

use std::sync::Arc;

use super::{access, amount, at, cost, request, rule, usage};
use crate::config::{LimitBy, LimitRule, LimitUnit, Period};
use crate::limits::set_used::SetUsedError;
use crate::limits::{LimitClock, LimitSet, LimitUsage, RequestSubject, StoredWindows, UsedAmount};

fn budgets() -> Vec<LimitRule> {
    vec![
        rule(
            "each",
            &[LimitBy::Key, LimitBy::User],
            &[
                amount(LimitUnit::Budget, 100, Period::Day),
                amount(LimitUnit::Requests, 10, Period::Minute),
            ],
        ),
        rule(
            "team",
            &[LimitBy::Team],
            &[amount(LimitUnit::Budget, 50, Period::Total)],
        ),
    ]
}

fn spend(set: &LimitSet, user: &str, spent: u64, now: LimitClock) -> bool {
    let subject = RequestSubject {
        model: "m",
        user: Some(user),
    };
    let taken = set
        .caller(Some(0))
        .reserve(&subject, now, &usage(cost(spent)));
    taken.map(|it| it.settle(now, &cost(spent))).is_ok()
}

/// What is used of each rule, subject and user.
fn used(set: &LimitSet, now: LimitClock) -> Vec<(String, u64)> {
    let reports = set.report(now).into_iter();
    let mut used: Vec<_> = reports
        .filter(|it| it.quotas[0].used > 0)
        .map(|it| {
            let user = it.user.unwrap_or_default();
            (
                format!("{} {} {user}", it.rule, it.subject),
                it.quotas[0].used,
            )
        })
        .collect();
    used.sort();
    used
}

#[test]
fn open_windows_survive_a_restart() {
    let stored = Arc::new(StoredWindows::default());
    let first = LimitSet::new(&budgets(), &access(), None, Some(&stored));
    assert!(first.windows(at(0)).is_empty(), "nothing was used");
    assert!(spend(&first, "ada", 7, at(0)));
    assert!(spend(&first, "bob", 5, at(0)));
    let subject = RequestSubject {
        model: "m",
        user: Some("ada"),
    };
    let caller = first.caller(Some(0));
    let running = caller.reserve(&subject, at(0), &usage(cost(2))).unwrap();
    let records = first.windows(at(0));
    assert_eq!(records.len(), 3, "{records:?}");
    let ada = records
        .iter()
        .find(|it| it.id.user.as_deref() == Some("ada"))
        .unwrap();
    assert_eq!((ada.used, ada.reserved, &*ada.id.zone), (7, 2, "UTC"));
    assert_eq!((ada.id.start % 86_400, ada.end - ada.id.start), (0, 86_400));

    // What was reserved counts: its requests may have been billed.
    stored.update(records);
    let second = LimitSet::new(&budgets(), &access(), None, Some(&stored));
    assert!(spend(&second, "ada", 1, at(1_000)));
    assert!(spend(&second, "eve", 1, at(1_000)));
    let expected = [
        ("each key a ada".to_owned(), 10),
        ("each key a eve".to_owned(), 1),
        ("team team red ".to_owned(), 16),
    ];
    assert_eq!(used(&second, at(1_000)), expected);
    assert!(!spend(&second, "ada", 91, at(1_000)));

    // Another day is another window; all time is not.
    let third = LimitSet::new(&budgets(), &access(), None, Some(&stored));
    assert!(spend(&third, "ada", 1, at(86_400_000)));
    let expected = [
        ("each key a ada".to_owned(), 1),
        ("team team red ".to_owned(), 15),
    ];
    assert_eq!(used(&third, at(86_400_000)), expected);
    drop(running);
}

#[test]
fn what_is_given_back_is_recorded_too() {
    let set = LimitSet::new(&budgets(), &access(), None, None);
    let caller = set.caller(Some(0));
    let taken = caller.reserve(&request("m"), at(0), &usage(cost(9)));
    taken.unwrap().settle(at(0), &LimitUsage::default());
    let records = set.windows(at(0));
    assert_eq!(records.len(), 2);
    assert!(
        records.iter().all(|it| it.used + it.reserved == 0),
        "{records:?}"
    );
    assert!(set.windows_used_since(3, at(5_000)).is_empty());
    assert!(spend(&set, "ada", 1, at(4_000)));
    assert_eq!(set.windows_used_since(3, at(5_000)).len(), 2);
    // A window that has ended is no longer open.
    assert_eq!(set.windows(at(90_000_000)).len(), 1);
}

#[test]
fn a_rule_that_is_removed_and_put_back_goes_on() {
    let stored = Arc::new(StoredWindows::default());
    let budget = [rule(
        "budget",
        &[LimitBy::Key],
        &[amount(LimitUnit::Budget, 10, Period::Total)],
    )];
    let set = |rules: &[LimitRule], before| LimitSet::new(rules, &access(), before, Some(&stored));
    let first = set(&budget, None);
    assert!(spend(&first, "", 6, at(0)));
    let second = set(&[], Some(&first));
    assert!(second.caller(Some(0)).is_empty());
    let third = set(&budget, Some(&second));
    assert_eq!(used(&third, at(0)), [("budget key a ".to_owned(), 6)]);
    assert!(!spend(&third, "", 5, at(0)));
    // Not after the ledger has dropped it.
    stored.prune(i64::MAX);
    let fourth = set(&budget, None);
    assert_eq!(used(&fourth, at(0)), []);
}

#[test]
fn what_the_ledger_lacks_is_passed_on_once() {
    let stored = Arc::new(StoredWindows::default());
    let set = LimitSet::new(&budgets(), &access(), None, Some(&stored));
    assert!(spend(&set, "ada", 7, at(0)));
    let windows = set.windows(at(0));
    stored.restore(windows.clone());
    assert_eq!(stored.take_changed(), []);
    stored.update(windows.clone());
    assert_eq!(stored.take_changed(), [], "nothing has changed");
    assert!(spend(&set, "ada", 1, at(0)));
    stored.update(set.windows(at(0)));
    assert_eq!(stored.take_changed().len(), windows.len());
    assert_eq!(stored.take_changed(), []);
    assert_eq!(stored.all().len(), windows.len());
}

#[test]
fn an_operator_sets_what_was_used() {
    let set = LimitSet::new(&budgets(), &access(), None, None);
    assert!(spend(&set, "ada", 7, at(0)));
    let subject = RequestSubject {
        model: "m",
        user: Some("ada"),
    };
    let caller = set.caller(Some(0));
    let running = caller.reserve(&subject, at(0), &usage(cost(20))).unwrap();
    let amount = UsedAmount {
        rule: "each",
        subject: "key a",
        model: None,
        user: Some("ada"),
        provider: None,
        of: LimitUnit::Budget,
        period: Period::Day,
        used: 95,
    };
    for _ in 0..2 {
        let report = set.set_used(&amount, at(0)).unwrap();
        assert_eq!(
            (report.quotas[0].used, report.quotas[0].reserved),
            (115, Some(20))
        );
    }
    running.settle(at(0), &cost(3));
    assert!(!spend(&set, "ada", 3, at(0)));
    assert!(
        set.set_used(&UsedAmount { used: 0, ..amount }, at(0))
            .is_ok()
    );
    assert!(spend(&set, "ada", 3, at(0)));
    for (wrong, expected) in [
        (
            UsedAmount {
                rule: "x",
                ..amount
            },
            SetUsedError::Rule,
        ),
        (
            UsedAmount {
                user: None,
                ..amount
            },
            SetUsedError::Subject,
        ),
        (
            UsedAmount {
                of: LimitUnit::Tokens,
                ..amount
            },
            SetUsedError::Amount,
        ),
    ] {
        assert_eq!(set.set_used(&wrong, at(0)).unwrap_err(), expected);
    }
}

#[test]
fn an_operator_sets_a_rate() {
    let set = LimitSet::new(&budgets(), &access(), None, None);
    assert!(spend(&set, "ada", 7, at(0)));
    let rate = UsedAmount {
        rule: "each",
        subject: "key a",
        model: None,
        user: Some("ada"),
        provider: None,
        of: LimitUnit::Requests,
        period: Period::Minute,
        used: 10,
    };
    assert_eq!(set.set_used(&rate, at(0)).unwrap().quotas[1].remaining, 0);
    assert!(!spend(&set, "ada", 0, at(0)));
    assert!(spend(&set, "ada", 0, at(6_000)));
}
