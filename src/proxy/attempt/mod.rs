//! One target after the other until one gives an answer that can be passed on.

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::Worker;
use super::intake::Intake;
use super::learner::Learner;
use super::patience::Bounds;
use super::reply::Failure;
use super::translation::{Translation, Translator};
use crate::body::Outgoing;
use crate::catalog::{Resolved, Target};
use crate::metering::Meter;
use crate::routing::{self, InFlight};
use crate::upstream::{Head, Reply};
use crate::wire::follow::FinishRule;
use crate::wire::media::MediaType;
use crate::wire::splice::{StreamUsage, splice};

mod errand;
mod failover;
mod first_event;
mod hedge;
mod judge;
mod kinship;
mod open;
mod special;

pub(super) use open::{Opened, Opening, open};

use judge::judge;
use special::Shipment;

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
    Failed(crate::upstream::Error),
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
    intake: Intake,
) -> Result<Accepted, Failure> {
    if let Some(rest) = intake.goes_once() {
        return Box::pin(special::once(worker, meter, resolved, head, &intake, rest)).await;
    }
    let Some(target) = routing::only(&resolved.targets, &resolved.model.retry) else {
        // Boxed, so that those with one target need no room for the rest.
        return Box::pin(failover::run(worker, meter, resolved, head, &intake)).await;
    };
    let headers = std::mem::take(&mut head.headers);
    meter.asks(target);
    match send(worker, meter, target, head, headers, &intake).await {
        Ok(answer) => {
            let judged = judge(answer).await;
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

async fn send(
    worker: &Worker,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
    mut headers: HeaderMap,
    intake: &Intake,
) -> Result<Unjudged, Unanswered> {
    let provider = &target.provider;
    let endpoint = meter.endpoint();
    let asks = endpoint.has_stream_usage_option()
        && provider.stream_usage == crate::config::StreamUsage::Inject;
    let usage = if asks {
        StreamUsage::Inject
    } else {
        StreamUsage::Observe
    };
    let hide_usage = asks && intake.scan.would_inject();
    let shipment = if intake.special.is_none() && provider.is_plain {
        let segments = splice(&intake.body, &intake.scan, &target.encoded_model, usage);
        Shipment {
            body: Outgoing::new(segments),
            path: None,
            query: parts.uri.query().map(str::to_owned),
            rule: endpoint.finish_rule(),
            translation: None,
        }
    } else {
        let shipment = special::ship(intake, target, usage, parts, meter, &mut headers);
        shipment.map_err(|failure| Unanswered::Refused(Box::new(failure)))?
    };
    let Shipment {
        body,
        path,
        query,
        rule,
        translation,
    } = shipment;
    let hide_usage = hide_usage && translation.is_none();
    meter.sends(target, &mut headers);
    let head = Head {
        method: parts.method.clone(),
        endpoint,
        path,
        credential: target.credential,
        query,
        headers,
    };
    let limits = &target.timeouts;
    let deadline = limits.total.map(|total| Instant::now() + total);
    let sending = std::pin::pin!(worker.client.send(provider.id, head, body, limits));
    meter.waits();
    let answer = match deadline {
        None => sending.await,
        Some(deadline) => match timeout_at(deadline, sending).await {
            Ok(answer) => answer,
            Err(_) => Err(crate::upstream::Error::out_of_time()),
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
        rule,
        translation,
        learner: Learner::of(worker, meter, target, reply.status),
        may_be_anything: endpoint.is_of_objects(),
        reply,
        hide_usage,
        bounds,
    })
}
