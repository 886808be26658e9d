//! Admission: the drain phase, the limit of requests in flight, the client key.

use http::request::Parts;

use super::Worker;
use crate::access::Caller;
use crate::drain::Phase;
use crate::error_response::{self, ErrorResponse};
use crate::shared_limit::LimitPermit;

/// A permit for one request in flight, and the client whose key was sent.
pub(super) fn admit(worker: &Worker, head: &Parts) -> Result<(LimitPermit, Caller), ErrorResponse> {
    if worker.drain.phase() >= Phase::Draining {
        return Err(error_response::shutting_down());
    }
    let permit = worker.in_flight.acquire(1)?;
    let gate = &worker.snapshot.gate;
    let caller = gate.admit(&head.headers, &head.extensions)?;
    Ok((permit, caller))
}
