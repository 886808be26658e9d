//! Requests that wait for the store, and calls for all replicas.

use std::sync::Arc;
use std::time::Duration;

use super::replica::{Replica, clock, used};
use super::store::{CallMessage, ModelStore, Time};
use crate::config::{LimitRule, LimitUnit, Period, WithoutStore};
use crate::limits::tests::{access, amount, request, rule, usage};
use crate::limits::{
    AdjustAmounts, LeaseLink, LimitClock, LimitSet, SetUsedError, Shortage, StoredWindows,
    UsedAmount,
};

const TIMEOUT: Duration = Duration::from_millis(25);

fn rules(limit: u64) -> Vec<LimitRule> {
    let all = [amount(LimitUnit::Tokens, limit, Period::Total)];
    let mut rule = rule("tokens", &[], &all);
    rule.without = WithoutStore::Refuse;
    vec![rule]
}

fn linked(limit: u64) -> (Arc<LeaseLink>, Arc<LimitSet>) {
    let link = LeaseLink::new("one", TIMEOUT, 1, None);
    link.set_up(true);
    let set = LimitSet::with_link(&rules(limit), &access(), None, &link);
    (link, Arc::new(set))
}

/// Makes the calls that are urgent; their number.
fn respond(link: &LeaseLink, store: &mut ModelStore) -> usize {
    let now = LimitClock::now();
    let calls = link.urgent_calls(now, usize::MAX);
    let count = calls.len();
    for call in calls {
        let message = CallMessage::of(link.replica(), &call);
        let response = store.call(&message, now.tick.since_start());
        call.finish(Some(response), LimitClock::now());
    }
    for call in link.adjust_calls() {
        let AdjustAmounts::Counter { used } = call.amounts else {
            panic!("{call:?}");
        };
        store.set_used(&call.id, used, now.tick.since_start());
        call.finish();
    }
    count
}

/// All that wait for one amount share one call, and have their part of it.
#[tokio::test(start_paused = true)]
async fn requests_that_wait_share_one_call() {
    let (link, set) = linked(100);
    let requests: Vec<_> = (0..10)
        .map(|_| {
            let set = Arc::clone(&set);
            tokio::spawn(async move {
                let usage = usage(used(LimitUnit::Tokens, 10));
                let acquired = set.caller(Some(0)).acquire(&request("m"), &usage).await;
                acquired.map(|it| it.reservation)
            })
        })
        .collect();
    link.demanded().await;
    tokio::task::yield_now().await;
    let mut store = ModelStore::default();
    assert_eq!(respond(&link, &mut store), 1);
    let mut held = Vec::new();
    for request in requests {
        held.push(request.await.unwrap().unwrap());
    }
    let usage = usage(used(LimitUnit::Tokens, 1));
    let (caller, subject) = (set.caller(Some(0)), request("m"));
    let waiting = caller.acquire(&subject, &usage);
    // The last response says that nothing is left: it is not asked again.
    let refusal = waiting.await.unwrap_err();
    assert_eq!(refusal.shortage, Shortage::Held);
    assert_eq!(respond(&link, &mut store), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_respond_is_waited_for_once_and_briefly() {
    let (link, set) = linked(100);
    let usage = usage(used(LimitUnit::Tokens, 10));
    let start = tokio::time::Instant::now();
    let caller = set.caller(Some(0));
    let refusal = caller.acquire(&request("m"), &usage).await.unwrap_err();
    assert_eq!(refusal.shortage, Shortage::StoreAway);
    assert_eq!(refusal.fallback, None);
    let waited = start.elapsed();
    assert!((TIMEOUT..TIMEOUT * 2).contains(&waited), "{waited:?}");
    // While it is known to be away, not at all.
    link.set_up(false);
    let start = tokio::time::Instant::now();
    assert!(caller.acquire(&request("m"), &usage).await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// A request that has left is not asked for.
#[tokio::test(start_paused = true)]
async fn a_request_that_leaves_wants_nothing_any_more() {
    let (link, set) = linked(100);
    let usage = usage(used(LimitUnit::Tokens, 10));
    let caller = set.caller(Some(0));
    let (subject, mut store) = (request("m"), ModelStore::default());
    let acquiring = caller.acquire(&subject, &usage);
    assert!(tokio::time::timeout(TIMEOUT / 2, acquiring).await.is_err());
    assert_eq!(respond(&link, &mut store), 0);
}

/// A permit that another replica gives back wakes no request here: it asks again.
#[tokio::test(start_paused = true)]
async fn a_queue_gets_what_other_replicas_give_back() {
    let mut few = rule("few", &[], &[]);
    (few.concurrent, few.wait) = (Some(1), Duration::from_secs(10));
    let link = LeaseLink::new("one", TIMEOUT, 2, None);
    link.set_up(true);
    let set = LimitSet::with_link(&[few.clone()], &access(), None, &link);
    let (set, mut store) = (Arc::new(set), ModelStore::default());
    let mut other = Replica::new("two", &[few], None);
    let now = |clock: LimitClock| clock.tick.since_start();
    let start = now(LimitClock::now());
    let held = other
        .reserve(&mut store, start, 0, used(LimitUnit::Requests, 1))
        .unwrap();
    let waiting = tokio::spawn(async move {
        let usage = usage(used(LimitUnit::Requests, 1));
        let acquired = set.caller(Some(0)).acquire(&request("m"), &usage).await;
        acquired.map(|it| it.waited).map_err(|it| it.shortage)
    });
    let mut held = Some(held);
    for step in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        respond(&link, &mut store);
        if step == 50 {
            drop(held.take());
            other.exchange(&mut store, now(LimitClock::now()) + Duration::from_secs(2));
        }
    }
    let (rule, waited) = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(&*rule, "few");
    assert!(waited < Duration::from_secs(2), "{waited:?}");
}

fn used_of(used: u64) -> UsedAmount<'static> {
    UsedAmount {
        rule: "tokens",
        subject: "",
        model: None,
        user: None,
        provider: None,
        of: LimitUnit::Tokens,
        period: Period::Total,
        used,
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_sets_the_sum_of_all_replicas() {
    let (link, set) = linked(100);
    let mut store = ModelStore::default();
    let mut other = Replica::new("two", &rules(100), None);
    let now = LimitClock::now().tick.since_start();
    let taken = other.reserve(&mut store, now, 0, used(LimitUnit::Tokens, 60));
    taken
        .unwrap()
        .settle(clock(now), &used(LimitUnit::Tokens, 60));
    other.exchange(&mut store, now + Duration::from_secs(2));
    for wanted in [30, 30, 0, 90] {
        let setting = {
            let set = Arc::clone(&set);
            tokio::spawn(async move { set.set_used_by_all(&used_of(wanted)).await })
        };
        while !setting.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            respond(&link, &mut store);
        }
        let report = setting.await.unwrap().unwrap();
        assert_eq!(report.quotas[0].used, wanted);
    }
    link.set_up(false);
    let error = set.set_used_by_all(&used_of(1)).await.unwrap_err();
    assert_eq!(error, SetUsedError::StoreAway);
}

/// The store knows one amount of this process: a rule that is put back goes on as it was,
/// also without a ledger.
#[test]
fn a_rule_that_is_removed_and_put_back_reports_all_it_has_used() {
    let now: Time = Duration::ZERO;
    let mut store = ModelStore::default();
    let mut replica = Replica::new("one", &rules(100), None);
    let mut spend = |replica: &mut Replica, now| {
        let taken = replica.reserve(&mut store, now, 0, used(LimitUnit::Tokens, 20));
        taken
            .unwrap()
            .settle(clock(now), &used(LimitUnit::Tokens, 20));
        replica.exchange(&mut store, now + Duration::from_secs(2));
        store.counters[0].1.of["one"].taken
    };
    assert_eq!(spend(&mut replica, now), 20);
    replica.reload(&[]);
    replica.reload(&rules(100));
    assert_eq!(spend(&mut replica, now + Duration::from_secs(5)), 40);
}

/// What earlier processes have used is restored once under their ids, and again when the
/// store has lost it.
#[test]
fn a_ledger_restores_what_the_store_has_lost() {
    let stored = Arc::new(StoredWindows::default());
    let mut store = ModelStore::default();
    let mut first = Replica::new("one", &rules(100), Some(&stored));
    let taken = first.reserve(&mut store, Duration::ZERO, 0, used(LimitUnit::Tokens, 70));
    taken
        .unwrap()
        .settle(clock(Duration::ZERO), &used(LimitUnit::Tokens, 70));
    let stored = Arc::new(StoredWindows::default());
    for record in first.set.windows(clock(Duration::ZERO)) {
        stored.restore_from("one", &record);
        // What is read twice counts once.
        stored.restore_from("one", &record);
    }
    store.lose_data();
    let mut second = Replica::new("two", &rules(100), Some(&stored));
    let now = Duration::from_secs(20);
    second.exchange(&mut store, now);
    let spend = |replica: &mut Replica, store: &mut ModelStore, tokens, now| {
        let taken = replica.reserve(store, now, 0, used(LimitUnit::Tokens, tokens))?;
        taken.settle(clock(now), &used(LimitUnit::Tokens, tokens));
        Ok::<_, Shortage>(())
    };
    assert!(spend(&mut second, &mut store, 31, now).is_err());
    spend(&mut second, &mut store, 10, now).unwrap();
    assert_eq!(second.used(LimitUnit::Tokens, Period::Total, now), 80);
    store.lose_data();
    second.link.restore_again();
    let now = now + Duration::from_secs(5);
    second.exchange(&mut store, now);
    assert!(spend(&mut second, &mut store, 21, now).is_err());
    spend(&mut second, &mut store, 20, now).unwrap();
}
