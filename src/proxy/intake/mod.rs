//! Reads of a request's body what it takes to find out where it goes, and holds
//! no more of it than that.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

mod form;
mod json;
mod spool;
mod upload;

pub(super) use json::{read, scan_of};
pub(super) use upload::Rest;

use super::Worker;
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::shared_limit::Share;
use crate::wire::api_path::Call;
use crate::wire::endpoint::{Endpoint, FormModel};
use crate::wire::media_type::MediaType;
use crate::wire::scan::{Scan, scan_any, scan_object};
use json::json_length;
use upload::Live;

/// How much is read of a body that nobody wants, and how long.
const SWALLOWED: usize = 256 * 1024;
const SWALLOWED_WITHIN: Duration = Duration::from_secs(1);

/// A request that was read and understood as far as needed.
#[derive(Debug)]
pub(super) struct Intake {
    /// The body as it came, as far as it is held in one piece.
    pub body: Bytes,
    /// Where in it the edits go.
    pub scan: Scan,
    /// The model that the caller asks for; empty where it names none.
    pub model: String,
    /// What is known of a call that is none of the usual ones.
    pub special: Option<Box<Special>>,
    /// Its part of the bytes that may be held.
    pub _share: Share,
}

/// What a call other than the usual ones brings with it.
#[derive(Debug)]
pub(super) struct Special {
    /// What its URL says.
    pub call: Call,
    /// What it sends.
    pub content: Content,
}

impl Special {
    /// Whether there may be a model in it that nobody has looked for: a body
    /// that passes unread, or what is said over a WebSocket.
    pub(super) fn is_unseen(&self) -> bool {
        match &self.content {
            Content::Passing(rest) => rest.is_unseen(),
            Content::Nothing => self.call.endpoint == Endpoint::Responses,
            Content::Held | Content::Named(_) => false,
        }
    }
}

/// What is sent with a call.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing, nor a word of it.
    Nothing,
    /// What is held in [`Intake::body`].
    Held,
    /// The same, with a model that did not stand there, and this behind it.
    Named(&'static str),
    /// What is not held.
    Passing(Box<Rest>),
}

impl Intake {
    /// The body that can be sent once only, if it is such.
    pub(super) fn goes_once(&self) -> Option<&Rest> {
        match &self.special.as_ref()?.content {
            Content::Passing(rest) if rest.goes_once() => Some(rest),
            _ => None,
        }
    }
}

/// Reads what there is of a short body that nobody wants: its connection can
/// then be used again, as callers expect that have sent head and body apart. One
/// that waits to be asked for is not.
pub(super) fn swallow<B>(head: &Parts, body: B) -> Pin<Box<impl Future<Output = ()> + use<B>>>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let waits = head.headers.contains_key(EXPECT);
    Box::pin(async move {
        if waits {
            return;
        }
        let mut body = pin!(body);
        let mut left = SWALLOWED;
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Of what does not come, the connection's end tells.
        let _ = timeout(SWALLOWED_WITHIN, reading).await;
    })
}

/// Reads as much of the body of any call as it takes to find out where it goes.
pub(super) async fn look<B>(
    worker: &Worker,
    meter: &mut Meter,
    call: Call,
    head: &Parts,
    body: B,
) -> Result<Intake, Failure>
where
    B: Body<Data = Bytes, Error = hyper::Error> + 'static,
{
    let headers = &head.headers;
    let media_type = MediaType::of(headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes));
    let announced = announced_length(headers);
    let takes_json = call.endpoint.takes_json();
    if takes_json {
        json_length(headers)?;
    }
    if announced.is_none() && body.is_end_stream() && !takes_json {
        let content = match head.method {
            // RFC 9110, section 8.6: a reader may wait for one otherwise.
            Method::POST | Method::PUT | Method::PATCH => Content::Held,
            _ => Content::Nothing,
        };
        return special(worker, call, content);
    }
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    if announced == Some(0) && !takes_json {
        return special(worker, call, Content::Held);
    }
    if media_type == MediaType::Json && is_plain || takes_json {
        return of_json(worker, meter, call, headers, body).await;
    }
    let live: Live = Box::pin(body);
    let is_form = media_type == MediaType::Form && is_plain;
    if is_form && call.endpoint.form_model() != FormModel::Absent {
        let (rest, model) = form::read(worker, meter, headers, live).await?;
        meter.receives(&rest.notes().bytes);
        let mut intake = special(worker, call, Content::Passing(Box::new(rest)))?;
        intake.model = model.unwrap_or_default();
        return Ok(intake);
    }
    let rest = Rest::new(live, announced, worker.snapshot.limits.body_gap);
    meter.receives(&rest.notes().bytes);
    special(worker, call, Content::Passing(Box::new(rest)))
}

/// JSON, in which there may be a model.
async fn of_json<B>(
    worker: &Worker,
    meter: &mut Meter,
    call: Call,
    headers: &HeaderMap,
    body: B,
) -> Result<Intake, Failure>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let look = match &call.model {
        // The model in the path is the one that is asked for.
        Some(_) if call.endpoint.takes_json() => scan_object,
        _ if call.endpoint.takes_json() => scan_of(call.endpoint),
        _ => scan_any,
    };
    let mut intake = read(worker, meter, headers, body, look).await?;
    let mut content = Content::Held;
    if let Some(named) = &call.model {
        intake.model.clone_from(named);
        if let Some(behind) = intake.scan.make_place(&intake.body) {
            content = Content::Named(behind);
        }
    }
    intake.special = Some(Box::new(Special { call, content }));
    Ok(intake)
}

/// A call that has no body.
pub(super) fn without_body(worker: &Worker, call: Call) -> Result<Intake, Failure> {
    special(worker, call, Content::Nothing)
}

/// A call without a body that is held.
fn special(worker: &Worker, call: Call, content: Content) -> Result<Intake, Failure> {
    let model = call.model.clone().unwrap_or_default();
    Ok(Intake {
        body: Bytes::new(),
        scan: Scan::default(),
        model,
        special: Some(Box::new(Special { call, content })),
        _share: worker.buffered.take(0)?,
    })
}

/// A body that breaks off tells of a caller who left, any other fault of one
/// who frames it wrong.
fn unreadable(error: &hyper::Error) -> Failure {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            error_response::caller_left()
        }
        _ => error_response::invalid_body(),
    }
}

/// The length that is announced for a body of any kind.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
