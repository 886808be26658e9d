//! Calls other than the usual ones: bodies of all kinds, and paths that the
//! caller has written.

use http::request::Parts;
use tracing::warn;

use super::judge::{Judged, judge};
use super::{Accepted, send};
use crate::body::Outgoing;
use crate::catalog::{Resolved, Target};
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::intake::{Content, Intake, Rest, Special};
use crate::proxy::reply::Failure;
use crate::routing::Plan;
use crate::wire::call;
use crate::wire::splice::{Segments, StreamUsage, splice};

use super::errand::now;

/// Body, path and query in the target's terms.
pub(super) fn outgoing(
    special: &Special,
    intake: &Intake,
    target: &Target,
    usage: StreamUsage,
    parts: &Parts,
) -> (Outgoing, Option<String>, Option<String>) {
    let Special { call, content } = special;
    let model = &target.encoded_model;
    let body = match content {
        Content::Nothing => Outgoing::absent(),
        Content::Held if intake.body.is_empty() => Outgoing::new(Segments::default()),
        Content::Held => Outgoing::new(splice(&intake.body, &intake.scan, model, usage)),
        Content::Named(behind) => {
            let member = [b"\"model\":", &model[..], behind.as_bytes()].concat();
            Outgoing::new(splice(&intake.body, &intake.scan, &member, usage))
        }
        Content::Passing(rest) => rest.outgoing(&target.upstream_model()),
    };
    let name = target.upstream_model();
    let mut query = parts.uri.query().map(str::to_owned);
    if call.is_azure {
        query = query.as_deref().and_then(call::unversioned);
    }
    if name.is_empty() {
        return (body, Some(call.path.clone()), query);
    }
    query = query.map(|query| call::renamed(&query, &name));
    (body, Some(call.path_for(&name)), query)
}

/// Sends what cannot be sent again. It goes to the target that would be the
/// first one.
pub(super) async fn once(
    worker: &Worker,
    meter: &mut Meter,
    resolved: &Resolved<'_>,
    head: &mut Parts,
    intake: &Intake,
    rest: &Rest,
) -> Result<Accepted, Failure> {
    let fleet = &worker.snapshot.fleet;
    let model = &resolved.model;
    let mut plan = Plan::new(fleet, &resolved.targets, model.retry, model.balance);
    let first = plan.first(now(), &mut worker.rng.borrow_mut());
    // A plan has at least one target.
    let target = first.ok_or_else(crate::proxy::reply::upstream_protocol_error)?;
    let headers = std::mem::take(&mut head.headers);
    meter.asks(target);
    let judged = match send(worker, meter, target, head, headers, intake).await {
        Ok(answer) => judge(answer).await,
        Err(error) => {
            if let Some(objection) = rest.notes().objection() {
                return Err(objection.at(target));
            }
            let request_id = meter.request_id().as_str();
            let provider = &*target.provider.name;
            warn!(request_id, provider, %error, "attempt failed");
            Judged::unanswered(error)
        }
    };
    match &resolved.targets[..] {
        [_] => meter.attempted(judged.fault),
        _ => meter.attempted_at(model, target, judged.fault),
    }
    if judged.is_blamed() {
        fleet.note(target, judged.fault, now());
    }
    judged.named(target)
}
