//! One target after the other until one gives an answer that can be passed on.

use std::pin::pin;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::Worker;
use super::body_timeouts::Bounds;
use super::intake::Intake;
use super::object_ids::Learner;
use super::translation::{Translation, Translator};
use crate::catalog::{Provider, Resolved, Target};
use crate::config::StreamUsage as Ask;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::request_body::Outgoing;
use crate::routing::{self, InFlight};
use crate::upstream::{Error, Head, Reply};
use crate::wire::endpoint::Endpoint;
use crate::wire::media_type::MediaType;
use crate::wire::splice::{StreamUsage, splice};
use crate::wire::sse_relay::FinishRule;

mod affinity;
mod classify;
mod context;
mod encode;
mod failover;
mod first_event;
mod hedge;
mod websocket;

pub(super) use websocket::{Opened, Opening, open};

use classify::judge;

/// An answer that is passed on.
#[derive(Debug)]
pub(super) struct Accepted {
    /// The upstream's answer.
    pub reply: Reply,
    /// A piece of its body that has been read already.
    pub first: Option<Bytes>,
    /// What its body is.
    pub media_type: MediaType,
    /// True when usage was asked for on our own account.
    pub hide_usage: bool,
    /// How long its body may take.
    pub bounds: Bounds,
    /// How its stream shows that it came to its end.
    pub rule: FinishRule,
    /// What tells it in the caller's protocol, where the upstream speaks another.
    pub translator: Option<Box<Translator>>,
    /// What is to see the objects that it tells of.
    pub learner: Option<Box<Learner>>,
    /// Its place among the requests in flight at its target, where they are
    /// counted.
    pub in_flight: Option<InFlight>,
}

/// An answer that has not been looked at yet.
#[derive(Debug)]
struct Unjudged {
    reply: Reply,
    hide_usage: bool,
    /// True when even a page of HTML may be the answer.
    may_be_anything: bool,
    bounds: Bounds,
    rule: FinishRule,
    translation: Option<Box<Translation>>,
    learner: Option<Box<Learner>>,
}

/// Why there is no answer.
enum Unanswered {
    /// The upstream gave none.
    Failed(Error),
    /// It was not asked: it does not take what the caller wants.
    Refused(Box<Failure>),
}

/// Tries what the model stands for. Most models have one target, whose answer
/// is taken as it comes.
pub(super) async fn run(
    worker: &Worker,
    meter: &mut Meter,
    resolved: &Resolved<'_>,
    head: &mut Parts,
    intake: &Intake,
) -> Result<Accepted, Failure> {
    if let Some(rest) = intake.goes_once() {
        return Box::pin(encode::once(worker, meter, resolved, head, intake, rest)).await;
    }
    let Some(target) = routing::only(&resolved.targets, &resolved.model.retry) else {
        // Boxed, so that those with one target need no room for the rest.
        return Box::pin(failover::run(worker, meter, resolved, head, intake)).await;
    };
    let headers = std::mem::take(&mut head.headers);
    meter.asks(target);
    let sending = send(worker, meter, target, head, headers, intake);
    match sending.await {
        Ok(answer) => {
            let judged = match judge(answer) {
                Ok(judged) => judged,
                Err(unclear) => unclear.judged().await,
            };
            meter.attempted(judged.fault);
            judged.named(target)
        }
        Err(Unanswered::Refused(failure)) => Err(failure.at(target)),
        Err(Unanswered::Failed(error)) => {
            meter.attempted(Some(error.outcome()));
            let request_id = meter.request_id().as_str();
            let provider = &*target.provider.name;
            warn!(request_id, provider, %error, "attempt failed");
            Err(Failure::from(&error).at(target))
        }
    }
}

/// Whether usage is asked for where the caller left that open.
fn wanted(endpoint: Endpoint, provider: &Provider) -> StreamUsage {
    if endpoint.has_stream_usage_option() && provider.stream_usage == Ask::Inject {
        StreamUsage::Inject
    } else {
        StreamUsage::Observe
    }
}

/// Asks a target, for as long as that may take in all.
fn send<'a>(
    worker: &'a Worker,
    meter: &'a Meter,
    target: &'a Target,
    parts: &Parts,
    mut headers: HeaderMap,
    intake: &Intake,
) -> impl Future<Output = Result<Unjudged, Unanswered>> + use<'a> {
    let provider = &target.provider;
    let endpoint = meter.endpoint();
    let usage = wanted(endpoint, provider);
    let asks = usage == StreamUsage::Inject && intake.scan.would_inject();
    let learns = Learner::is_wanted(worker, endpoint, &intake.body);
    let limits = &target.timeouts;
    let deadline = limits.total.map(|total| Instant::now() + total);
    // Most requests go as they came, and are not moved about on the way.
    let prepared = if intake.special.is_none() && provider.is_plain {
        meter.sends(target, &mut headers);
        let segments = splice(&intake.body, &intake.scan, &target.encoded_model, usage);
        let head = Head {
            method: parts.method.clone(),
            endpoint,
            path: None,
            credential: target.credential,
            query: parts.uri.query().map(str::to_owned),
            headers,
        };
        let body = Outgoing::new(segments);
        let prepared = worker.client.prepare(provider.id, head, body);
        Ok((prepared, endpoint.finish_rule(), None))
    } else {
        encode::prepare(worker, meter, target, parts, headers, intake, usage)
    };
    async move {
        let (prepared, rule, translation) = prepared.map_err(Unanswered::Refused)?;
        let sending = pin!(prepared.map_err(Unanswered::Failed)?.send(limits));
        meter.waits();
        let answer = match deadline {
            None => sending.await,
            // Boxed, since few set a limit on the whole.
            Some(deadline) => match Box::pin(timeout_at(deadline, sending)).await {
                Ok(answer) => answer,
                Err(_) => Err(Error::out_of_time()),
            },
        };
        meter.works();
        let reply = answer.map_err(Unanswered::Failed)?;
        meter.hears(target, reply.status);
        let bounds = Bounds {
            gap: limits.gap,
            first_by: limits.first_event.map(|limit| reply.sent + limit),
            deadline,
        };
        Ok(Unjudged {
            hide_usage: asks && translation.is_none(),
            rule,
            translation,
            learner: if learns && reply.status.is_success() {
                Learner::of(worker, meter, target)
            } else {
                None
            },
            may_be_anything: endpoint.is_of_objects(),
            reply,
            bounds,
        })
    }
}
