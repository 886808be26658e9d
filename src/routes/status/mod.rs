//! What the page is told of the gateway: what it must know first, how things
//! stand, and how they change. Names of models, providers and variables;
//! never what was asked or answered, no key and no address.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::response::{json, refuse};
use crate::access::Caller;
use crate::catalog::DEMO;
use crate::drain::Phase;
use crate::error_response;
use crate::proxy::{Answer, Snapshot, Worker};

mod events;
mod state;
mod targets;
#[cfg(test)]
mod tests;
mod view;

use events::Watch;
use state::State;

/// Callers that may watch at once, for each worker: each costs a reading a
/// second.
const WATCHERS: usize = 16;
/// How long a reading is good for others with the same key: a little less
/// than a caller waits for its next one.
const FRESH: Duration = Duration::from_millis(500);

/// One worker's watchers.
#[derive(Debug)]
pub struct Watchers {
    places: Arc<Semaphore>,
    /// Only one worker's own: the lock is as good as free.
    latest: Arc<Mutex<Option<Reading>>>,
    /// Set when another generation has taken over.
    dismissed: Arc<AtomicBool>,
}

/// A state that was read for one key, and does for others with it.
#[derive(Debug)]
struct Reading {
    at: Instant,
    key: Option<String>,
    state: Arc<State>,
}

#[derive(Serialize)]
struct Facts {
    version: &'static str,
    key_required: bool,
    demo: bool,
    discovers: bool,
}

/// `GET /trunkline/page`: what can be known without a key.
pub fn facts(worker: &Worker) -> Response<Answer> {
    let snapshot = &worker.snapshot;
    let ready = snapshot.catalog.ready();
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION"),
        key_required: !snapshot.gate.is_open(),
        demo: ready
            .iter()
            .any(|model| &*model.label == DEMO && &*model.provider.name == DEMO),
        discovers: snapshot.catalog.discovers(),
    };
    // Strings and numbers cannot fail to serialise.
    fresh(serde_json::to_vec(&facts).unwrap_or_default())
}

/// `GET /trunkline/status`
pub fn status<B>(worker: &Worker, request: &Request<B>) -> Response<Answer> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => {
            let draining = worker.curfew.phase() > Phase::Serving;
            fresh(view::read(snapshot, &caller, draining).whole())
        }
        Err(denied) => refuse(worker, headers, denied.into()),
    }
}

/// `GET /trunkline/status/events`: the same, and then what changes.
pub fn events<B>(worker: &Worker, watchers: &Watchers, request: &Request<B>) -> Response<Answer> {
    let (gate, headers) = (&worker.snapshot.gate, request.headers());
    let caller = match gate.admit(headers, request.extensions()) {
        Ok(caller) => caller,
        Err(denied) => return refuse(worker, headers, denied.into()),
    };
    let Ok(place) = Arc::clone(&watchers.places).try_acquire_owned() else {
        let message = "As many watch the gateway's status as may at once; please try again.";
        return refuse(worker, headers, error_response::overloaded(message));
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
    pub fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(WATCHERS)),
            latest: Arc::default(),
            dismissed: Arc::default(),
        }
    }

    /// Sends them all away: whoever comes back is let in, or not, by the
    /// configuration that is in force.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }
}

/// How things stand for this caller: as another with its key was just told, or
/// as they are now.
fn reading(
    latest: &Mutex<Option<Reading>>,
    snapshot: &Arc<Snapshot>,
    caller: &Caller,
) -> Arc<State> {
    let key = caller.key_name();
    let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(reading) = &*latest
        && reading.key.as_deref() == key
        && reading.at.elapsed() < FRESH
        && Arc::ptr_eq(&reading.state.snapshot, snapshot)
    {
        return Arc::clone(&reading.state);
    }
    let state = Arc::new(view::read(snapshot, caller, false));
    *latest = Some(Reading {
        at: Instant::now(),
        key: key.map(str::to_owned),
        state: Arc::clone(&state),
    });
    state
}
