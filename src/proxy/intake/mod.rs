//! Reads as much of a request body as routing needs, and buffers no more than that.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use tokio::time::timeout;

mod decode;
mod form;
mod json;
mod least_rate;
mod spool;
mod upload;
mod upload_body;
mod upload_limits;
mod whole;

pub(super) use json::{read_adapted, read_json, scan_mode};
pub(super) use upload::StreamedBody;

use super::Worker;
use crate::error_chain::cause_ref;
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::metering::Meter;
use crate::request_body::IncomingBody;
use crate::shared_limit::LimitPermit;
use crate::wire::api_path::ApiPath;
use crate::wire::endpoint::{Endpoint, FormModel};
use crate::wire::frames::Frames;
use crate::wire::media_type::MediaType;
use crate::wire::scan::{Scan, ScanMode, object_ids};
use json::JsonFields;
use upload::BoxedBody;
use upload_limits::UploadLimits;
use whole::read_whole;

/// Limits on reading a body only to discard it.
const DISCARD_MAX: usize = 256 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// A request, read and parsed as far as routing needs.
#[derive(Debug)]
pub(super) struct Intake {
    /// The body, if it is buffered as a whole.
    pub body: Frames,
    pub scan: Scan,
    /// The requested model; may be empty.
    pub model: String,
    /// Set for endpoints outside the JSON fast path.
    pub passthrough: Option<Box<Passthrough>>,
    /// See [`Intake::object_ids`].
    object_ids: OnceCell<Box<[Box<str>]>>,
    /// For the bytes of `body`.
    pub _permit: LimitPermit,
}

/// A request to an endpoint outside the JSON fast path.
#[derive(Debug)]
pub(super) struct Passthrough {
    pub path: ApiPath,
    pub body: PassthroughBody,
}

impl Passthrough {
    /// Whether it may name a model unseen: in a body that is streamed unread, or in
    /// a WebSocket message.
    pub(super) fn may_hide_model(&self) -> bool {
        match &self.body {
            PassthroughBody::Streamed(streamed) => streamed.is_unread(),
            PassthroughBody::Empty => self.path.endpoint == Endpoint::Responses,
            PassthroughBody::Buffered | PassthroughBody::InsertModel(_) => false,
        }
    }
}

#[derive(Debug)]
pub(super) enum PassthroughBody {
    /// No body, and no Content-Length.
    Empty,
    /// All of it is in [`Intake::body`].
    Buffered,
    /// Buffered, with a `model` to be inserted at its start, and this text after it.
    InsertModel(&'static str),
    Streamed(Box<StreamedBody>),
}

impl Intake {
    /// What may be the ids of objects in the body, which is read for them once.
    pub(super) fn object_ids(&self) -> impl Iterator<Item = &str> {
        let ids = self.object_ids.get_or_init(|| {
            let body = self.body.text();
            let ids = object_ids::referenced_ids(&body);
            ids.into_iter().map(Into::into).collect()
        });
        ids.iter().map(|id| &**id)
    }

    /// The body, if it can be sent only once.
    pub(super) fn single_use_body(&self) -> Option<&StreamedBody> {
        match &self.passthrough.as_ref()?.body {
            PassthroughBody::Streamed(streamed) if !streamed.is_replayable() => Some(streamed),
            _ => None,
        }
    }
}

/// Reads and discards a short body of a rejected request, so that the connection can
/// be reused: clients that send head and body separately expect that. A client
/// that waits for `100 Continue` has not sent its body.
pub(super) fn discard_body<B>(head: &Parts, body: B) -> Pin<Box<impl Future<Output = ()> + use<B>>>
where
    B: IncomingBody,
{
    let awaits_continue = head.headers.contains_key(EXPECT);
    Box::pin(async move {
        if awaits_continue {
            return;
        }
        let mut body = pin!(body);
        let mut left = DISCARD_MAX;
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // An incomplete body closes the connection anyway.
        let _ = timeout(DISCARD_TIMEOUT, reading).await;
    })
}

/// Reads a body of any content type as far as routing needs.
pub(super) async fn read_any<B>(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    path: ApiPath,
    head: &mut Parts,
    body: B,
) -> Result<Intake, ErrorResponse>
where
    B: IncomingBody + 'static,
{
    let headers = &mut head.headers;
    let media_type = MediaType::parse(headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes));
    let length = content_length(headers);
    let requires_json = path.endpoint.requires_json();
    if requires_json {
        JsonFields::check(headers)?;
    }
    if length.is_none() && body.is_end_stream() && !requires_json {
        let body = match head.method {
            // A body is expected with these methods: send Content-Length: 0 (RFC 9110,
            // section 8.6).
            Method::POST | Method::PUT | Method::PATCH => PassthroughBody::Buffered,
            _ => PassthroughBody::Empty,
        };
        return passthrough(worker, path, body);
    }
    if length == Some(0) && !requires_json {
        return passthrough(worker, path, PassthroughBody::Buffered);
    }
    if media_type == MediaType::Json || requires_json {
        return read_optional_json(worker, meter, in_flight, path, headers, body).await;
    }
    let body: BoxedBody = Box::pin(body);
    if media_type == MediaType::Multipart && path.endpoint.form_model() != FormModel::Absent {
        return read_form(worker, meter, in_flight, path, headers, body).await;
    }
    let limits = UploadLimits::new(&worker.snapshot.limits);
    if let Some(length) = length {
        limits.check_size(length)?;
    }
    let streamed = StreamedBody::new(body, length, limits);
    meter.count_bytes_in(&streamed.state().bytes);
    passthrough(worker, path, PassthroughBody::Streamed(Box::new(streamed)))
}

/// Reads a form that may name a model.
async fn read_form(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    path: ApiPath,
    headers: &mut HeaderMap,
    body: BoxedBody,
) -> Result<Intake, ErrorResponse> {
    let codings = decode::codings(headers)?;
    let length = content_length(headers);
    let (streamed, model) = if codings.is_empty() {
        let kind = headers.get(CONTENT_TYPE);
        let read = form::read(worker, meter, in_flight, kind, length, body).await?;
        meter.count_bytes_in(&read.0.state().bytes);
        read
    } else {
        let whole = read_whole(worker, meter, in_flight, length, body, None).await?;
        let whole = decode::decode(worker, headers, codings, whole).await?;
        let (decoded, permit) = (whole.frames.into_bytes(), whole.permit);
        let length = decoded.len() as u64;
        let body = Full::new(decoded).map_err(move |never: Infallible| {
            // Moved in, so that it is held as long as the body.
            let _ = &permit;
            match never {}
        });
        let kind = headers.get(CONTENT_TYPE);
        form::read(worker, meter, in_flight, kind, Some(length), Box::pin(body)).await?
    };
    let mut intake = passthrough(worker, path, PassthroughBody::Streamed(Box::new(streamed)))?;
    intake.model = model.unwrap_or_default();
    Ok(intake)
}

/// Reads JSON that may name a model.
async fn read_optional_json<B>(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    path: ApiPath,
    headers: &mut HeaderMap,
    body: B,
) -> Result<Intake, ErrorResponse>
where
    B: IncomingBody,
{
    let mode = match &path.model {
        // The model in the path has precedence.
        Some(_) if path.endpoint.requires_json() => ScanMode::Object,
        _ if path.endpoint.requires_json() => scan_mode(path.endpoint),
        _ => ScanMode::Any,
    };
    let mut intake = read_json(worker, meter, in_flight, headers, body, mode).await?;
    let mut content = PassthroughBody::Buffered;
    if let Some(model) = &path.model {
        intake.model.clone_from(model);
        if let Some(rest) = intake.scan.insert_model() {
            content = PassthroughBody::InsertModel(rest);
        }
    }
    intake.passthrough = Some(Box::new(Passthrough {
        path,
        body: content,
    }));
    Ok(intake)
}

pub(super) fn without_body(worker: &Worker, path: ApiPath) -> Result<Intake, ErrorResponse> {
    passthrough(worker, path, PassthroughBody::Empty)
}

/// Without a buffered body.
fn passthrough(
    worker: &Worker,
    path: ApiPath,
    body: PassthroughBody,
) -> Result<Intake, ErrorResponse> {
    let model = path.model.clone().unwrap_or_default();
    Ok(Intake {
        body: Frames::default(),
        scan: Scan::default(),
        model,
        passthrough: Some(Box::new(Passthrough { path, body })),
        object_ids: OnceCell::new(),
        _permit: worker.buffered.acquire(0)?,
    })
}

/// A body cut short means that the client has disconnected, any other error that
/// its framing is invalid.
fn body_error(error: &hyper::Error) -> ErrorResponse {
    match cause_ref(error).map(io::Error::kind) {
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            error_response::client_disconnected()
        }
        _ => error_response::invalid_body(),
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
