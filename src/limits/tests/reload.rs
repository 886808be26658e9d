//! A new configuration.

use super::{access, amount, at, cost, one_request, request, rule, usage};
use crate::config::{LimitBy, LimitUnit, Period};
use crate::limits::{LimitClock, LimitSet};

fn used(set: &LimitSet, now: LimitClock) -> Vec<(u64, u64)> {
    let reports = set.caller(Some(0)).report(now);
    let quotas = reports.iter().flat_map(|it| &it.quotas);
    quotas.map(|it| (it.used, it.limit)).collect()
}

#[test]
fn amounts_change_and_what_was_used_stays() {
    let budget = |dollars| amount(LimitUnit::Budget, dollars, Period::Day);
    let rate = |requests| amount(LimitUnit::Requests, requests, Period::Minute);
    let config = |amounts: &[_]| [rule("limit", &[LimitBy::Key], amounts)];
    let first = LimitSet::new(&config(&[rate(60), budget(100)]), &access(), None, None);
    let caller = first.caller(Some(0));
    for _ in 0..30 {
        let taken = caller
            .reserve(&request("m"), at(0), &usage(cost(1)))
            .unwrap();
        taken.settle(at(0), &cost(1));
    }
    let running = caller
        .reserve(&request("m"), at(0), &usage(cost(10)))
        .unwrap();
    assert_eq!(used(&first, at(0)), [(31, 60), (40, 100)]);

    // Another order, other amounts, and one more.
    let more = [
        budget(50),
        rate(600),
        amount(LimitUnit::Requests, 9, Period::Day),
    ];
    let second = LimitSet::new(&config(&more), &access(), Some(&first), None);
    assert_eq!(used(&second, at(0)), [(31, 600), (40, 50), (0, 9)]);
    running.settle(at(0), &cost(2));
    assert_eq!(used(&second, at(0)), [(31, 600), (32, 50), (0, 9)]);
    // A request of the previous generation finds the new amounts too.
    assert!(
        caller
            .reserve(&request("m"), at(0), &usage(cost(19)))
            .is_err()
    );

    // What is taken out and put back has gone on.
    let third = LimitSet::new(&config(&[rate(600)]), &access(), Some(&second), None);
    assert_eq!(used(&third, at(0)), [(31, 600)]);
    let fourth = LimitSet::new(
        &config(&[budget(50), rate(600)]),
        &access(),
        Some(&third),
        None,
    );
    assert_eq!(used(&fourth, at(0)), [(31, 600), (32, 50)]);
}

#[test]
fn a_rule_that_is_renamed_or_split_otherwise_begins_anew() {
    let amounts = [amount(LimitUnit::Requests, 5, Period::Day)];
    let first = LimitSet::new(
        &[rule("limit", &[LimitBy::Key], &amounts)],
        &access(),
        None,
        None,
    );
    first
        .caller(Some(0))
        .reserve(&request("m"), at(0), &usage(one_request()))
        .unwrap()
        .settle(at(0), &one_request());
    assert_eq!(used(&first, at(0)), [(1, 5)]);
    for changed in [
        rule("other", &[LimitBy::Key], &amounts),
        rule("limit", &[LimitBy::Team], &amounts),
    ] {
        let second = LimitSet::new(&[changed], &access(), Some(&first), None);
        assert_eq!(used(&second, at(0)), [(0, 5)]);
    }
}
