//! Requests that wait, on a clock that stands still between them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance};

use super::{amount, cost, one_request, request, rule, rules, usage};
use crate::config::{LimitRule, LimitUnit, Period};
use crate::limits::{
    Acquired, ExpectedUsage, LimitClock, LimitRefusal, LimitSet, LimitUsage, Shortage,
};

const SECOND: Duration = Duration::from_secs(1);

/// Ten requests a second.
fn rate(wait: Duration, max_waiting: usize) -> LimitRule {
    let mut limit = rule(
        "rate",
        &[],
        &[amount(LimitUnit::Requests, 10, Period::Second)],
    );
    limit.wait = wait;
    limit.max_waiting = max_waiting;
    limit
}

fn permits(count: u64, wait: Duration) -> LimitRule {
    let mut limit = rule("permits", &[], &[]);
    limit.concurrent = Some(count);
    limit.wait = wait;
    limit
}

async fn acquire(set: &LimitSet, expected: ExpectedUsage) -> Result<Acquired, Box<LimitRefusal>> {
    set.caller(Some(0)).acquire(&request("m"), &expected).await
}

/// A request that begins to wait now; it ends with the time of its turn.
async fn start(
    set: &Arc<LimitSet>,
    used: LimitUsage,
) -> JoinHandle<Result<(Acquired, Instant), Box<LimitRefusal>>> {
    let set = Arc::clone(set);
    let handle = tokio::spawn(async move {
        let acquired = acquire(&set, usage(used)).await?;
        Ok((acquired, Instant::now()))
    });
    settled().await;
    handle
}

/// Until no task has anything to do.
async fn settled() {
    for _ in 0..10 {
        yield_now().await;
    }
}

/// Takes all of a rate.
fn exhaust(set: &LimitSet, requests: u64) {
    for _ in 0..requests {
        let caller = set.caller(Some(0));
        let taken = caller.reserve(&request("m"), LimitClock::now(), &usage(one_request()));
        taken.unwrap().settle(LimitClock::now(), &one_request());
    }
}

fn is_free(set: &LimitSet) -> bool {
    set.rules().iter().all(|rule| rule.terms.queues.are_empty())
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_go_in_order_and_at_the_rate() {
    let set = Arc::new(rules(&[rate(SECOND, 64)]));
    exhaust(&set, 10);
    let start_time = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(start(&set, one_request()).await);
    }
    for (index, handle) in waiting.into_iter().enumerate() {
        let (acquired, time) = handle.await.unwrap().unwrap();
        let expected = Duration::from_millis(100 * (index as u64 + 1));
        let waited = time - start_time;
        assert!(waited >= expected, "{index}: {waited:?}");
        assert!(
            waited < expected + Duration::from_millis(3),
            "{index}: {waited:?}"
        );
        let (rule, time_waited) = acquired.waited.unwrap();
        assert_eq!((&*rule, time_waited), ("rate", waited));
        acquired
            .reservation
            .settle(LimitClock::now(), &one_request());
    }
    assert!(is_free(&set));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_be_too_long_is_refused_at_once() {
    let set = Arc::new(rules(&[rate(Duration::from_millis(250), 64)]));
    exhaust(&set, 10);
    let first = start(&set, one_request()).await;
    let second = start(&set, one_request()).await;
    // Two are before it.
    let third = start(&set, one_request()).await;
    assert!(third.is_finished());
    let refusal = third.await.unwrap().unwrap_err();
    let Shortage::Wait(wait) = refusal.shortage else {
        panic!("{refusal:?}");
    };
    assert!((290..=300).contains(&wait.as_millis()), "{wait:?}");
    assert!(!first.is_finished() && !second.is_finished());
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_bounded() {
    let set = Arc::new(rules(&[rate(10 * SECOND, 2)]));
    exhaust(&set, 10);
    let one = start(&set, one_request()).await;
    let two = start(&set, one_request()).await;
    let refused = start(&set, one_request()).await;
    assert!(refused.is_finished());
    assert!(refused.await.unwrap().is_err());
    assert!(one.await.unwrap().is_ok());
    // There is a space again.
    let three = start(&set, one_request()).await;
    assert!(two.await.unwrap().is_ok() && three.await.unwrap().is_ok());
    assert!(is_free(&set));
}

#[tokio::test(start_paused = true)]
async fn no_request_passes_those_that_wait() {
    let mut limit = permits(2, SECOND);
    limit.amounts = vec![amount(LimitUnit::Budget, 100, Period::Day)];
    let set = Arc::new(rules(&[limit]));
    let held = [cost(1), cost(1)].map(|it| acquire(&set, usage(it)));
    let [one, two] = held;
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    let waiting = start(&set, cost(1)).await;
    one.reservation.settle(LimitClock::now(), &cost(1));
    // The permit is free, but not for a newcomer.
    let caller = set.caller(Some(0));
    let newcomer = caller.reserve(&request("m"), LimitClock::now(), &usage(cost(1)));
    assert!(newcomer.is_err());
    let (acquired, _) = waiting.await.unwrap().unwrap();
    drop((acquired, two));
    assert!(
        caller
            .reserve(&request("m"), LimitClock::now(), &usage(cost(1)))
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_back_wakes_the_first() {
    let set = Arc::new(rules(&[permits(1, 60 * SECOND)]));
    let held = acquire(&set, usage(one_request())).await.unwrap();
    let first = start(&set, one_request()).await;
    let second = start(&set, one_request()).await;
    advance(SECOND).await;
    let before = Instant::now();
    drop(held);
    let (first, time) = first.await.unwrap().unwrap();
    assert_eq!(time, before, "it was not woken");
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap().unwrap().1, before);
    assert!(is_free(&set));
}

#[tokio::test(start_paused = true)]
async fn a_refund_wakes_the_first() {
    let tokens = [amount(LimitUnit::OutputTokens, 60, Period::Minute)];
    let mut limit = rule("tokens", &[], &tokens);
    limit.wait = 60 * SECOND;
    let set = Arc::new(rules(&[limit]));
    let tokens = |tokens| LimitUsage {
        output_tokens: tokens,
        ..one_request()
    };
    let held = acquire(&set, usage(tokens(60))).await.unwrap();
    let waiting = start(&set, tokens(30)).await;
    advance(SECOND).await;
    let before = Instant::now();
    held.reservation.settle(LimitClock::now(), &tokens(5));
    assert_eq!(waiting.await.unwrap().unwrap().1, before);
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_leaves_no_trace() {
    let set = Arc::new(rules(&[permits(1, 60 * SECOND)]));
    let held = acquire(&set, usage(one_request())).await.unwrap();
    let first = start(&set, one_request()).await;
    let second = start(&set, one_request()).await;
    let third = start(&set, one_request()).await;
    // The first in the queue, and one behind it.
    first.abort();
    third.abort();
    settled().await;
    drop(held);
    let (acquired, _) = second.await.unwrap().unwrap();
    assert!(is_free(&set));
    drop(acquired);
    assert_eq!(set.report(LimitClock::now())[0].quotas[0].used, 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_does_not_come_ends_with_a_refusal() {
    let set = Arc::new(rules(&[permits(1, SECOND)]));
    let _held = acquire(&set, usage(one_request())).await.unwrap();
    let start_time = Instant::now();
    let first = start(&set, one_request()).await;
    let second = start(&set, one_request()).await;
    for handle in [first, second] {
        let refusal = handle.await.unwrap().unwrap_err();
        assert_eq!(refusal.shortage, Shortage::Held);
    }
    let waited = start_time.elapsed();
    assert!((SECOND..2 * SECOND).contains(&waited), "{waited:?}");
    assert!(is_free(&set));
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_waited_for_while_requests_run_that_may_give_it_back() {
    let mut day = rule("day", &[], &[amount(LimitUnit::Budget, 5, Period::Day)]);
    day.wait = 60 * SECOND;
    let set = Arc::new(rules(&[day]));
    let running = acquire(&set, usage(cost(5))).await.unwrap();
    let (first, second) = (start(&set, cost(4)).await, start(&set, cost(4)).await);
    running.reservation.settle(LimitClock::now(), &cost(1));
    let (running, _) = first.await.unwrap().unwrap();
    running.reservation.settle(LimitClock::now(), &cost(4));
    // It is spent now.
    let refusal = second.await.unwrap().unwrap_err();
    assert!(matches!(refusal.shortage, Shortage::UntilEnd(_)));
    assert!(is_free(&set));
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_a_day_or_where_another_rule_refuses() {
    let mut day = rule("day", &[], &[amount(LimitUnit::Requests, 1, Period::Day)]);
    day.wait = 60 * SECOND;
    let set = rules(&[day]);
    exhaust(&set, 1);
    let refusal = acquire(&set, usage(one_request())).await.unwrap_err();
    assert!(matches!(refusal.shortage, Shortage::UntilEnd(_)));
    assert!(is_free(&set));

    // A wait for the rate would be for nothing.
    let blocked = rule(
        "strict",
        &[],
        &[amount(LimitUnit::Requests, 10, Period::Second)],
    );
    let set = rules(&[rate(SECOND, 64), blocked]);
    exhaust(&set, 10);
    let before = Instant::now();
    let refusal = acquire(&set, usage(one_request())).await.unwrap_err();
    assert_eq!((&*refusal.rule, Instant::now()), ("strict", before));
}

/// A request that is first in one queue and then waits in another holds up no one.
#[tokio::test(start_paused = true)]
async fn two_rules_are_waited_for_in_turn() {
    let set = Arc::new(rules(&[permits(1, 60 * SECOND), rate(60 * SECOND, 64)]));
    let held = acquire(&set, usage(one_request())).await.unwrap();
    exhaust_rate(&set);
    let waiting = start(&set, one_request()).await;
    advance(SECOND / 2).await;
    settled().await;
    assert!(!waiting.is_finished());
    held.reservation.settle(LimitClock::now(), &one_request());
    let (acquired, _) = waiting.await.unwrap().unwrap();
    assert_eq!(&*acquired.waited.as_ref().unwrap().0, "permits");
    assert!(is_free(&set));
}

/// The rate by hand, since the permit is held.
fn exhaust_rate(set: &LimitSet) {
    let amount = crate::limits::UsedAmount {
        rule: "rate",
        subject: "",
        model: None,
        user: None,
        provider: None,
        of: LimitUnit::Requests,
        period: Period::Second,
        used: 10,
    };
    set.set_used(&amount, LimitClock::now()).unwrap();
}
