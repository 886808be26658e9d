//! What the page is told of the gateway: what it must know first, how things
//! stand, and how they change. Names of models, providers and variables;
//! never what was asked or answered, no key and no address.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::answer::{json, refuse};
use crate::access::Caller;
use crate::catalog::DEMO;
use crate::proxy::curfew::Phase;
use crate::proxy::{Answer, Snapshot, Worker, reply};

mod events;
#[cfg(test)]
mod tests;
mod view;

use events::Watch;

/// Callers that may watch at once, for each worker: each costs a rendering a
/// second.
const WATCHERS: usize = 16;
/// How long a rendering is good for others with the same key: a little less
/// than a caller waits for its next one.
const FRESH: Duration = Duration::from_millis(500);

/// One worker's watchers.
#[derive(Debug)]
pub(super) struct Watchers {
    places: Arc<Semaphore>,
    /// Only one worker's own: the lock is as good as free.
    latest: Arc<Mutex<Option<Rendering>>>,
    /// Set when another generation has taken over.
    dismissed: Arc<AtomicBool>,
}

/// An event that was made for one key, and does for others with it.
#[derive(Debug)]
struct Rendering {
    at: Instant,
    key: Option<String>,
    event: Bytes,
}

#[derive(Serialize)]
struct Facts {
    version: &'static str,
    key_required: bool,
    demo: bool,
}

/// `GET /trunkline/page`: what can be known without a key.
pub(super) fn facts(worker: &Worker) -> Response<Answer> {
    let snapshot = &worker.snapshot;
    let ready = snapshot.catalog.ready();
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION"),
        key_required: !snapshot.gate.is_open(),
        demo: ready
            .iter()
            .any(|model| &*model.label == DEMO && &*model.provider.name == DEMO),
    };
    // Strings and numbers cannot fail to serialise.
    fresh(serde_json::to_vec(&facts).unwrap_or_default())
}

/// `GET /trunkline/status`
pub(super) fn status(worker: &Worker, headers: &HeaderMap) -> Response<Answer> {
    let snapshot = &worker.snapshot;
    match snapshot.gate.admit(headers) {
        Ok(caller) => {
            let draining = worker.curfew.phase() > Phase::Serving;
            let mut text = Vec::new();
            view::write(&mut text, snapshot, &caller, draining);
            fresh(text)
        }
        Err(denied) => refuse(worker, headers, denied.into()),
    }
}

/// `GET /trunkline/status/events`: the same, over and over.
pub(super) fn events(
    worker: &Worker,
    watchers: &Watchers,
    headers: &HeaderMap,
) -> Response<Answer> {
    let caller = match worker.snapshot.gate.admit(headers) {
        Ok(caller) => caller,
        Err(denied) => return refuse(worker, headers, denied.into()),
    };
    let Ok(place) = Arc::clone(&watchers.places).try_acquire_owned() else {
        let message = "As many watch the gateway's status as may at once; please try again.";
        return refuse(worker, headers, reply::overloaded(message));
    };
    let watch = Watch::new(worker, watchers, caller, place);
    let mut response = Response::new(Answer::stream(watch));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // nginx would hold events back to fill its buffers.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// JSON that nobody is to keep.
fn fresh(text: Vec<u8>) -> Response<Answer> {
    let mut response = json(text);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Watchers {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(WATCHERS)),
            latest: Arc::default(),
            dismissed: Arc::default(),
        }
    }

    /// Sends them all away: whoever comes back is let in, or not, by the
    /// configuration that is in force.
    pub(super) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }
}

/// An event for this caller: the one that another with its key was just given,
/// or a new one.
fn event(latest: &Mutex<Option<Rendering>>, snapshot: &Snapshot, caller: &Caller) -> Bytes {
    let key = caller.key_name();
    let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(rendering) = &*latest
        && rendering.key.as_deref() == key
        && rendering.at.elapsed() < FRESH
    {
        return rendering.event.clone();
    }
    let event = render(snapshot, caller, false);
    *latest = Some(Rendering {
        at: Instant::now(),
        key: key.map(str::to_owned),
        event: event.clone(),
    });
    event
}

fn render(snapshot: &Snapshot, caller: &Caller, draining: bool) -> Bytes {
    let mut event = b"data: ".to_vec();
    view::write(&mut event, snapshot, caller, draining);
    event.extend_from_slice(b"\n\n");
    event.into()
}
