//! Admission: the drain phase, the limit of requests in flight, the client key.

use http::request::Parts;

use super::Worker;
use crate::access::Caller;
use crate::drain::Phase;
use crate::error_response::{self, ErrorResponse};
use crate::shared_limit::{LimitExceeded, LimitPermit};

/// A permit for one request in flight, and the client whose key was sent. The permit is
/// released while the body is awaited ([`pause`]): else clients that send slowly could
/// hold all of them, and shut others out.
pub(super) fn admit(worker: &Worker, head: &Parts) -> Result<(LimitPermit, Caller), ErrorResponse> {
    if worker.drain.phase() >= Phase::Draining {
        return Err(error_response::shutting_down());
    }
    let permit = worker.in_flight.acquire(1)?;
    let gate = &worker.snapshot.gate;
    let caller = gate.admit(&head.headers, &head.extensions)?;
    Ok((permit, caller))
}

/// Releases the permit of a request whose body is awaited.
pub(super) fn pause(in_flight: &mut LimitPermit) {
    in_flight.shrink_to(0);
}

/// Takes the permit again, now that the body has arrived.
pub(super) fn resume(in_flight: &mut LimitPermit) -> Result<(), LimitExceeded> {
    in_flight.grow_to(1, 0)
}
