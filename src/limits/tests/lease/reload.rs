//! Leases over reloads, and what is charged before a request ends.

use std::sync::Arc;
use std::time::Duration;

use super::replica::{Replica, clock, used};
use super::store::{ModelStore, Time};
use crate::config::{LimitBy, LimitRule, LimitUnit, Period, WithoutStore};
use crate::limits::tests::{access, amount, request, rule, usage};
use crate::limits::{LeaseLink, LimitClock, LimitSet, Shortage};

const TIMEOUT: Duration = Duration::from_millis(25);

fn seconds(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

fn tokens(limit: u64) -> LimitRule {
    let all = [amount(LimitUnit::Tokens, limit, Period::Total)];
    let mut rule = rule("tokens", &[], &all);
    rule.without = WithoutStore::Refuse;
    rule
}

fn taken(store: &ModelStore, replica: &str) -> u64 {
    store.counters[0].1.of[replica].taken
}

/// Also where a request waits under the rule as it is removed.
#[tokio::test(start_paused = true)]
async fn a_rule_that_is_put_back_counts_on_and_limits() {
    let mut few = tokens(100);
    few.concurrent = Some(1);
    few.wait = seconds(3600);
    let link = LeaseLink::new("one", TIMEOUT, 1, None);
    link.set_up(true);
    let mut store = ModelStore::default();
    let first = Arc::new(LimitSet::with_link(
        std::slice::from_ref(&few),
        &access(),
        None,
        &link,
    ));
    let acquire = |set: &Arc<LimitSet>| {
        let set = Arc::clone(set);
        tokio::spawn(async move {
            let usage = usage(used(LimitUnit::Tokens, 60));
            set.caller(Some(0)).acquire(&request("m"), &usage).await
        })
    };
    let mut respond = async || {
        for _ in 0..20 {
            tokio::task::yield_now().await;
            for call in link.urgent_calls(LimitClock::now(), usize::MAX) {
                let message = super::store::CallMessage::of("one", &call);
                let response = store.call(&message, LimitClock::now().tick.since_start());
                call.finish(Some(response), LimitClock::now());
            }
        }
    };
    let running = acquire(&first);
    respond().await;
    let running = running.await.unwrap().unwrap();
    let waiting = acquire(&first);
    respond().await;
    assert!(!waiting.is_finished());
    let removed = LimitSet::with_link(&[], &access(), Some(&first), &link);
    removed.wake_waiting(&first);
    respond().await;
    assert!(waiting.is_finished());
    let (waited, now) = (waiting.await.unwrap().unwrap(), LimitClock::now());
    running
        .reservation
        .settle(now, &used(LimitUnit::Tokens, 60));
    waited.reservation.settle(now, &used(LimitUnit::Tokens, 60));
    let back = Arc::new(LimitSet::with_link(
        &[few],
        &access(),
        Some(&removed),
        &link,
    ));
    let report = back.report(LimitClock::now());
    let used: Vec<_> = report[0].quotas.iter().map(|it| it.used).collect();
    assert!(used.contains(&120), "{used:?}");
    let refused = acquire(&back);
    respond().await;
    assert!(refused.await.unwrap().is_err());
}

/// A lease of one store is none of another one; what was used is reported there as well.
#[test]
fn another_store_hears_what_was_used_and_nothing_of_leases() {
    let (mut first, mut second) = (ModelStore::default(), ModelStore::default());
    let mut one = Replica::new("one", &[tokens(100)], None);
    let spend = |one: &mut Replica, store: &mut ModelStore, now, tokens| {
        let taken = one.reserve(store, now, 0, used(LimitUnit::Tokens, tokens))?;
        taken.settle(clock(now), &used(LimitUnit::Tokens, tokens));
        Ok::<_, Shortage>(())
    };
    let running = one.reserve(&mut first, seconds(1), 0, used(LimitUnit::Tokens, 20));
    spend(&mut one, &mut first, seconds(1), 30).unwrap();
    let link = LeaseLink::new("one", TIMEOUT, 1, None);
    one.reload_to(&link, &[tokens(100)]);
    // It is not up yet.
    let refused = spend(&mut one, &mut second, seconds(1), 1);
    assert_eq!(refused, Err(Shortage::StoreAway));
    link.set_up(true);
    spend(&mut one, &mut second, seconds(1), 10).unwrap();
    running
        .unwrap()
        .settle(clock(seconds(1)), &used(LimitUnit::Tokens, 20));
    one.exchange(&mut second, seconds(3));
    assert_eq!(taken(&second, "one"), 60);
    assert!(spend(&mut one, &mut second, seconds(3), 41).is_err());
    spend(&mut one, &mut second, seconds(3), 40).unwrap();
}

/// What a request that goes on has used is reported, beyond the lease if need be.
#[test]
fn what_is_charged_beside_a_lease_is_reported_and_waited_for() {
    let rate = amount(LimitUnit::Tokens, 600, Period::Minute);
    let mut both = tokens(100);
    both.amounts.push(rate);
    let mut store = ModelStore::default();
    let mut one = Replica::new("one", &[both], None);
    let running = one.reserve(&mut store, seconds(1), 0, used(LimitUnit::Tokens, 10));
    let running = running.unwrap();
    running.charge(clock(seconds(1)), &used(LimitUnit::Tokens, 80));
    running.charge(clock(seconds(1)), &used(LimitUnit::Tokens, 20));
    one.exchange(&mut store, seconds(2));
    assert_eq!(taken(&store, "one"), 110);
    running.settle(clock(seconds(2)), &used(LimitUnit::Tokens, 0));
    one.exchange(&mut store, seconds(4));
    assert_eq!(taken(&store, "one"), 100);
    // Some 10 have come back in each second, and no lease is left.
    let in_use = store.rates[0].1.in_use(600, seconds(60), seconds(4));
    assert!((70..=80).contains(&in_use), "{in_use}");
    let refused = one.reserve(&mut store, seconds(4), 0, used(LimitUnit::Tokens, 1));
    assert_eq!(refused.unwrap_err(), Shortage::UntilEnd(i64::MAX));
}

/// Rules that are judged for each attempt lease as well.
#[tokio::test(start_paused = true)]
async fn attempts_at_a_provider_share_its_limit_over_replicas() {
    let mut limit = tokens(100);
    limit.per = vec![LimitBy::Provider];
    let mut store = ModelStore::default();
    let mut both =
        ["one", "two"].map(|name| Replica::new(name, std::slice::from_ref(&limit), None));
    let mut attempt = async |replica: &mut Replica, tokens: u64| {
        let usage = usage(used(LimitUnit::Tokens, tokens));
        let caller = Arc::clone(replica.set.caller(Some(0)));
        let acquired = caller.acquire(&request("m"), &usage).await.unwrap();
        assert!(acquired.reservation.leases_attempts());
        let respond = async {
            tokio::task::yield_now().await;
            let now = LimitClock::now().tick.since_start();
            replica.exchange_urgent(&mut store, now);
        };
        let leased = acquired.reservation.lease_attempt("up", &usage);
        let (leased, ()) = tokio::join!(leased, respond);
        leased.map(|it| it.settle(LimitClock::now(), &used(LimitUnit::Tokens, tokens)))
    };
    let [one, two] = &mut both;
    attempt(one, 60).await.unwrap();
    assert!(attempt(two, 50).await.is_err());
    attempt(two, 40).await.unwrap();
}

/// The first replica that comes after a loss of data finds no other one.
#[test]
fn fewer_replicas_count_once_they_have_stayed_fewer() {
    let link = LeaseLink::new("one", TIMEOUT, 1, None);
    let hear = |replicas, at| {
        link.set_known_replicas(replicas, clock(seconds(at)));
        link.replicas()
    };
    assert_eq!([hear(3, 0), hear(1, 1), hear(2, 2), hear(1, 10)], [3; 4]);
    assert_eq!(hear(1, 11), 2);
    assert_eq!(
        [hear(1, 12), hear(4, 13), hear(0, 14), hear(0, 24)],
        [2, 4, 4, 1]
    );
}
