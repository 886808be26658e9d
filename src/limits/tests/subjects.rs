//! Users, models and providers with amounts of their own, and how many of them are kept.

use std::mem::size_of;

use super::{amount, at, one_request, request, rule, rules, usage};
use crate::config::{LimitBy, LimitRule, LimitUnit, Period, Unmetered};
use crate::limits::bucket::Bucket;
use crate::limits::subject::Subject;
use crate::limits::{LimitClock, LimitSet, RequestSubject, Reservation};

fn per_user(max_subjects: usize, amounts: &[crate::config::Amount]) -> LimitRule {
    let mut limit = rule("users", &[LimitBy::User], amounts);
    limit.max_subjects = max_subjects;
    limit
}

fn reserve(set: &LimitSet, user: Option<&str>, now: LimitClock) -> Option<Reservation> {
    let subject = RequestSubject { model: "m", user };
    let taken = (set.caller(Some(0))).reserve(&subject, now, &usage(one_request()));
    taken.ok()
}

fn passes(set: &LimitSet, user: Option<&str>, now: LimitClock) -> bool {
    let taken = reserve(set, user, now);
    let passes = taken.is_some();
    if let Some(taken) = taken {
        taken.settle(now, &one_request());
    }
    passes
}

#[test]
fn each_user_has_amounts_of_its_own() {
    let set = rules(&[per_user(10, &[amount(LimitUnit::Requests, 1, Period::Day)])]);
    let limits = set.caller(Some(0)).for_model(None, "m").unwrap();
    assert!(limits.user_source().is_some());
    assert!(passes(&set, Some("ada"), at(0)));
    assert!(!passes(&set, Some("ada"), at(0)));
    assert!(passes(&set, Some("bob"), at(0)));
    // Those without a name share one.
    assert!(passes(&set, None, at(0)));
    assert!(!passes(&set, Some(""), at(0)));
    let mut users: Vec<_> = set.report(at(0)).into_iter().map(|it| it.user).collect();
    users.sort();
    assert_eq!(users, ["ada", "bob", "none"].map(|it| Some(it.into())));
    let subject = RequestSubject {
        model: "m",
        user: Some("ada"),
    };
    let refusal = set
        .caller(Some(0))
        .reserve(&subject, at(0), &usage(one_request()));
    assert_eq!(&*refusal.unwrap_err().subject, "user ada");
}

#[test]
fn names_are_distinct_and_bounded() {
    let mut limit = per_user(100, &[amount(LimitUnit::Requests, 1, Period::Day)]);
    limit.per = vec![LimitBy::Model, LimitBy::User];
    let set = rules(&[limit]);
    let passes = |model: &str, user: &str| {
        let subject = RequestSubject {
            model,
            user: Some(user),
        };
        let taken = set
            .caller(Some(0))
            .reserve(&subject, at(0), &usage(one_request()));
        taken.map(|it| it.settle(at(0), &one_request())).is_ok()
    };
    assert!(passes("ab", "c"));
    assert!(passes("a", "bc"));
    assert!(!passes("a", "bc"));
    let long = "é".repeat(100_000);
    assert!(passes("m", &long));
    assert!(
        !passes("m", &format!("{long}x")),
        "long names share their beginning"
    );
}

#[test]
fn a_full_bucket_is_dropped_first_and_without_loss() {
    let set = rules(&[per_user(
        3,
        &[amount(LimitUnit::Requests, 60, Period::Minute)],
    )]);
    assert!(passes(&set, Some("a"), at(0)));
    assert!(passes(&set, Some("b"), at(1_500)));
    assert!(passes(&set, Some("c"), at(1_900)));
    // That of `a` is full again.
    assert!(passes(&set, Some("d"), at(2_000)));
    let mut users: Vec<_> = set
        .report(at(2_000))
        .into_iter()
        .filter_map(|it| it.user)
        .collect();
    users.sort();
    assert_eq!(users, ["b", "c", "d"].map(Box::from));
    assert_eq!(set.dropped_subjects().collect::<Vec<_>>(), [("users", 0)]);
}

#[test]
fn else_the_one_idle_longest_is_dropped_and_counted() {
    let set = rules(&[per_user(3, &[amount(LimitUnit::Requests, 9, Period::Day)])]);
    for (seconds, user) in [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "d"), (6, "e")] {
        assert!(passes(&set, Some(user), at(seconds * 1_000)));
    }
    let mut users: Vec<_> = set
        .report(at(7_000))
        .into_iter()
        .filter_map(|it| it.user)
        .collect();
    users.sort();
    assert_eq!(users, ["a", "d", "e"].map(Box::from));
    assert_eq!(set.dropped_subjects().collect::<Vec<_>>(), [("users", 2)]);
}

#[test]
fn what_a_request_holds_is_never_dropped() {
    let mut limit = per_user(2, &[]);
    limit.concurrent = Some(1);
    let set = rules(&[limit]);
    let held: Vec<_> = ["a", "b"]
        .map(|user| reserve(&set, Some(user), at(0)).unwrap())
        .into();
    // The others share one.
    let shared = reserve(&set, Some("c"), at(0));
    assert!(shared.is_some());
    assert!(reserve(&set, Some("d"), at(0)).is_none());
    assert!(reserve(&set, Some("a"), at(0)).is_none());
    drop((held, shared));
    assert!(reserve(&set, Some("d"), at(0)).is_some());
    assert_eq!(set.dropped_subjects().collect::<Vec<_>>(), [("users", 0)]);
}

#[test]
fn ten_thousand_users_are_no_more_than_allowed() {
    let set = rules(&[per_user(
        1_000,
        &[amount(LimitUnit::Requests, 9, Period::Day)],
    )]);
    for user in 0..10_000 {
        assert!(passes(&set, Some(&format!("user-{user}")), at(user)));
    }
    assert_eq!(set.report(at(0)).len(), 1_000);
    assert_eq!(
        set.dropped_subjects().collect::<Vec<_>>(),
        [("users", 9_000)]
    );
}

/// The bench `limits` counts all memory of 10,000 users.
#[test]
fn the_state_of_a_subject_is_small() {
    assert!(size_of::<Bucket>() <= 24, "{}", size_of::<Bucket>());
    // Two counts of the `Arc` are before it.
    let subject = size_of::<Subject>() + 2 * size_of::<usize>();
    assert!(subject <= 96, "{subject}");
}

#[test]
fn rules_of_providers_are_for_attempts() {
    let mut each = rule(
        "each-provider",
        &[LimitBy::Provider],
        &[amount(LimitUnit::OutputTokens, 10, Period::Day)],
    );
    each.concurrent = Some(1);
    let mut one = rule("one", &[], &[amount(LimitUnit::Requests, 1, Period::Day)]);
    one.providers = Some(vec![wildmatch::WildMatch::new("up*")]);
    let set = rules(&[each, one]);
    let caller = set.caller(Some(0));
    assert!(caller.for_model(None, "m").unwrap().needs_usage());
    let mut used = one_request();
    used.output_tokens = 4;
    let usage = usage(used);
    let reservation = caller.reserve(&request("m"), at(0), &usage).unwrap();
    let first = reservation.for_attempt("upper", at(0), &usage).unwrap();
    // All or none: `one` refuses, and `each-provider` has lost nothing.
    let refusal = reservation.for_attempt("up", at(0), &usage).unwrap_err();
    assert_eq!(&*refusal.rule, "one");
    // Of another provider, of which only one rule holds.
    let other = reservation.for_attempt("other", at(0), &usage).unwrap();
    assert!(reservation.for_attempt("other", at(0), &usage).is_err());
    drop(other);
    assert!(reservation.for_attempt("other", at(0), &usage).is_ok());
    first.settle(at(0), &used);
    reservation.settle(at(0), &used);
    let reports = set.report(at(0)).into_iter();
    let mut state: Vec<_> = reports
        .filter(|it| &*it.rule == "each-provider")
        .map(|it| (it.provider, it.quotas[0].used, it.quotas[1].used))
        .collect();
    state.sort();
    let provider = |name: &str| Some(Box::from(name));
    assert_eq!(
        state,
        [
            (provider("other"), 0, 0),
            (provider("up"), 0, 0),
            (provider("upper"), 4, 0)
        ]
    );
}

/// A scrape, an operator's view and the ledger's walk look at all subjects.
#[test]
fn a_walk_over_all_subjects_keeps_none_from_being_dropped() {
    let set = rules(&[per_user(2, &[amount(LimitUnit::Requests, 9, Period::Day)])]);
    assert!(passes(&set, Some("a"), at(1_000)));
    assert!(passes(&set, Some("b"), at(2_000)));
    let walk = set.rules()[0].subjects.all();
    assert!(passes(&set, Some("c"), at(3_000)));
    let users = walk.map(|it| it.name.parts()[2].to_owned());
    assert_eq!(users.collect::<Vec<_>>(), ["b"]);
    assert_eq!(set.dropped_subjects().collect::<Vec<_>>(), [("users", 1)]);
    let reports = set.report(at(3_000)).into_iter();
    let mut users: Vec<_> = reports.filter_map(|it| it.user).collect();
    users.sort();
    assert_eq!(users, ["b", "c"].map(Box::from));
}

#[test]
fn a_caller_sees_no_users_but_what_those_without_a_name_share() {
    let set = rules(&[per_user(9, &[amount(LimitUnit::Requests, 9, Period::Day)])]);
    assert!(passes(&set, Some("ada"), at(0)));
    assert!(set.caller(Some(0)).report(at(0)).is_empty());
    assert!(passes(&set, None, at(0)));
    let reports = set.caller(Some(0)).report(at(0));
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].user.as_deref(), Some("none"));
}

#[test]
fn the_strictest_rule_says_what_unreported_usage_costs() {
    let tokens = [amount(LimitUnit::Tokens, 10, Period::Day)];
    let limit = |name: &str, unmetered| {
        let mut limit = rule(name, &[], &tokens);
        limit.unmetered = unmetered;
        limit
    };
    let mut requests = rule("r", &[], &[amount(LimitUnit::Requests, 1, Period::Day)]);
    requests.unmetered = Unmetered::Refuse;
    let (allow, five, nine) = (Unmetered::Allow, Unmetered::Cost(5), Unmetered::Cost(9));
    for (found, expected) in [
        (vec![allow], allow),
        (vec![allow, five], five),
        (vec![five, nine, allow], nine),
        (vec![five, Unmetered::Refuse, allow], Unmetered::Refuse),
    ] {
        let mut all = vec![requests.clone()];
        all.extend(
            found
                .iter()
                .enumerate()
                .map(|(index, it)| limit(&format!("l{index}"), *it)),
        );
        let found = |providers: &[&str]| {
            let (set, providers) = (rules(&all), providers.iter().copied());
            let limits = set.caller(Some(0)).for_model(None, "m");
            limits.unwrap().unmetered(&providers)
        };
        assert_eq!(found(&["up"]), expected);
        // Of another provider.
        for rule in &mut all {
            rule.providers = Some(vec![wildmatch::WildMatch::new("up*")]);
        }
        let found = |providers: &[&str]| {
            let (set, providers) = (rules(&all), providers.iter().copied());
            let limits = set.caller(Some(0)).for_model(None, "m");
            limits.unwrap().unmetered(&providers)
        };
        assert_eq!(found(&["other"]), allow);
        assert_eq!(found(&["other", "up"]), expected);
    }
}

#[test]
fn cached_tokens_weigh_what_the_rule_says() {
    for (cached, expected) in [(1_000, 100), (0, 20), (100, 28), (333, 47)] {
        let mut limit = rule(
            "tokens",
            &[],
            &[amount(LimitUnit::InputTokens, 1_000, Period::Day)],
        );
        limit.cached = cached;
        let set = rules(&[limit]);
        let mut used = one_request();
        (used.input_tokens, used.cached_tokens) = (100, 80);
        let caller = set.caller(Some(0));
        let taken = caller.reserve(&request("m"), at(0), &usage(used)).unwrap();
        assert_eq!(set.report(at(0))[0].quotas[0].used, expected);
        taken.settle(at(0), &used);
        assert_eq!(set.report(at(0))[0].quotas[0].used, expected);
    }
}

#[test]
fn a_smaller_burst_is_the_most_at_once() {
    let mut rate = amount(LimitUnit::Requests, 60, Period::Minute);
    rate.burst = Some(2);
    let set = rules(&[rule("rate", &[], &[rate])]);
    for (time, expected) in [
        (0, true),
        (0, true),
        (0, false),
        (999, false),
        (1_000, true),
    ] {
        assert_eq!(passes(&set, None, at(time)), expected, "{time}");
    }
    let quota = set.report(at(60_000))[0].quotas[0];
    assert_eq!((quota.limit, quota.used, quota.remaining), (60, 0, 2));
}
