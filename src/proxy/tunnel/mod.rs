//! WebSockets (RFC 6455), tunnelled to the upstream.
//!
//! The handshake goes through the pipeline of any request. The client gets a 101
//! only when the upstream has sent one; then bytes are copied both ways.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::Worker;
use crate::drain::DrainWatch;
use crate::metering::Meter;
use crate::routing::InFlightGuard;
use crate::shared_limit::LimitPermit;
use crate::upstream::WebSocket;
use crate::wire::endpoint::Endpoint;

mod driver;
mod frame_tracker;
mod half;
mod handshake;
mod responses_tap;

pub use driver::ClientStream;
pub(super) use handshake::extract_credential;
pub use handshake::is_handshake;

use half::Half;
use responses_tap::ResponsesTap;

/// The upstream's end of a WebSocket, until it is run with the client's.
#[derive(Debug)]
pub struct Tunnel {
    upstream: WebSocket,
    meter: Meter,
    bytes_in: Rc<Cell<u64>>,
    drain: DrainWatch,
    /// Idle timeout of both directions together.
    idle: Duration,
    /// Of a WebSocket of the Responses API.
    tap: Option<Box<ResponsesTap>>,
    _permit: LimitPermit,
    _in_flight: Option<InFlightGuard>,
}

impl Tunnel {
    pub(super) fn new(
        worker: &Worker,
        headers: &HeaderMap,
        upstream: WebSocket,
        in_flight: Option<InFlightGuard>,
        permit: LimitPermit,
        mut meter: Meter,
    ) -> Self {
        let bytes_in = Rc::default();
        meter.count_bytes_in(&bytes_in);
        let is_responses = meter.endpoint() == Endpoint::Responses;
        Self {
            tap: is_responses.then(|| Box::new(ResponsesTap::new(headers))),
            upstream,
            meter,
            bytes_in,
            drain: worker.drain.watch(),
            idle: worker.snapshot.limits.tunnel_idle,
            _permit: permit,
            _in_flight: in_flight,
        }
    }

    fn record_bytes(&mut self, up: &mut Half, down: &mut Half) -> bool {
        let (sent, received) = (up.take_bytes_written(), down.take_bytes_written());
        self.bytes_in.set(self.bytes_in.get() + sent);
        self.meter
            .add_bytes_out(usize::try_from(received).unwrap_or(usize::MAX));
        sent + received > 0
    }

    /// Limits count each response when it ends, not only when the session does.
    fn charge_responses(&mut self) {
        let tap = self.tap.as_deref_mut();
        if let Some(usage) = tap.and_then(ResponsesTap::take_recent) {
            self.meter.on_session_usage(&usage);
        }
    }

    fn halves(&mut self, early: Bytes) -> (Half, Half) {
        let tap = &mut self.tap;
        let up = Half::new(early, |part| {
            if let Some(tap) = tap {
                tap.on_request(part);
            }
        });
        (up, Half::new(Bytes::new(), |_| {}))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.report(&mut self.meter);
        }
    }
}
