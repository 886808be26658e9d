//! The status API of the page: page info, status, status events. Contains names of
//! models, providers and variables, but no request or response content, no key and no
//! address.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::response::{json_no_store, reject};
use crate::access::Caller;
use crate::catalog::DEMO;
use crate::drain::Phase;
use crate::error_response;
use crate::proxy::{ResponseBody, Snapshot, Worker};

pub mod clock;
mod events;
mod state;
mod targets;
#[cfg(test)]
mod tests;
mod view;

use events::StatusStream;
use state::StatusState;

/// Concurrent subscribers of one worker. Each reads the status once a second.
const MAX_SUBSCRIBERS: usize = 16;
/// How long subscribers with the same key share a state: less than the interval of
/// events.
const CACHE_TTL: Duration = Duration::from_millis(500);

/// The subscribers of one worker.
#[derive(Debug)]
pub struct Subscribers {
    semaphore: Arc<Semaphore>,
    /// Used only by this worker, so the lock is uncontended.
    cache: Arc<Mutex<Option<CachedState>>>,
    /// Set when the next generation becomes active.
    disconnected: Arc<AtomicBool>,
}

/// A state read for the client with this key.
#[derive(Debug)]
struct CachedState {
    read_at: Instant,
    key: Option<String>,
    state: Arc<StatusState>,
}

#[derive(Serialize)]
struct PageInfo {
    version: &'static str,
    key_required: bool,
    demo: bool,
    discovers: bool,
}

/// `GET /trunkline/page`: what the page needs before it has a key.
pub fn page_info<B>(worker: &Worker, request: &Request<B>) -> Response<ResponseBody> {
    let snapshot = &worker.snapshot;
    let ready = snapshot.catalog.ready_models();
    let info = PageInfo {
        version: env!("CARGO_PKG_VERSION"),
        key_required: !snapshot.gate.is_open(),
        demo: ready
            .iter()
            .any(|model| &*model.label == DEMO && &*model.provider.name == DEMO),
        discovers: snapshot.catalog.always_discovers(),
    };
    // Serializing strings and booleans cannot fail.
    json_no_store(
        serde_json::to_vec(&info).unwrap_or_default(),
        request.headers(),
    )
}

/// `GET /trunkline/status`
pub fn status<B>(worker: &Worker, request: &Request<B>) -> Response<ResponseBody> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => {
            let draining = worker.drain.phase() > Phase::Serving;
            let status = view::read(snapshot, &caller, draining);
            json_no_store(status.to_json(), headers)
        }
        Err(denied) => reject(worker, headers, denied.into()),
    }
}

/// `GET /trunkline/status/events`: the status, then its changes.
pub fn events<B>(
    worker: &Worker,
    subscribers: &Subscribers,
    request: &Request<B>,
) -> Response<ResponseBody> {
    let (gate, headers) = (&worker.snapshot.gate, request.headers());
    let caller = match gate.admit(headers, request.extensions()) {
        Ok(caller) => caller,
        Err(denied) => return reject(worker, headers, denied.into()),
    };
    let Ok(permit) = Arc::clone(&subscribers.semaphore).try_acquire_owned() else {
        let message = "Too many clients watch the status; retry later.";
        return reject(worker, headers, error_response::overloaded(message));
    };
    let stream = StatusStream::new(worker, subscribers, caller, permit);
    let mut response = Response::new(ResponseBody::local_stream(stream));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // nginx would buffer the events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Subscribers {
    pub fn new() -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(MAX_SUBSCRIBERS)),
            cache: Arc::default(),
            disconnected: Arc::default(),
        }
    }

    /// Ends all event streams: clients reconnect, and are admitted by the new
    /// configuration.
    pub fn disconnect_all(&self) {
        self.disconnected.store(true, Ordering::Relaxed);
    }
}

/// The state for this client: a recent one of the same key, or a new one.
fn cached_state(
    cache: &Mutex<Option<CachedState>>,
    snapshot: &Arc<Snapshot>,
    caller: &Caller,
) -> Arc<StatusState> {
    let key = caller.key_name();
    let mut cached = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(latest) = &*cached
        && latest.key.as_deref() == key
        && latest.read_at.elapsed() < CACHE_TTL
        && Arc::ptr_eq(&latest.state.snapshot, snapshot)
    {
        return Arc::clone(&latest.state);
    }
    let state = Arc::new(view::read(snapshot, caller, false));
    *cached = Some(CachedState {
        read_at: Instant::now(),
        key: key.map(str::to_owned),
        state: Arc::clone(&state),
    });
    state
}
