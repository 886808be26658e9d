//! One target after the other until one gives an answer that can be passed on.

use std::pin::pin;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::Worker;
use super::intake::Intake;
use super::patience::Bounds;
use super::reply::Failure;
use crate::body::Outgoing;
use crate::catalog::{Resolved, Target};
use crate::config::StreamUsage as Ask;
use crate::metering::Meter;
use crate::routing::{self, InFlight};
use crate::upstream::{Error, Head, Reply};
use crate::wire::media::MediaType;
use crate::wire::splice::{StreamUsage, splice};

mod errand;
mod failover;
mod first_event;
mod hedge;
mod judge;
mod kinship;

use judge::judge;

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
    /// Its place among the requests in flight at its target, where they are
    /// counted.
    pub in_flight: Option<InFlight>,
}

/// An answer that has not been looked at yet.
#[derive(Debug)]
struct Unjudged {
    reply: Reply,
    hide_usage: bool,
    bounds: Bounds,
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
                Err(refusal) => refusal.judged().await,
            };
            meter.attempted(judged.fault);
            judged.named(target)
        }
        Err(error) => {
            meter.attempted(Some(error.outcome()));
            let request_id = meter.request_id().as_str();
            let provider = &*target.provider.name;
            warn!(request_id, provider, %error, "attempt failed");
            Err(Failure::from(&error).at(target))
        }
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
) -> impl Future<Output = Result<Unjudged, Error>> + use<'a> {
    let provider = &target.provider;
    let endpoint = meter.endpoint();
    let asks = endpoint.has_stream_usage_option() && provider.stream_usage == Ask::Inject;
    let usage = if asks {
        StreamUsage::Inject
    } else {
        StreamUsage::Observe
    };
    let hide_usage = asks && intake.scan.would_inject();
    let segments = splice(&intake.body, &intake.scan, &target.encoded_model, usage);
    let query = parts.uri.query().map(str::to_owned);
    meter.sends(target, &mut headers);
    let head = Head {
        endpoint,
        credential: target.credential,
        query,
        headers,
    };
    let limits = &target.timeouts;
    let deadline = limits.total.map(|total| Instant::now() + total);
    let prepared = worker
        .client
        .prepare(provider.id, head, Outgoing::new(segments));
    async move {
        let sending = pin!(prepared?.send(limits));
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
        let reply = answer?;
        meter.hears(target, reply.status);
        let bounds = Bounds {
            gap: limits.gap,
            first_by: limits.first_event.map(|limit| reply.sent + limit),
            deadline,
        };
        Ok(Unjudged {
            reply,
            hide_usage,
            bounds,
        })
    }
}
