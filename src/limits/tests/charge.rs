//! Requests that are charged before they end.

use super::{amount, at, one_request, request, rule, rules, usage};
use crate::config::{LimitUnit, Period};
use crate::limits::{LimitSet, LimitUsage};

const DAY: u64 = 24 * 3600 * 1000;

fn tokens(output_tokens: u64) -> LimitUsage {
    LimitUsage {
        output_tokens,
        ..LimitUsage::default()
    }
}

/// Used requests, tokens of a day, tokens of a minute, and requests at a time.
fn used(set: &LimitSet, milliseconds: u64) -> [u64; 4] {
    let reports = set.report(at(milliseconds));
    let quotas: Vec<u64> = reports[0].quotas.iter().map(|it| it.used).collect();
    quotas.try_into().unwrap()
}

#[test]
fn what_is_charged_comes_beside_what_is_reserved() {
    let mut all = rule(
        "all",
        &[],
        &[
            amount(LimitUnit::Requests, 10, Period::Total),
            amount(LimitUnit::Tokens, 1_000, Period::Day),
            amount(LimitUnit::Tokens, 600_000, Period::Minute),
        ],
    );
    all.concurrent = Some(2);
    let set = rules(&[all]);
    let expected = LimitUsage {
        output_tokens: 5,
        ..one_request()
    };
    let taken = set
        .caller(Some(0))
        .reserve(&request("m"), at(0), &usage(expected));
    let taken = taken.unwrap();
    assert_eq!(used(&set, 0), [1, 5, 5, 1]);
    taken.charge(at(0), &tokens(20));
    taken.charge(at(0), &tokens(7));
    assert_eq!(used(&set, 0), [1, 32, 32, 1]);
    // In the window of its time, the reservation in none.
    taken.charge(at(2 * DAY), &tokens(3));
    assert_eq!(used(&set, 2 * DAY), [1, 3, 3, 1]);
    let total = LimitUsage {
        output_tokens: 31,
        ..one_request()
    };
    let charged = tokens(20).plus(&tokens(7)).plus(&tokens(3));
    taken.settle(at(2 * DAY), &total.less(&charged));
    let [requests, day, _, concurrent] = used(&set, 2 * DAY);
    assert_eq!([requests, concurrent], [1, 0]);
    assert_eq!(day, 3, "its reservation was of another day");
}

/// It holds nothing of the rule, so nothing is charged to its rate, or given back.
#[test]
fn a_request_that_only_observes_is_charged_to_windows() {
    let mut all = rule(
        "all",
        &[],
        &[
            amount(LimitUnit::Requests, 0, Period::Total),
            amount(LimitUnit::Tokens, 1_000, Period::Day),
            amount(LimitUnit::Tokens, 600_000, Period::Minute),
        ],
    );
    all.concurrent = Some(2);
    all.at_limit = crate::config::AtLimit::Observe;
    let set = rules(&[all]);
    let caller = set.caller(Some(0));
    let taken = caller
        .reserve(&request("m"), at(0), &usage(one_request()))
        .unwrap();
    assert!(taken.would_refuse.is_some());
    taken.charge(at(0), &tokens(20));
    assert_eq!(used(&set, 0)[1..], [20, 0, 0]);
    taken.settle(at(0), &LimitUsage::default());
    assert_eq!(used(&set, 0)[1..], [20, 0, 0]);
}
