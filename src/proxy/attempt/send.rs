//! One HTTP request to one target.

use std::cell::Cell;
use std::pin::{Pin, pin};

use http::HeaderMap;
use http::request::Parts;
use tokio::time::Instant;

use super::added::additions;
use super::classify::{RawResponse, classify, text_headers};
use super::context::{AttemptContext, now};
use super::encode::{caller, encode, stream_usage};
use super::protocol::{TargetProtocol, protocol};
use super::repeat::{classify_repeatable, may_be_repeatable};
use super::verdict::Verdict;
use crate::catalog::Target;
use crate::lazy_timer::timeout_at;
use crate::metering::Meter;
use crate::proxy::body_timeouts::BodyTimeouts;
use crate::proxy::client_limits;
use crate::proxy::object_ids::ObjectIdRecorder;
use crate::proxy::translation::Translation;
use crate::request_body::RequestBody;
use crate::routing::QuotaPermit;
use crate::upstream::{Error, PreparedRequest, RequestHead, UpstreamResponse};
use crate::wall_clock;
use crate::wire::additions::Additions;
use crate::wire::rate_limit;
use crate::wire::splice::splice;
use crate::wire::sse_relay::FinishRule;

/// A request that can be sent, and how to read its response.
struct Prepared<'a> {
    request: PreparedRequest<'a>,
    response: ResponsePlan,
    additions: Additions,
    protocol: TargetProtocol,
}

/// A request that was sent.
pub(super) struct Sent<'a> {
    pub request: PreparedRequest<'a>,
    pub protocol: TargetProtocol,
    pub additions: Additions,
    pub deadline: Option<Instant>,
}

/// Tells the meter whether a part of a request was written, also where it is abandoned.
pub(super) struct Written<'a> {
    meter: &'a Meter,
    target: &'a Target,
    pub flag: Cell<bool>,
}

/// How to read the response to a request.
pub(super) struct ResponsePlan {
    pub finish_rule: FinishRule,
    pub translation: Option<Box<Translation>>,
    /// True where the gateway asks for usage, and not the client.
    pub hide_usage: bool,
}

// === impl Written ===

impl<'a> Written<'a> {
    pub(super) fn new(meter: &'a Meter, target: &'a Target) -> Self {
        let flag = Cell::new(false);
        Self {
            meter,
            target,
            flag,
        }
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        if self.flag.get() {
            self.meter.on_request_written(self.target);
        }
    }
}

/// Sends a request and classifies the response.
///
/// Not an `async fn`: what needs no waiting is done before the future is made.
pub(super) fn send<'a>(
    context: &AttemptContext<'a>,
    meter: &'a Meter,
    target: &'a Target,
    parts: &Parts,
    headers: HeaderMap,
    quota: Option<QuotaPermit<'a>>,
) -> impl Future<Output = Verdict> + use<'a> {
    let quota = quota.map(|permit| (permit, now()));
    let limits = &target.timeouts;
    let deadline = limits.total.map(|total| Instant::now() + total);
    let prepared = prepare(context, meter, target, parts, headers);
    let context = *context;
    async move {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(verdict) => {
                meter.cancel_attempt(target);
                return *verdict;
            }
        };
        // In a block, so that the future keeps no room for the response.
        let pending = {
            let written = Written::new(meter, target);
            let sending = pin!(prepared.request.send(limits, &written.flag));
            let wait = meter.wait();
            let received = match deadline {
                None => sending.await,
                // Boxed, since few targets have a total timeout.
                Some(deadline) => match Box::pin(timeout_at(deadline, sending)).await {
                    Ok(received) => received,
                    Err(_) => Err(Error::total_timeout()),
                },
            };
            drop(wait);
            let (response, sent) = match received {
                Ok(received) => received,
                Err(error) => return Verdict::no_response(error),
            };
            meter.on_attempt_head(target, response.status);
            if let Some((_permit, sent)) = quota
                && let Some(left) =
                    rate_limit::parse(text_headers(&response.headers), wall_clock::now())
            {
                let fleet = &context.worker.snapshot.fleet;
                fleet.record_rate_limit(target, &left, sent, now());
            }
            let (protocol, additions) = (prepared.protocol, prepared.additions);
            let made = (protocol, additions);
            let is_repeatable = may_be_repeatable(&context, meter, target, made, response.status);
            let plan = prepared.response;
            // Made where it is used: in a variable, it would be copied from there.
            let raw = || raw_response(&context, meter, target, response, plan, deadline);
            if is_repeatable {
                let sent = Sent {
                    request: sent,
                    protocol,
                    additions,
                    deadline,
                };
                Box::pin(classify_repeatable(context, meter, target, raw(), sent))
            } else {
                drop(sent);
                match classify(raw()) {
                    Ok(verdict) => return verdict,
                    Err(pending) => pending as Pin<Box<dyn Future<Output = Verdict> + 'a>>,
                }
            }
        };
        pending.await
    }
}

#[inline]
pub(super) fn raw_response(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    response: UpstreamResponse,
    plan: ResponsePlan,
    deadline: Option<Instant>,
) -> RawResponse {
    let (worker, intake, endpoint) = (context.worker, context.intake, meter.endpoint());
    // Ids of translated responses are known to no provider.
    let may_create = response.status.is_success()
        && plan.translation.is_none()
        && ObjectIdRecorder::is_needed(worker, endpoint, &intake.scan);
    RawResponse {
        endpoint,
        stream_requested: intake.scan.stream,
        hide_usage: plan.hide_usage,
        html_allowed: endpoint.is_object_api(),
        timeouts: BodyTimeouts::new(&target.timeouts, response.sent_at, deadline),
        finish_rule: plan.finish_rule,
        translation: plan.translation,
        object_ids: may_create
            .then(|| ObjectIdRecorder::new(worker, meter, target, &intake.scan))
            .flatten(),
        response,
    }
}

/// The verdict is that of a request which cannot be sent.
#[inline]
fn prepare<'a>(
    context: &AttemptContext<'a>,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
    mut headers: HeaderMap,
) -> Result<Prepared<'a>, Box<Verdict>> {
    let (client, intake) = (&context.worker.client, context.intake);
    let (provider, endpoint) = (&target.provider, meter.endpoint());
    let unsupported = |error| Box::new(Verdict::Unsupported(error));
    let protocol = protocol(context, target, endpoint).map_err(unsupported)?;
    client_limits::reserve_attempt(meter, target).map_err(unsupported)?;
    let additions = additions(context, target, endpoint, protocol);
    let unsent = |error| Box::new(Verdict::no_response(error));
    // Most requests are forwarded as they came, and are not moved about on the way.
    let is_unchanged = protocol == TargetProtocol::Native
        && intake.passthrough.is_none()
        && provider.api.api_version.is_none();
    if is_unchanged {
        meter.on_attempt_sent(target, &mut headers);
        let segments = splice(
            &intake.body,
            &intake.scan,
            &target.encoded_model,
            stream_usage(additions),
        );
        let head = RequestHead {
            method: parts.method.clone(),
            endpoint,
            path: None,
            credential: target.credential,
            query: parts.uri.query().map(str::to_owned),
            headers,
            caller: caller(meter, target),
        };
        let body = RequestBody::buffered(segments);
        return Ok(Prepared {
            request: client.prepare(provider.id, head, body).map_err(unsent)?,
            response: ResponsePlan {
                finish_rule: endpoint.finish_rule(),
                translation: None,
                hide_usage: additions.stream_usage,
            },
            additions,
            protocol,
        });
    }
    let encoded =
        encode(context, meter, target, parts, headers, protocol, additions).map_err(unsupported)?;
    let request = client.prepare(provider.id, encoded.head, encoded.body);
    Ok(Prepared {
        request: request.map_err(unsent)?,
        response: ResponsePlan {
            finish_rule: encoded.finish_rule,
            hide_usage: additions.stream_usage && encoded.translation.is_none(),
            translation: encoded.translation,
        },
        additions,
        protocol,
    })
}
