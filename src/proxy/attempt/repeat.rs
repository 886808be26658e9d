//! Asks the same target again where its error says that nothing was generated and what to
//! change: without what the gateway added, or in another protocol.

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::added::{additions, may_be_refusal};
use super::body_start::{BodyStart, read_error};
use super::classify::{RawResponse, classify, classify_error};
use super::context::{AttemptContext, log_missing_call, log_refusal, now};
use super::encode::{encode_body, encode_translated};
use super::protocol::{TargetProtocol, next_dialect};
use super::send::{ResponsePlan, Sent, Written, raw_response};
use super::verdict::Verdict;
use crate::catalog::Target;
use crate::dialect::Dialect;
use crate::lazy_timer::timeout_at;
use crate::metering::Meter;
use crate::request_body::RequestBody;
use crate::routing::AttemptOutcome;
use crate::upstream::{Error, PreparedRequest, UpstreamResponse};
use crate::wire::additions::Additions;
use crate::wire::failure::MissingCall;

/// An upstream may name what it refuses one by one, and have one of three calls.
const MAX_REPETITIONS: usize = 4;

/// What an error asks for.
enum Change {
    Additions(Additions, RequestBody),
    Protocol(Dialect, MissingCall),
    /// The provider has neither the call nor another one to translate it to.
    NoCall,
}

/// What was refused so far.
struct Refused {
    /// Additions of the first request in the current protocol.
    additions: Additions,
    calls: Vec<(TargetProtocol, MissingCall, StatusCode)>,
}

/// Whether an error may be the refusal of an addition or of the call.
pub(super) fn may_be_repeatable(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    (protocol, additions): (TargetProtocol, Additions),
    status: StatusCode,
) -> bool {
    !status.is_success()
        && (may_be_refusal(additions, status)
            || may_be_missing_call(context, meter, target, protocol, status))
}

fn may_be_missing_call(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    protocol: TargetProtocol,
    status: StatusCode,
) -> bool {
    match status.as_u16() {
        404 | 405 | 501 => {
            let passthrough = context.intake.passthrough.as_ref();
            passthrough.is_none_or(|it| it.path.names_no_object())
        }
        // Those of chat templates.
        400 | 500 => {
            let refuses_template =
                protocol == TargetProtocol::Native && meter.endpoint().is_anthropic();
            refuses_template && next_dialect(target, meter.endpoint(), protocol).is_some()
        }
        _ => false,
    }
}

/// Classifies an error after which the target may be asked again. All of that is one
/// attempt.
pub(super) async fn classify_repeatable<'a>(
    context: AttemptContext<'a>,
    meter: &'a Meter,
    target: &'a Target,
    mut raw: RawResponse,
    mut sent: Sent<'a>,
) -> Verdict {
    let mut refused = Refused {
        additions: sent.additions,
        calls: Vec::new(),
    };
    for _ in 0..MAX_REPETITIONS {
        let (made, status) = ((sent.protocol, sent.additions), raw.response.status);
        if !may_be_repeatable(&context, meter, target, made, status) {
            break;
        }
        let error = read_error(&mut raw.response.body, &raw.timeouts).await;
        let Some(change) = find_change(&context, meter, target, made, status, &error) else {
            refused.record(&context, meter, target, made, status);
            let (media_type, mut start) = (raw.media_type(), BodyStart::default());
            start.push(error);
            return classify_error(raw, media_type, start).await;
        };
        let deadline = sent.deadline;
        let changed = apply(
            &context,
            meter,
            target,
            sent,
            change,
            &mut raw,
            &mut refused,
        );
        let (changed, plan) = match changed {
            Ok(changed) => changed,
            Err(verdict) => return *verdict,
        };
        // Frees its connection and its permit, which may be the only ones.
        drop(raw.response);
        let (response, request) = match send_again(meter, target, changed.request, deadline).await {
            Ok(received) => received,
            Err(error) => return Verdict::no_response(error),
        };
        sent = Sent { request, ..changed };
        raw = raw_response(&context, meter, target, response, plan, deadline);
    }
    let (made, status) = ((sent.protocol, sent.additions), raw.response.status);
    refused.record(&context, meter, target, made, status);
    match classify(raw) {
        Ok(verdict) => verdict,
        Err(pending) => pending.await,
    }
}

/// The next request. The verdict is that of a target without one.
fn apply<'a>(
    context: &AttemptContext<'a>,
    meter: &Meter,
    target: &Target,
    sent: Sent<'a>,
    change: Change,
    raw: &mut RawResponse,
    refused: &mut Refused,
) -> Result<(Sent<'a>, ResponsePlan), Box<Verdict>> {
    let status = raw.response.status;
    match change {
        Change::NoCall => {
            let endpoint = meter.endpoint();
            let asked = sent.protocol.endpoint(endpoint);
            let verdict = Verdict::missing_call(target, endpoint, asked, status);
            Err(Box::new(verdict))
        }
        Change::Additions(rest, body) => {
            for addition in sent.additions.refused(rest) {
                log_refusal(meter, target, status, addition);
            }
            let plan = ResponsePlan {
                finish_rule: raw.finish_rule,
                hide_usage: rest.stream_usage && raw.translation.is_none(),
                translation: raw.translation.take(),
            };
            let changed = Sent {
                request: sent.request.with_body(body),
                additions: rest,
                ..sent
            };
            Ok((changed, plan))
        }
        Change::Protocol(next, what) => {
            refused.calls.push((sent.protocol, what, status));
            let headers = sent.request.into_headers();
            let (request, plan, additions) = translate(context, meter, target, headers, next)?;
            refused.additions = additions;
            let changed = Sent {
                request,
                protocol: TargetProtocol::Translated(next),
                additions,
                deadline: sent.deadline,
            };
            Ok((changed, plan))
        }
    }
}

/// `None` if the error is about something else.
fn find_change(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    (protocol, additions): (TargetProtocol, Additions),
    status: StatusCode,
    error: &[u8],
) -> Option<Change> {
    let endpoint = meter.endpoint();
    if may_be_refusal(additions, status)
        && let Some(rest) = additions.without_refused(error)
    {
        let body = encode_body(context.intake, target, endpoint, protocol, rest)?;
        return Some(Change::Additions(rest, body));
    }
    if !may_be_missing_call(context, meter, target, protocol, status) {
        return None;
    }
    let missing = MissingCall::find(status.as_u16(), error)?;
    match next_dialect(target, endpoint, protocol) {
        Some(next) => Some(Change::Protocol(next, missing)),
        None if missing == MissingCall::Call => Some(Change::NoCall),
        None => None,
    }
}

/// The request in another protocol, with the headers of the one that was sent. The verdict
/// is that of a request which cannot be translated to it.
fn translate<'a>(
    context: &AttemptContext<'a>,
    meter: &Meter,
    target: &Target,
    headers: HeaderMap,
    upstream: Dialect,
) -> Result<(PreparedRequest<'a>, ResponsePlan, Additions), Box<Verdict>> {
    let protocol = TargetProtocol::Translated(upstream);
    let additions = additions(context, target, meter.endpoint(), protocol);
    let encoded = encode_translated(context, meter, target, headers, upstream, additions)
        .map_err(|error| Box::new(Verdict::unusable(AttemptOutcome::Rejected, *error)))?;
    let plan = ResponsePlan {
        finish_rule: encoded.finish_rule,
        hide_usage: false,
        translation: encoded.translation,
    };
    let client = &context.worker.client;
    let request = client
        .prepare(target.provider.id, encoded.head, encoded.body)
        .map_err(|error| Box::new(Verdict::no_response(error)))?;
    Ok((request, plan, additions))
}

async fn send_again<'a>(
    meter: &Meter,
    target: &Target,
    request: PreparedRequest<'a>,
    deadline: Option<Instant>,
) -> Result<(UpstreamResponse, PreparedRequest<'a>), Error> {
    let _wait = meter.wait();
    let written = Written::new(meter, target);
    let sending = request.send(&target.timeouts, &written.flag);
    let received = match deadline {
        None => sending.await?,
        Some(deadline) => match timeout_at(deadline, sending).await {
            Ok(received) => received?,
            Err(_) => return Err(Error::total_timeout()),
        },
    };
    meter.on_attempt_head(target, received.0.status);
    Ok(received)
}

// === impl Refused ===

impl Refused {
    /// Of the last request and the status of its response. A call counts as missing once
    /// there is another one; an addition as refused once the request without it succeeds,
    /// since the error may have been about something else.
    fn record(
        self,
        context: &AttemptContext<'_>,
        meter: &Meter,
        target: &Target,
        (protocol, additions): (TargetProtocol, Additions),
        status: StatusCode,
    ) {
        let (fleet, endpoint) = (&context.worker.snapshot.fleet, meter.endpoint());
        for (protocol, what, status) in self.calls {
            let call = protocol.endpoint(endpoint);
            fleet.record_missing_call(target, call, what, now());
            log_missing_call(meter, target, call, status);
        }
        if status.is_success() {
            for addition in self.additions.refused(additions) {
                fleet.record_refusal(target, protocol.endpoint(endpoint), addition, now());
            }
        }
    }
}
