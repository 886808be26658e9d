//! Reads a request's body, within limits of size and time, and finds in it
//! what routing needs.

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

mod form;
mod spool;
mod upload;

pub(super) use upload::Rest;

use super::limits::Share;
use super::patience::{Bounds, Patience};
use super::reply::{self, Failure};
use super::{Limits, Worker};
use crate::metering::Meter;
use crate::wire::call::Call;
use crate::wire::endpoint::{Endpoint, FormModel};
use crate::wire::media::MediaType;
use crate::wire::scan::{Scan, ScanError, scan, scan_any, scan_object};
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

/// Reads and scans the body.
pub(super) async fn read<B>(
    worker: &Worker,
    meter: &mut Meter,
    headers: &HeaderMap,
    body: B,
    scan: fn(&[u8]) -> Result<Scan, ScanError>,
) -> Result<Intake, Failure>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let announced = json_length(headers)?;
    let limits = &worker.snapshot.limits;
    if announced.is_some_and(|length| length > limits.max_body as u64) {
        return Err(reply::request_too_large(limits.max_body));
    }
    let share = worker.buffered.take(0)?;
    let arrived = Cell::new(false);
    let collecting = pin!(collect(limits, share, announced, body, &arrived));
    let (body, share) = within(limits, collecting, &arrived, meter).await?;
    meter.received(body.len());
    let scan = scan(&body)?;
    let model = scan.model_name(&body)?.into_owned();
    Ok(Intake {
        body,
        scan,
        model,
        special: None,
        _share: share,
    })
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

/// How the body of one of the usual calls is looked at.
pub(super) fn scan_of(endpoint: Endpoint) -> fn(&[u8]) -> Result<Scan, ScanError> {
    if endpoint.needs_model() {
        scan
    } else {
        scan_object
    }
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
        return json(worker, meter, call, headers, body).await;
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
async fn json<B>(
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

/// A body that is here already, as most are, needs neither clock nor timer.
async fn within<T>(
    limits: &Limits,
    mut work: Pin<&mut impl Future<Output = Result<T, Failure>>>,
    arrived: &Cell<bool>,
    meter: &mut Meter,
) -> Result<T, Failure> {
    let at_once = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    if let Poll::Ready(done) = at_once {
        return done;
    }
    meter.waits();
    let bounds = Bounds {
        gap: limits.body_gap,
        first_by: None,
        deadline: Some(Instant::now() + limits.body_timeout),
    };
    let mut patience = Patience::new(bounds, None);
    // Boxed, since it is seldom: every request's state would have to keep room
    // for a timer.
    let done = Box::pin(poll_fn(move |context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if arrived.take() {
            patience.fed();
        }
        let late = patience.poll_late(context);
        late.map(|_| Err(reply::request_timeout()))
    }));
    let done = done.await;
    meter.works();
    done
}

/// A body that came in one piece, as most do, is not copied.
async fn collect<B>(
    limits: &Limits,
    mut share: Share,
    announced: Option<u64>,
    body: B,
    arrived: &Cell<bool>,
) -> Result<(Bytes, Share), Failure>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| unreadable(&error))?.into_data() else {
            continue;
        };
        let held = first.len() + joined.len();
        if held + piece.len() > limits.max_body {
            return Err(reply::request_too_large(limits.max_body));
        }
        share.grow(piece.len())?;
        arrived.set(true);
        if held == 0 {
            first = piece;
            continue;
        }
        if joined.is_empty() {
            let whole = announced.and_then(|length| usize::try_from(length).ok());
            joined.reserve(whole.unwrap_or(held + piece.len()));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&piece);
    }
    let whole = if joined.is_empty() {
        first
    } else {
        joined.freeze()
    };
    Ok((whole, share))
}

/// A body that breaks off tells of a caller who left, any other fault of one
/// who frames it wrong.
fn unreadable(error: &hyper::Error) -> Failure {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => reply::caller_left(),
        _ => reply::invalid_body(),
    }
}

/// The length that a request's fields announce, where it is one that we read:
/// JSON in UTF-8, uncompressed. A missing type is taken for JSON: browsers
/// cannot be made to send such a request to us from a foreign page without
/// naming their origin, which the router checks.
///
/// All in one pass: a look-up for each field took several times as long.
fn json_length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut length = None;
    let mut content_type = None;
    for (name, value) in headers {
        if *name == CONTENT_LENGTH {
            length = value.to_str().ok().and_then(|length| length.parse().ok());
        } else if *name == CONTENT_TYPE {
            content_type = content_type.or(Some(value.as_bytes()));
        } else if *name == CONTENT_ENCODING {
            let coding = value.as_bytes().trim_ascii();
            if !coding.eq_ignore_ascii_case(b"identity") {
                return Err(reply::unsupported_encoding());
            }
        }
    }
    match content_type {
        Some(value) if MediaType::of(Some(value)) != MediaType::Json || !is_utf8(value) => {
            Err(reply::unsupported_media_type())
        }
        _ => Ok(length),
    }
}

/// The length that is announced for a body of any kind.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// True unless a charset other than UTF-8 (or its subset ASCII) is named.
fn is_utf8(content_type: &[u8]) -> bool {
    content_type
        .split(|byte| *byte == b';')
        .skip(1)
        .all(|parameter| {
            let Some((name, value)) = parameter.trim_ascii().split_at_checked("charset=".len())
            else {
                return true;
            };
            let value = value.trim_ascii();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let value = value.strip_suffix(b"\"").unwrap_or(value);
            !name.eq_ignore_ascii_case(b"charset=")
                || value.eq_ignore_ascii_case(b"utf-8")
                || value.eq_ignore_ascii_case(b"utf8")
                || value.eq_ignore_ascii_case(b"us-ascii")
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::json_length;

    #[test]
    fn takes_json_in_utf8_only() {
        for (value, taken) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/json; Charset=\"UTF-8\"", true),
            ("application/json; x=y", true),
            ("application/json; charset=utf-16", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(value));
            assert_eq!(json_length(&headers).is_ok(), taken, "{value}");
        }
        assert!(json_length(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn refuses_compressed_bodies() {
        for (value, taken) in [
            ("identity", true),
            ("gzip", false),
            ("identity, gzip", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-encoding", HeaderValue::from_static(value));
            assert_eq!(json_length(&headers).is_ok(), taken, "{value}");
        }
    }
}
