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

use super::state::StatusState;
use super::{MAX_SUBSCRIBERS, Subscribers, events, view};
use crate::app::test_support;
use crate::drain::Phase;
use crate::proxy::{ResponseBody, Worker};
use crate::telemetry::metric::Registry;

fn worker() -> Worker {
    test_support::worker(&Registry::new(), "")
}

fn subscribe(worker: &Worker, subscribers: &Subscribers) -> ResponseBody {
    events(worker, subscribers, &Request::new(())).into_body()
}

fn latest_state(subscribers: &Subscribers) -> Arc<StatusState> {
    let latest = subscribers.cache.lock().unwrap();
    Arc::clone(&latest.as_ref().unwrap().state)
}

/// The next event, if one is ready.
async fn ready_event(body: &mut ResponseBody) -> Option<Bytes> {
    poll_fn(|context| {
        let polled = Pin::new(&mut *body).poll_frame(context);
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
async fn an_event_is_sent_at_once_and_then_every_second() {
    let (worker, subscribers) = (worker(), Subscribers::new());
    let mut body = subscribe(&worker, &subscribers);
    assert_eq!(
        read(&ready_event(&mut body).await.unwrap())["draining"],
        false
    );
    for _ in 0..3 {
        assert_eq!(ready_event(&mut body).await, None);
        advance(Duration::from_millis(999)).await;
        assert_eq!(ready_event(&mut body).await, None);
        advance(Duration::from_millis(1)).await;
        assert!(ready_event(&mut body).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_one_event_for_all_that_it_missed() {
    let (worker, subscribers) = (worker(), Subscribers::new());
    let mut body = subscribe(&worker, &subscribers);
    assert!(ready_event(&mut body).await.is_some());
    advance(Duration::from_secs(3600)).await;
    assert!(ready_event(&mut body).await.is_some());
    assert_eq!(ready_event(&mut body).await, None);
    advance(Duration::from_secs(1)).await;
    assert!(ready_event(&mut body).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn concurrent_subscribers_share_a_state() {
    let (worker, subscribers) = (worker(), Subscribers::new());
    let mut one = subscribe(&worker, &subscribers);
    let mut other = subscribe(&worker, &subscribers);
    let first = ready_event(&mut one).await.unwrap();
    assert_eq!(ready_event(&mut other).await.unwrap(), first);
    let shared = latest_state(&subscribers);
    advance(Duration::from_secs(1)).await;
    assert!(ready_event(&mut one).await.is_some());
    assert!(!Arc::ptr_eq(&latest_state(&subscribers), &shared));
}

#[tokio::test(start_paused = true)]
async fn an_event_after_the_first_is_small_and_named() {
    let (worker, subscribers) = (worker(), Subscribers::new());
    let mut body = subscribe(&worker, &subscribers);
    let complete = ready_event(&mut body).await.unwrap();
    assert!(complete.starts_with(b"data: "));
    advance(Duration::from_secs(1)).await;
    let change = ready_event(&mut body).await.unwrap();
    assert!(change.starts_with(b"event: change\ndata: "));
    assert!(change.len() < 400 && change.len() * 10 < complete.len());
}

#[tokio::test(start_paused = true)]
async fn the_status_of_another_snapshot_is_sent_completely() {
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
async fn the_last_event_reports_the_drain() {
    let (worker, subscribers) = (worker(), Subscribers::new());
    let mut body = subscribe(&worker, &subscribers);
    assert!(ready_event(&mut body).await.is_some());
    worker.drain.advance_to(Phase::Draining);
    assert_eq!(
        read(&ready_event(&mut body).await.unwrap())["draining"],
        true
    );
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_limited_and_a_permit_is_released_when_one_ends() {
    let (worker, subscribers) = (worker(), Subscribers::new());
    let mut all: Vec<ResponseBody> = (0..MAX_SUBSCRIBERS)
        .map(|_| subscribe(&worker, &subscribers))
        .collect();
    let rejected = events(&worker, &subscribers, &Request::new(()));
    assert_eq!(rejected.status(), 503);
    assert!(rejected.headers().contains_key("retry-after"));
    all.pop();
    let admitted = events(&worker, &subscribers, &Request::new(()));
    assert_eq!(admitted.status(), 200);
}
