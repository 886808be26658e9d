//! Limits against a slow and obvious model, and under many threads.

mod charge;
mod estimate;
mod lease;
mod ledger;
mod model;
mod model_lists;
mod refusals;
mod reload;
mod reload_waiting;
mod subjects;
mod threads;
mod wait_order;
mod waiting;
mod windows;

use std::time::Duration;

use jiff::tz::TimeZone;

use super::rate::Tick;
use super::{ExpectedUsage, LimitClock, LimitSet, LimitUsage, RequestSubject};
use crate::config::{
    Access, Amount, AtLimit, ClientKey, LimitBy, LimitRule, LimitUnit, Period, Reserve,
    WithoutStore,
};

const START_SECONDS: i64 = 1_700_000_000;

fn at(milliseconds: u64) -> LimitClock {
    LimitClock {
        tick: Tick::after_start(Duration::from_millis(milliseconds)),
        seconds: START_SECONDS + i64::try_from(milliseconds / 1_000).unwrap(),
    }
}

fn amount(of: LimitUnit, amount: u64, period: Period) -> Amount {
    Amount {
        of,
        amount,
        period,
        burst: None,
    }
}

fn rule(name: &str, per: &[LimitBy], amounts: &[Amount]) -> LimitRule {
    LimitRule {
        name: name.to_owned(),
        keys: None,
        teams: None,
        models: None,
        per: per.to_vec(),
        amounts: amounts.to_vec(),
        concurrent: None,
        replaces: None,
        time_zone: TimeZone::UTC,
        reserve: Reserve::Expected,
        at_limit: AtLimit::Refuse,
        providers: None,
        month_starts_on: 1,
        wait: std::time::Duration::ZERO,
        max_waiting: 64,
        cached: 1000,
        unmetered: crate::config::Unmetered::Refuse,
        user_header: None,
        max_subjects: 100_000,
        without: WithoutStore::default(),
    }
}

/// Keys `a` and `b` of team `red`, and `c` without a team.
fn access() -> Access {
    let key = |name: &str, team: Option<&str>| ClientKey {
        name: name.to_owned(),
        sha256: [0; 32],
        models: None,
        may_name_users: false,
        is_operator: false,
        team: team.map(str::to_owned),
        expires: None,
    };
    Access {
        open: false,
        keys: vec![key("a", Some("red")), key("b", Some("red")), key("c", None)],
        certificates: Vec::new(),
    }
}

fn rules(rules: &[LimitRule]) -> LimitSet {
    LimitSet::new(rules, &access(), None, None)
}

fn request(model: &str) -> RequestSubject<'_> {
    RequestSubject { model, user: None }
}

fn usage(usage: LimitUsage) -> ExpectedUsage {
    ExpectedUsage {
        expected: usage,
        worst: usage,
        has_own_limit: false,
    }
}

fn one_request() -> LimitUsage {
    LimitUsage {
        requests: 1,
        ..LimitUsage::default()
    }
}

fn cost(cost: u64) -> LimitUsage {
    LimitUsage {
        cost,
        ..one_request()
    }
}

/// The rule that refuses.
fn refused(set: &LimitSet, key: usize, model: &str, now: LimitClock) -> Option<String> {
    let taken = set
        .caller(Some(key))
        .reserve(&request(model), now, &usage(one_request()));
    match taken {
        Ok(reservation) => {
            reservation.settle(now, &one_request());
            None
        }
        Err(refusal) => Some(refusal.rule.to_string()),
    }
}

#[test]
fn each_subject_has_amounts_of_its_own() {
    let two = [amount(LimitUnit::Requests, 2, Period::Day)];
    let set = rules(&[
        rule("each-key", &[LimitBy::Key], &two),
        rule(
            "each-model",
            &[LimitBy::Model],
            &[amount(LimitUnit::Requests, 5, Period::Day)],
        ),
        rule(
            "each-team",
            &[LimitBy::Team],
            &[amount(LimitUnit::Requests, 3, Period::Day)],
        ),
    ]);
    let (a, b, c) = (0, 1, 2);
    assert_eq!(refused(&set, a, "m", at(0)), None);
    assert_eq!(refused(&set, a, "m", at(0)), None);
    assert_eq!(refused(&set, a, "m", at(0)).as_deref(), Some("each-key"));
    assert_eq!(refused(&set, b, "m", at(0)), None);
    assert_eq!(refused(&set, b, "m", at(0)).as_deref(), Some("each-team"));
    assert_eq!(refused(&set, c, "m", at(0)), None);
    assert_eq!(refused(&set, c, "m", at(0)), None, "c is in no team");
    // Five of `m`, none of `n`: a refused request counts nowhere.
    assert_eq!(refused(&set, c, "n", at(0)).as_deref(), Some("each-key"));
    let other = LimitSet::new(&[], &access(), None, None);
    assert!(other.caller(Some(a)).is_empty());
}

#[test]
fn a_rule_replaces_another_only_where_it_holds() {
    let mut general = rule(
        "general",
        &[],
        &[amount(LimitUnit::Requests, 1, Period::Day)],
    );
    general.models = None;
    let mut special = rule(
        "special",
        &[],
        &[amount(LimitUnit::Requests, 2, Period::Day)],
    );
    special.models = Some(vec![wildmatch::WildMatch::new("big-*")]);
    special.replaces = Some("general".to_owned());
    let set = rules(&[general, special]);
    assert_eq!(refused(&set, 0, "big-1", at(0)), None);
    assert_eq!(refused(&set, 0, "big-2", at(0)), None);
    assert_eq!(refused(&set, 0, "big-2", at(0)).as_deref(), Some("special"));
    assert_eq!(refused(&set, 0, "small", at(0)), None);
    assert_eq!(refused(&set, 0, "small", at(0)).as_deref(), Some("general"));
}

#[test]
fn a_rule_that_observes_refuses_nothing() {
    let mut observed = rule(
        "observed",
        &[],
        &[amount(LimitUnit::Requests, 1, Period::Day)],
    );
    observed.at_limit = AtLimit::Observe;
    let set = rules(&[observed]);
    for would_refuse in [false, true, true] {
        let reservation = set
            .caller(Some(0))
            .reserve(&request("m"), at(0), &usage(one_request()));
        let reservation = reservation.unwrap();
        assert_eq!(reservation.would_refuse.is_some(), would_refuse);
        reservation.settle(at(0), &one_request());
    }
}

/// As many as would be refused, and no more for the sake of those that passed all the same:
/// what is over holds no permit, and is no debt once the rule refuses.
#[test]
fn a_rule_that_observes_finds_what_would_be_refused() {
    let mut observed = rule(
        "observed",
        &[],
        &[amount(LimitUnit::Requests, 60, Period::Minute)],
    );
    observed.concurrent = Some(60);
    observed.at_limit = AtLimit::Observe;
    let set = rules(std::slice::from_ref(&observed));
    let caller = set.caller(Some(0));
    let reserve = |now| caller.reserve(&request("m"), now, &usage(one_request()));
    let all: Vec<_> = (0..100).map(|_| reserve(at(0)).unwrap()).collect();
    let over = all.iter().filter(|it| it.would_refuse.is_some()).count();
    assert_eq!(over, 40);
    let quotas = &set.report(at(0))[0].quotas;
    assert_eq!((quotas[0].used, quotas[1].used), (60, 60));
    for reservation in all {
        reservation.settle(at(0), &one_request());
    }
    let quotas = &set.report(at(0))[0].quotas;
    assert_eq!((quotas[0].used, quotas[1].used), (60, 0));
    assert!(reserve(at(1_000)).unwrap().would_refuse.is_none());
    let mut refuses = observed;
    refuses.at_limit = AtLimit::Refuse;
    let set = LimitSet::new(&[refuses], &access(), Some(&set), None);
    assert_eq!(refused(&set, 0, "m", at(1_000)), None);
    assert_eq!(
        refused(&set, 0, "m", at(1_000)).as_deref(),
        Some("observed")
    );
}

#[test]
fn an_amount_of_0_blocks() {
    for amounts in [
        [amount(LimitUnit::Requests, 0, Period::Minute)],
        [amount(LimitUnit::Budget, 0, Period::Total)],
    ] {
        let set = rules(&[rule("frozen", &[], &amounts)]);
        assert_eq!(refused(&set, 0, "m", at(0)).as_deref(), Some("frozen"));
    }
    let mut none_at_a_time = rule("frozen", &[], &[]);
    none_at_a_time.concurrent = Some(0);
    let set = rules(&[none_at_a_time]);
    assert_eq!(refused(&set, 0, "m", at(0)).as_deref(), Some("frozen"));
}

/// More than a whole amount counts as the whole amount: a small limit does not refuse
/// its first request.
#[test]
fn an_estimate_larger_than_the_limit_passes_once() {
    let budget = [amount(LimitUnit::Budget, 10, Period::Day)];
    let set = rules(&[rule("small", &[], &budget)]);
    let caller = set.caller(Some(0));
    let first = caller
        .reserve(&request("m"), at(0), &usage(cost(1_000)))
        .unwrap();
    assert!(
        caller
            .reserve(&request("m"), at(0), &usage(cost(1)))
            .is_err()
    );
    first.settle(at(1), &cost(4));
    let second = caller
        .reserve(&request("m"), at(2), &usage(cost(6)))
        .unwrap();
    // It used more than was expected: a debt, until the window ends.
    second.settle(at(3), &cost(60));
    let refusal = caller
        .reserve(&request("m"), at(4), &usage(cost(0)))
        .unwrap_err();
    assert_eq!((refusal.quota.used, refusal.quota.remaining), (64, 0));
}

#[test]
fn permits_are_held_until_the_request_ends() {
    let mut few = rule("few", &[], &[]);
    few.concurrent = Some(2);
    let set = rules(&[few]);
    let caller = set.caller(Some(0));
    let take = || caller.reserve(&request("m"), at(0), &usage(one_request()));
    let (one, _two) = (take().unwrap(), take().unwrap());
    assert!(take().is_err());
    one.settle(at(0), &one_request());
    assert!(take().is_ok());
}
