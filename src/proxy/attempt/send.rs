//! One HTTP request to one target.

use std::pin::pin;

use http::HeaderMap;
use http::request::Parts;
use tokio::time::{Instant, timeout_at};

use super::classify::{RawResponse, Verdict, classify, text_headers};
use super::context::{AttemptContext, now};
use super::encode::encode;
use crate::catalog::{Provider, Target};
use crate::config::StreamUsageMode as UsageConfig;
use crate::metering::Meter;
use crate::proxy::body_timeouts::BodyTimeouts;
use crate::proxy::object_ids::ObjectIdRecorder;
use crate::proxy::translation::Translation;
use crate::request_body::RequestBody;
use crate::routing::QuotaPermit;
use crate::upstream::{Error, PreparedRequest, RequestHead};
use crate::wall_clock;
use crate::wire::endpoint::Endpoint;
use crate::wire::rate_limit;
use crate::wire::splice::{StreamUsage, splice};
use crate::wire::sse_relay::FinishRule;

/// A request that can be sent, and how to read its response.
struct Prepared<'a> {
    request: PreparedRequest<'a>,
    finish_rule: FinishRule,
    translation: Option<Box<Translation>>,
    hide_usage: bool,
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
    let (worker, endpoint) = (context.worker, meter.endpoint());
    let quota = quota.map(|permit| (permit, now()));
    let records_ids = ObjectIdRecorder::is_needed(worker, endpoint, &context.intake.body);
    let limits = &target.timeouts;
    let deadline = limits.total.map(|total| Instant::now() + total);
    let prepared = prepare(context, meter, target, parts, headers);
    async move {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(verdict) => return *verdict,
        };
        // In a block, so that the future keeps no room for the response.
        let pending = {
            let sending = pin!(prepared.request.send(limits));
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
            let response = match received {
                Ok(response) => response,
                Err(error) => return Verdict::no_response(error),
            };
            meter.on_attempt_head(target, response.status);
            if let Some((_permit, sent)) = quota
                && let Some(left) =
                    rate_limit::parse(text_headers(&response.headers), wall_clock::now())
            {
                worker
                    .snapshot
                    .fleet
                    .record_rate_limit(target, &left, sent, now());
            }
            let may_create = records_ids && response.status.is_success();
            let classified = classify(RawResponse {
                hide_usage: prepared.hide_usage,
                html_allowed: endpoint.is_object_api(),
                timeouts: BodyTimeouts::new(limits, response.sent_at, deadline),
                finish_rule: prepared.finish_rule,
                translation: prepared.translation,
                object_ids: may_create
                    .then(|| ObjectIdRecorder::new(worker, meter, target))
                    .flatten(),
                response,
            });
            match classified {
                Ok(verdict) => return verdict,
                Err(pending) => pending,
            }
        };
        pending.await
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
    let usage = usage_option(endpoint, provider);
    let injects_usage = usage == StreamUsage::Inject && intake.scan.should_inject_usage();
    let unsent = |error| Box::new(Verdict::no_response(error));
    // Most requests are forwarded as they came, and are not moved about on the way.
    if intake.passthrough.is_none() && provider.forwards_unchanged {
        meter.on_attempt_sent(target, &mut headers);
        let segments = splice(&intake.body, &intake.scan, &target.encoded_model, usage);
        let head = RequestHead {
            method: parts.method.clone(),
            endpoint,
            path: None,
            credential: target.credential,
            query: parts.uri.query().map(str::to_owned),
            headers,
        };
        let body = RequestBody::buffered(segments);
        return Ok(Prepared {
            request: client.prepare(provider.id, head, body).map_err(unsent)?,
            finish_rule: endpoint.finish_rule(),
            translation: None,
            hide_usage: injects_usage,
        });
    }
    let encoded = encode(context, meter, target, parts, headers, usage)
        .map_err(|error| Box::new(Verdict::Unsupported(error)))?;
    let request = client.prepare(provider.id, encoded.head, encoded.body);
    Ok(Prepared {
        request: request.map_err(unsent)?,
        finish_rule: encoded.finish_rule,
        hide_usage: injects_usage && encoded.translation.is_none(),
        translation: encoded.translation,
    })
}

/// Whether usage is asked for where the client did not say.
fn usage_option(endpoint: Endpoint, provider: &Provider) -> StreamUsage {
    if endpoint.has_stream_usage_option() && provider.stream_usage == UsageConfig::Inject {
        StreamUsage::Inject
    } else {
        StreamUsage::Observe
    }
}
