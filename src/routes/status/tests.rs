//! The event stream, with the clock in our hands.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, Request};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::advance;

use super::state::State;
use super::{WATCHERS, Watchers, events, view};
use crate::app::test_support;
use crate::drain::Phase;
use crate::proxy::{Answer, Worker};
use crate::telemetry::metric::Registry;

fn worker() -> Worker {
    test_support::worker(&Registry::new(), "")
}

fn watch(worker: &Worker, watchers: &Watchers) -> Answer {
    events(worker, watchers, &Request::new(())).into_body()
}

fn latest(watchers: &Watchers) -> Arc<State> {
    let latest = watchers.latest.lock().unwrap();
    Arc::clone(&latest.as_ref().unwrap().state)
}

/// The next event, if there is one now.
async fn now(answer: &mut Answer) -> Option<Bytes> {
    poll_fn(|context| {
        let polled = Pin::new(&mut *answer).poll_frame(context);
        Poll::Ready(match polled {
            Poll::Ready(Some(frame)) => Some(frame.unwrap().into_data().unwrap()),
            _ => None,
        })
    })
    .await
}

fn read(event: &Bytes) -> Value {
    let text = std::str::from_utf8(event).unwrap();
    let text = text.strip_prefix("event: change\n").unwrap_or(text);
    let data = text.strip_prefix("data: ").unwrap();
    serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_event_comes_at_once_and_then_each_second() {
    let (worker, watchers) = (worker(), Watchers::new());
    let mut answer = watch(&worker, &watchers);
    assert_eq!(read(&now(&mut answer).await.unwrap())["draining"], false);
    for _ in 0..3 {
        assert_eq!(now(&mut answer).await, None);
        advance(Duration::from_millis(999)).await;
        assert_eq!(now(&mut answer).await, None);
        advance(Duration::from_millis(1)).await;
        assert!(now(&mut answer).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stood_still_gets_one_event_and_not_all_it_missed() {
    let (worker, watchers) = (worker(), Watchers::new());
    let mut answer = watch(&worker, &watchers);
    assert!(now(&mut answer).await.is_some());
    advance(Duration::from_secs(3600)).await;
    assert!(now(&mut answer).await.is_some());
    assert_eq!(now(&mut answer).await, None);
    advance(Duration::from_secs(1)).await;
    assert!(now(&mut answer).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn those_who_watch_together_share_a_reading() {
    let (worker, watchers) = (worker(), Watchers::new());
    let mut one = watch(&worker, &watchers);
    let mut other = watch(&worker, &watchers);
    let first = now(&mut one).await.unwrap();
    assert_eq!(now(&mut other).await.unwrap(), first);
    let shared = latest(&watchers);
    advance(Duration::from_secs(1)).await;
    assert!(now(&mut one).await.is_some());
    assert!(!Arc::ptr_eq(&latest(&watchers), &shared));
}

#[tokio::test(start_paused = true)]
async fn an_event_after_the_first_is_small_and_named() {
    let (worker, watchers) = (worker(), Watchers::new());
    let mut answer = watch(&worker, &watchers);
    let whole = now(&mut answer).await.unwrap();
    assert!(whole.starts_with(b"data: "));
    advance(Duration::from_secs(1)).await;
    let change = now(&mut answer).await.unwrap();
    assert!(change.starts_with(b"event: change\ndata: "));
    assert!(change.len() < 400 && change.len() * 10 < whole.len());
}

#[tokio::test(start_paused = true)]
async fn another_snapshot_is_told_as_a_whole() {
    let (one, other) = (worker(), worker());
    let caller = one
        .snapshot
        .gate
        .admit(&HeaderMap::new(), &Extensions::new())
        .unwrap();
    let before = view::read(&one.snapshot, &caller, false);
    let after = view::read(&other.snapshot, &caller, false);
    assert!(after.event(Some(&before)).starts_with(b"data: "));
    assert!(before.event(Some(&before)).starts_with(b"event: change"));
}

#[tokio::test(start_paused = true)]
async fn the_last_event_says_that_the_gateway_drains() {
    let (worker, watchers) = (worker(), Watchers::new());
    let mut answer = watch(&worker, &watchers);
    assert!(now(&mut answer).await.is_some());
    worker.curfew.ring(Phase::Draining);
    assert_eq!(read(&now(&mut answer).await.unwrap())["draining"], true);
    assert!(answer.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn so_many_may_watch_and_a_place_is_free_when_one_leaves() {
    let (worker, watchers) = (worker(), Watchers::new());
    let mut all: Vec<Answer> = (0..WATCHERS).map(|_| watch(&worker, &watchers)).collect();
    let refused = events(&worker, &watchers, &Request::new(()));
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    all.pop();
    let admitted = events(&worker, &watchers, &Request::new(()));
    assert_eq!(admitted.status(), 200);
}
