//! Which refusal a client gets, and what it says.

use super::{amount, at, cost, one_request, request, rule, rules, usage};
use crate::config::{AtLimit, LimitUnit, Period, Reserve};
use crate::limits::{ExpectedUsage, LimitSet, Shortage};

fn one(name: &str, of: LimitUnit, limit: u64, period: Period) -> crate::config::LimitRule {
    rule(name, &[], &[amount(of, limit, period)])
}

fn exhaust(set: &LimitSet) {
    let taken = set
        .caller(Some(0))
        .reserve(&request("m"), at(0), &usage(cost(5)));
    taken.unwrap().settle(at(0), &cost(5));
}

#[test]
fn the_longest_wait_is_reported() {
    let set = rules(&[
        one("a-minute", LimitUnit::Requests, 1, Period::Minute),
        one("b-day", LimitUnit::Budget, 5, Period::Day),
        one("c-hour", LimitUnit::Requests, 1, Period::Hour),
    ]);
    exhaust(&set);
    let refused = set
        .caller(Some(0))
        .reserve(&request("m"), at(0), &usage(cost(5)));
    let refusal = refused.unwrap_err();
    assert_eq!(&*refusal.rule, "b-day");
    assert_eq!(refusal.requested, 5);
    assert_eq!(refusal.shortage, Shortage::UntilEnd(1_700_006_400));
    assert!(refusal.fallback.is_none() && !refusal.can_never_fit);
    let other = one_request();
    let refused = set
        .caller(Some(0))
        .reserve(&request("m"), at(86_400_000), &usage(other));
    assert!(refused.is_ok());
}

/// A client takes a spent budget as final; requests that run may give back a part of it.
#[test]
fn what_running_requests_have_reserved_is_not_spent() {
    let set = rules(&[
        one("a-budget", LimitUnit::Budget, 5, Period::Day),
        one("b-requests", LimitUnit::Requests, 2, Period::Day),
    ]);
    let reserve = |amount| {
        let caller = set.caller(Some(0));
        caller.reserve(&request("m"), at(0), &usage(cost(amount)))
    };
    let running = reserve(4).unwrap();
    assert_eq!(reserve(2).unwrap_err().shortage, Shortage::Held);
    running.settle(at(0), &cost(1));
    let running = reserve(4).unwrap();
    let refusal = reserve(5).unwrap_err();
    assert!(matches!(refusal.shortage, Shortage::UntilEnd(_)));
    // What is no estimate does not come back.
    let refusal = reserve(1).unwrap_err();
    assert_eq!(&*refusal.rule, "b-requests");
    assert!(matches!(refusal.shortage, Shortage::UntilEnd(_)));
    drop(running);
}

#[test]
fn a_refusal_names_the_alias_to_try_instead() {
    let mut limit = one("limit", LimitUnit::Budget, 5, Period::Day);
    limit.at_limit = AtLimit::Fallback("small".to_owned());
    let set = rules(&[limit]);
    exhaust(&set);
    let refused = set
        .caller(Some(0))
        .reserve(&request("m"), at(0), &usage(cost(5)));
    assert_eq!(refused.unwrap_err().fallback.as_deref(), Some("small"));
}

/// Only if the client has asked for it itself, under a rule that is exact: an estimate that
/// is too large is no fault of the client.
#[test]
fn what_can_never_fit_is_distinct() {
    for (reserve, has_own_limit, expected) in [
        (Reserve::Worst, true, true),
        (Reserve::Worst, false, false),
        (Reserve::Expected, true, false),
    ] {
        let mut limit = one("limit", LimitUnit::OutputTokens, 100, Period::Minute);
        limit.reserve = reserve;
        let set = rules(&[limit]);
        let mut used = one_request();
        used.output_tokens = 101;
        let usage = ExpectedUsage {
            expected: used,
            worst: used,
            has_own_limit,
        };
        let refused = set.caller(Some(0)).reserve(&request("m"), at(0), &usage);
        assert_eq!(refused.is_err(), expected, "{reserve:?} {has_own_limit}");
        if let Err(refusal) = refused {
            assert!(refusal.can_never_fit);
            assert_eq!(refusal.requested, 101);
        }
        used.output_tokens = 100;
        let fits = ExpectedUsage {
            expected: used,
            worst: used,
            has_own_limit,
        };
        assert!(
            set.caller(Some(0))
                .reserve(&request("m"), at(60_000), &fits)
                .is_ok()
        );
    }
}

#[test]
fn a_reservation_that_is_dropped_leaves_no_trace() {
    let mut limit = one("limit", LimitUnit::Requests, 2, Period::Day);
    limit.concurrent = Some(2);
    let set = rules(&[limit]);
    for _ in 0..10 {
        let caller = set.caller(Some(0));
        let both = [0, 1].map(|_| caller.reserve(&request("m"), at(0), &usage(one_request())));
        assert!(both.iter().all(Result::is_ok));
    }
    let report = &set.report(at(0))[0];
    assert!(report.quotas.iter().all(|quota| quota.used == 0));
}
