//! Requests that wait while their rules change.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};

use super::{access, amount, one_request, request, rule, rules, usage};
use crate::config::{LimitRule, LimitUnit, Period};
use crate::limits::{Acquired, LimitClock, LimitRefusal, LimitSet};

fn rate(requests: u64) -> LimitRule {
    let mut limit = rule(
        "rate",
        &[],
        &[amount(LimitUnit::Requests, requests, Period::Hour)],
    );
    limit.wait = Duration::from_secs(7200);
    limit
}

fn permits(count: u64) -> LimitRule {
    let mut limit = rule("permits", &[], &[]);
    limit.concurrent = Some(count);
    limit.wait = Duration::from_secs(7200);
    limit
}

async fn start(set: &Arc<LimitSet>) -> JoinHandle<Result<Acquired, Box<LimitRefusal>>> {
    let set = Arc::clone(set);
    let handle = tokio::spawn(async move {
        let usage = usage(one_request());
        set.caller(Some(0)).acquire(&request("m"), &usage).await
    });
    settled().await;
    handle
}

/// Until no task has anything to do. The clock stands still.
async fn settled() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_raised_amount_wakes_those_that_wait() {
    for (config, raised) in [(rate(1), rate(2)), (permits(1), permits(2))] {
        let before = Arc::new(rules(&[config]));
        let _first = start(&before).await.await.unwrap().unwrap();
        let (second, third) = (start(&before).await, start(&before).await);
        assert!(!second.is_finished());
        let after = LimitSet::new(&[raised], &access(), Some(&before), None);
        settled().await;
        assert!(!second.is_finished(), "it is not in force yet");
        after.wake_waiting(&before);
        settled().await;
        assert!(second.is_finished() && !third.is_finished());
        third.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn without_their_rule_all_go_at_once() {
    for config in [rate(1), permits(1)] {
        let before = Arc::new(rules(std::slice::from_ref(&config)));
        let first = start(&before).await.await.unwrap().unwrap();
        let waiting = [start(&before).await, start(&before).await];
        assert!(waiting.iter().all(|it| !it.is_finished()));
        let mut other = config.clone();
        other.name = "other".to_owned();
        let after = LimitSet::new(&[other], &access(), Some(&before), None);
        after.wake_waiting(&before);
        settled().await;
        assert!(waiting.iter().all(JoinHandle::is_finished));
        let settle = |it: Acquired| it.reservation.settle(LimitClock::now(), &one_request());
        settle(first);
        for handle in waiting {
            settle(handle.await.unwrap().unwrap());
        }
        assert!(before.rules().iter().all(|it| it.terms.queues.are_empty()));
    }
}
