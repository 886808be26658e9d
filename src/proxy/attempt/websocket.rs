//! A WebSocket at one target after the other until one opens.

use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::classify::{Judged, judge};
use super::context::{now, tell};
use super::encode;
use super::encode::Shipment;
use super::failover::{better, rest};
use super::{Accepted, Unjudged};
use crate::catalog::{Resolved, Target};
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::body_timeouts::Bounds;
use crate::proxy::intake::Intake;
use crate::routing::{InFlight, Next, Plan};
use crate::upstream::{self, Head, WebSocket};
use crate::wire::splice::StreamUsage;

/// A WebSocket that an upstream has opened.
#[derive(Debug)]
pub struct Opened {
    /// What the caller is told with it.
    pub headers: HeaderMap,
    /// The upstream's side.
    pub upstream: WebSocket,
    /// Its place among the requests in flight at its target, where they are
    /// counted.
    pub in_flight: Option<InFlight>,
}

/// What came of a handshake.
#[derive(Debug)]
pub enum Opening {
    Opened(Opened),
    /// An answer like any other.
    Answered(Accepted),
}

/// Asks what the model stands for, as the plan says.
pub async fn open(
    worker: &Worker,
    meter: &mut Meter,
    resolved: &Resolved<'_>,
    head: &Parts,
    intake: &Intake,
) -> Result<Opening, Failure> {
    let fleet = &worker.snapshot.fleet;
    let model = &resolved.model;
    let mut plan = Plan::new(fleet, &resolved.targets, model.retry, model.balance);
    let mut last: Option<(Judged, &Target)> = None;
    let mut target = plan.first(now(), &mut worker.rng.borrow_mut());
    while let Some(current) = target {
        meter.asks(current);
        let in_flight = plan.weighs_loads().then(|| fleet.enter(current));
        let asked = ask(worker, meter, current, head, intake).await;
        let fault = asked.as_ref().map_or_else(|judged| judged.fault, |_| None);
        match &resolved.targets[..] {
            [_] => meter.attempted(fault),
            _ => meter.attempted_at(model, current, fault),
        }
        let judged = match asked {
            Ok((headers, upstream)) => {
                fleet.note(current, None, now());
                return Ok(Opening::Opened(Opened {
                    headers: named(headers, current, &plan),
                    upstream,
                    in_flight: in_flight.flatten(),
                }));
            }
            Err(judged) => *judged,
        };
        if judged.is_blamed() {
            fleet.note(current, judged.fault, now());
        }
        let Some(fault) = judged.fault else {
            return answered(judged, current, &plan);
        };
        let next = plan.after(current, fault, now(), &mut worker.rng.borrow_mut());
        tell(meter, current, &judged, fault, &next);
        last = Some(better(last, (judged, current), false));
        target = match next {
            Next::Stop(_) => None,
            Next::Try(next, pause) => {
                rest(meter, pause).await;
                meter.retries(model, next, fault);
                Some(next)
            }
        };
    }
    match last {
        Some((judged, target)) => answered(judged, target, &plan),
        // A plan has at least one target, so there is something to tell.
        None => Err(error_response::upstream_protocol_error()),
    }
}

/// Asks one target.
async fn ask(
    worker: &Worker,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
    intake: &Intake,
) -> Result<(HeaderMap, WebSocket), Box<Judged>> {
    let mut headers = parts.headers.clone();
    let usage = StreamUsage::Observe;
    let shipment = encode::ship(intake, target, usage, parts, meter, &mut headers);
    let refused = |failure| Box::new(Judged::refused(failure));
    let Shipment { path, query, .. } = shipment.map_err(refused)?;
    meter.sends(target, &mut headers);
    let head = Head {
        method: parts.method.clone(),
        endpoint: meter.endpoint(),
        path,
        credential: target.credential,
        query,
        headers,
    };
    let limits = &target.timeouts;
    meter.waits();
    let opening = worker.client.open(target.provider.id, head, limits).await;
    meter.works();
    match opening {
        Ok(upstream::Opening::Opened(headers, websocket)) => {
            meter.hears(target, StatusCode::SWITCHING_PROTOCOLS);
            Ok((headers, websocket))
        }
        Ok(upstream::Opening::Refused(reply)) => {
            meter.hears(target, reply.status);
            let answer = Unjudged {
                bounds: Bounds {
                    gap: limits.gap,
                    first_by: None,
                    deadline: limits.total.map(|total| Instant::now() + total),
                },
                reply,
                hide_usage: false,
                may_be_anything: false,
                rule: meter.endpoint().finish_rule(),
                translation: None,
                learner: None,
            };
            Err(Box::new(match judge(answer) {
                Ok(judged) => judged,
                Err(unclear) => unclear.judged().await,
            }))
        }
        Err(error) => Err(Box::new(Judged::unanswered(error))),
    }
}

fn named(mut headers: HeaderMap, target: &Target, plan: &Plan<'_>) -> HeaderMap {
    error_response::name_target(&mut headers, target);
    if plan.has_choice() {
        error_response::count_attempts(&mut headers, plan.attempts());
    }
    headers
}

fn answered(judged: Judged, target: &Target, plan: &Plan<'_>) -> Result<Opening, Failure> {
    let mut told = judged.named(target);
    if plan.has_choice() {
        match &mut told {
            Ok(accepted) => {
                error_response::count_attempts(&mut accepted.reply.headers, plan.attempts())
            }
            Err(failure) => failure.count_attempts(plan.attempts()),
        }
    }
    told.map(Opening::Answered)
}
