//! WebSockets (RFC 6455): a caller's, and the upstream's that it is tied to.
//!
//! The story is that of any request up to the upstream's answer. Only when that
//! is a change of protocols, the caller gets one as well, and from there on
//! bytes pass both ways as they come.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::attempt::{self, Opened};
use super::response_body::Answer;
use super::{Worker, enter, intake, refuse, relay, resolve, unless_expired};
use crate::drain::Ear;
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::routing::InFlight;
use crate::shared_limit::Share;
use crate::upstream::WebSocket;
use crate::wire::api_path::Call;

mod flow;
mod frames;
mod handshake;
mod run;

pub use handshake::asks;
pub use run::Stream;

use flow::Flow;

/// Both ends of a WebSocket, before its bytes begin to pass.
#[derive(Debug)]
pub struct Tunnel {
    upstream: WebSocket,
    meter: Meter,
    bytes_in: Rc<Cell<u64>>,
    ear: Ear,
    /// Longest silence of both sides.
    idle: Duration,
    _seat: Share,
    _in_flight: Option<InFlight>,
}

/// Serves a handshake. The answer is a change of protocols only where the
/// upstream's is one.
pub async fn serve(worker: &Worker, call: Call, head: Parts) -> Response<Answer> {
    let id = head.headers.get(error_response::REQUEST_ID);
    let request_id = worker.request_ids.for_request(id);
    let mut meter = Meter::start(&worker.desk, call.endpoint, request_id);
    if let Some(tracer) = &worker.snapshot.tracer {
        meter.traces(tracer, &head.headers);
    }
    // Boxed, since it is large, and seldom.
    let mut told = Box::pin(story(worker, &mut meter, call, head));
    let ended = unless_expired(worker, told.as_mut()).await;
    drop(told);
    match ended {
        Ok((attempt::Opening::Opened(opened), seat)) => answer(worker, opened, seat, meter),
        Ok((attempt::Opening::Answered(accepted), seat)) => {
            relay::answer(worker, accepted, seat, meter)
        }
        Err(failure) => refuse(worker, failure, meter),
    }
}

async fn story(
    worker: &Worker,
    meter: &mut Meter,
    call: Call,
    mut head: Parts,
) -> Result<(attempt::Opening, Share), Failure> {
    let seat = enter(worker)?;
    handshake::find_credential(&mut head, &call);
    let gate = &worker.snapshot.gate;
    let caller = gate.admit(&head.headers, &head.extensions)?;
    meter.called_by(caller.clone());
    let mut intake = intake::without_body(worker, call)?;
    if intake.model.is_empty() {
        let named = resolve::model_in_query(head.uri.query())?;
        intake.model = named.unwrap_or_default();
    }
    let resolved = resolve::find(worker, &caller, &intake, &mut head)?;
    meter.calls(resolved.model);
    let opening = attempt::open(worker, meter, &resolved, &head, &intake).await?;
    Ok((opening, seat))
}

/// The change of protocols. The tunnel is in the answer's body until the
/// connection takes it out.
fn answer(worker: &Worker, opened: Opened, seat: Share, mut meter: Meter) -> Response<Answer> {
    let Opened {
        mut headers,
        upstream,
        in_flight,
    } = opened;
    meter.answers(StatusCode::SWITCHING_PROTOCOLS.as_u16(), false);
    meter.tunnels();
    let bytes_in = Rc::default();
    meter.receives(&bytes_in);
    error_response::identify(&mut headers, meter.request_id());
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    meter.waits();
    let limits = &worker.snapshot.limits;
    if limits.server_timing {
        error_response::tell_times(&mut headers, &meter);
    }
    let tunnel = Tunnel {
        upstream,
        meter,
        bytes_in,
        ear: worker.curfew.listen(),
        idle: limits.tunnel_idle,
        _seat: seat,
        _in_flight: in_flight,
    };
    let mut response = Response::new(Answer::Tunnel(Box::new(tunnel)));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

impl Tunnel {
    /// Notes what has passed.
    fn count(&mut self, up: &mut Flow, down: &mut Flow) -> bool {
        let (sent, got) = (up.take_passed(), down.take_passed());
        self.bytes_in.set(self.bytes_in.get() + sent);
        self.meter
            .passed(usize::try_from(got).unwrap_or(usize::MAX));
        sent + got > 0
    }

    fn flows(early: Bytes) -> (Flow, Flow) {
        (Flow::new(early), Flow::new(Bytes::new()))
    }
}
