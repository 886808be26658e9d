//! The pipeline of a request: admit, read the body, resolve the model, attempt, respond.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use http::request::Parts;
use http::{Request, Response};

use crate::access::Caller;
use crate::catalog::Resolved;
use crate::drain::Phase;
use crate::error_response::{self, ErrorResponse, REQUEST_ID};
use crate::metering::Meter;
use crate::request_body::IncomingBody;
use crate::shared_limit::LimitPermit;
use crate::upstream;
use crate::wire::api_path::ApiPath;
use crate::wire::endpoint::Endpoint;

mod adapter;
mod admit;
mod attempt;
mod body_timeouts;
mod client_limits;
mod intake;
mod object_ids;
mod object_lookup;
mod relay;
mod resolve;
mod respond;
mod response_body;
mod session;
#[cfg(test)]
mod tests;
mod token_count;
mod translation;
pub mod tunnel;
mod worker;

pub use adapter::ApiAdapter;
pub use relay::Aborted;
pub use resolve::PROVIDER;
pub use response_body::{BodyConverter, ResponseBody};
pub use worker::{Limits, Snapshot, Worker, read_buffer_limit};

use admit::admit;
use attempt::{Accepted, AttemptContext};
use client_limits::LimitedCall;
use intake::Intake;
use respond::respond;

/// What kind of API request is served.
#[derive(Debug)]
pub enum RequestKind {
    /// One of [`Endpoint::FAST_PATH`]: a JSON body that is scanned and spliced.
    Json(Endpoint),
    /// A request of another API.
    Adapted(&'static ApiAdapter),
    /// Any other endpoint, with any body.
    Passthrough(Box<ApiPath>),
    /// A WebSocket handshake.
    WebSocket(Box<ApiPath>),
}

/// A response or a WebSocket to be relayed, and the permit of the request.
type PipelineResult = Result<(Accepted, LimitPermit), ErrorResponse>;

/// Serves one request; there is always a response, and the request is metered.
///
/// Not an `async fn`, and what it awaits takes large values by reference: a
/// future reserves space for everything that is moved into it, once per function.
pub fn serve<B>(
    worker: Rc<Worker>,
    kind: RequestKind,
    request: Request<B>,
) -> impl Future<Output = Response<ResponseBody>>
where
    B: IncomingBody + 'static,
{
    let (mut head, body) = request.into_parts();
    let mut meter = start_meter(&worker, kind.endpoint(), &head);
    let adapter = kind.adapter();
    async move {
        let worker = &*worker;
        let result = until_terminated(
            worker,
            pin!(handle(worker, &mut meter, kind, &mut head, body)),
        )
        .await;
        let result = match adapter {
            Some(adapter) => result.map_err(adapter.convert_error),
            None => result,
        };
        respond(worker, result, meter)
    }
}

#[inline]
fn start_meter(worker: &Worker, endpoint: Endpoint, head: &Parts) -> Meter {
    let request_id = worker.request_ids.for_request(head.headers.get(REQUEST_ID));
    let mut meter = Meter::start(&worker.metrics, endpoint, request_id);
    if worker.metrics.access_log() {
        meter.set_session(session::for_log(
            &worker.snapshot.session_headers,
            &head.headers,
        ));
    }
    if let Some(tracer) = &worker.snapshot.tracer {
        meter.start_trace(tracer, &head.headers);
    }
    meter
}

/// Ends the handling when the drain deadline has passed.
async fn until_terminated<T>(
    worker: &Worker,
    mut handling: Pin<&mut impl Future<Output = Result<T, ErrorResponse>>>,
) -> Result<T, ErrorResponse> {
    let drain = worker.drain.watch();
    poll_fn(|context| match handling.as_mut().poll(context) {
        Poll::Pending if drain.poll(context) == Phase::Terminating => {
            Poll::Ready(Err(error_response::terminated()))
        }
        polled => polled,
    })
    .await
}

async fn handle<B>(
    worker: &Worker,
    meter: &mut Meter,
    kind: RequestKind,
    head: &mut Parts,
    body: B,
) -> PipelineResult
where
    B: IncomingBody + 'static,
{
    if upstream::is_loop(&head.headers) {
        intake::discard_body(head, body).await;
        return Err(error_response::loop_detected());
    }
    if let RequestKind::WebSocket(path) = &kind {
        tunnel::extract_credential(head, path);
    }
    let (mut permit, caller) = match admit(worker, head) {
        Ok(admitted) => admitted,
        Err(error) => {
            intake::discard_body(head, body).await;
            return Err(error);
        }
    };
    meter.set_caller(caller.clone());
    let is_websocket = matches!(kind, RequestKind::WebSocket(_));
    let intake = match kind {
        RequestKind::Json(endpoint) => {
            let mode = intake::scan_mode(endpoint);
            intake::read_json(worker, meter, &mut permit, &mut head.headers, body, mode).await?
        }
        // Boxed, so that the future of a JSON request stays small.
        kind => Box::pin(read(worker, meter, &mut permit, kind, head, body)).await?,
    };
    if let Some(lookup) = object_lookup::needed(worker, meter, &intake, head) {
        lookup.await;
    }
    let names_provider = resolve::names_provider(&intake, &head.headers);
    let found = find_targets(worker, meter, &caller, &intake, head, is_websocket);
    let mut resolved = match found {
        Ok(resolved) => resolved,
        Err(error) => return Err(*error),
    };
    let limits = client_limits::of_caller(worker, &caller);
    if !limits.is_empty() {
        let call = LimitedCall {
            worker,
            caller: &caller,
            limits,
            intake: &intake,
            head,
            is_websocket,
            names_provider,
            meter,
            permit: &mut permit,
            resolved: &mut resolved,
        };
        if let Some(waiting) = call.reserve()? {
            waiting.await?;
        }
    }
    let context = AttemptContext::new(worker, &resolved, &intake, is_websocket);
    match attempt::run(&context, meter, head).await {
        Ok(accepted) => Ok((accepted, permit)),
        Err(error) => Ok((token_count::or_estimate(&context, meter, error)?, permit)),
    }
}

fn find_targets<'w>(
    worker: &'w Worker,
    meter: &mut Meter,
    caller: &Caller,
    intake: &Intake,
    head: &mut Parts,
    is_websocket: bool,
) -> Result<Resolved<'w>, Box<ErrorResponse>> {
    // Codex opens it without knowing whether there is one, and names the model later.
    let leads_to_http = is_websocket
        && meter.endpoint() == Endpoint::Responses
        && resolve::names_nothing(intake, &head.headers);
    match resolve::resolve(worker, caller, meter.endpoint(), intake, head) {
        Ok(resolved) => {
            meter.set_model(resolved.model);
            meter.set_prompt_bytes(intake.body.len());
            meter.set_wants_other_tier(intake.scan.wants_other_tier);
            Ok(resolved)
        }
        Err(error) => {
            if let Some(model) = error.model {
                meter.set_model(model);
            }
            Err(if leads_to_http {
                Box::new(error_response::websocket_unavailable())
            } else {
                error.response
            })
        }
    }
}

/// Reads a request of any kind.
async fn read<B>(
    worker: &Worker,
    meter: &mut Meter,
    permit: &mut LimitPermit,
    kind: RequestKind,
    head: &mut Parts,
    body: B,
) -> Result<Intake, ErrorResponse>
where
    B: IncomingBody + 'static,
{
    match kind {
        RequestKind::Json(endpoint) => {
            let mode = intake::scan_mode(endpoint);
            intake::read_json(worker, meter, permit, &mut head.headers, body, mode).await
        }
        RequestKind::Adapted(adapter) => {
            intake::read_adapted(worker, meter, permit, &mut head.headers, body, adapter).await
        }
        RequestKind::Passthrough(path) => {
            intake::read_any(worker, meter, permit, *path, head, body).await
        }
        RequestKind::WebSocket(path) => {
            drop(body);
            let mut intake = intake::without_body(worker, *path)?;
            if intake.model.is_empty() {
                let model = resolve::query_model(head.uri.query())?;
                intake.model = model.unwrap_or_default();
            }
            Ok(intake)
        }
    }
}

// === impl RequestKind ===

impl RequestKind {
    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Json(endpoint) => *endpoint,
            Self::Adapted(adapter) => adapter.endpoint,
            Self::Passthrough(path) | Self::WebSocket(path) => path.endpoint,
        }
    }

    fn adapter(&self) -> Option<&'static ApiAdapter> {
        match self {
            Self::Adapted(adapter) => Some(adapter),
            _ => None,
        }
    }
}
