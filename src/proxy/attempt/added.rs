//! What the gateway adds to a request on its own account, and the same request without
//! what the target refuses of it.

use http::StatusCode;
use tokio::time::Instant;

use super::body_start::{BodyStart, read_error};
use super::classify::{RawResponse, classify, classify_error};
use super::context::{AttemptContext, log_refusal, now};
use super::encode::encode_body;
use super::send::{ResponsePlan, raw_response};
use super::verdict::Verdict;
use crate::catalog::Target;
use crate::config::{ApiDialect, Quirk, StreamUsageMode};
use crate::lazy_timer::timeout_at;
use crate::metering::Meter;
use crate::upstream::{Error, PreparedRequest, UpstreamResponse};
use crate::wire::additions::{Addition, Additions, LimitName};
use crate::wire::endpoint::Endpoint;

/// An upstream may name what it refuses one by one.
const MAX_REPETITIONS: usize = 2;

/// What is added to a request, less what the target has refused before.
#[inline]
pub(super) fn additions(
    context: &AttemptContext<'_>,
    target: &Target,
    endpoint: Endpoint,
) -> Additions {
    let (provider, scan) = (&target.provider, &context.intake.scan);
    let fleet = &context.worker.snapshot.fleet;
    let is_refused = |addition| fleet.refuses(target, upstream_endpoint(endpoint), addition, now);
    let (asks_for_usage, limit) = match (provider.api.dialect, endpoint) {
        (ApiDialect::Anthropic, _) => (false, None),
        (ApiDialect::Openai, Endpoint::Messages) => {
            let mut limit = if provider.api.has_quirk(Quirk::MaxCompletionTokens) {
                LimitName::MaxCompletionTokens
            } else {
                LimitName::MaxTokens
            };
            if is_refused(limit.addition()) {
                limit = limit.other();
            }
            let asks = scan.stream && provider.stream_usage != StreamUsageMode::Observe;
            (asks, Some(limit))
        }
        _ => {
            let asks = endpoint.has_stream_usage_option()
                && provider.stream_usage == StreamUsageMode::Inject
                && scan.should_inject_usage();
            (asks, None)
        }
    };
    Additions {
        stream_usage: asks_for_usage && !is_refused(Addition::StreamOptions),
        limit,
    }
}

/// What a model refuses in a chat concerns both kinds of clients.
fn upstream_endpoint(endpoint: Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::Messages => Endpoint::ChatCompletions,
        other => other,
    }
}

/// Whether a response may be the refusal of a member. Some servers fail where they do
/// not know one.
pub(super) fn may_be_refusal(additions: Additions, status: StatusCode) -> bool {
    additions != Additions::default() && matches!(status.as_u16(), 400 | 422 | 500 | 501)
}

/// Classifies an error. If it names an addition, the target gets the request again
/// without it: the error says that nothing was generated.
pub(super) async fn classify_refusal(
    context: AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    mut raw: RawResponse,
    mut sent: PreparedRequest<'_>,
    deadline: Option<Instant>,
    all: Additions,
) -> Verdict {
    let endpoint = meter.endpoint();
    let mut additions = all;
    for _ in 0..MAX_REPETITIONS {
        let error = read_error(&mut raw.response.body, &raw.timeouts).await;
        let rest = additions.without_refused(&error);
        let Some((rest, body)) = rest
            .and_then(|rest| Some((rest, encode_body(context.intake, target, endpoint, rest)?)))
        else {
            let (media_type, mut start) = (raw.media_type(), BodyStart::default());
            start.push(error);
            return classify_error(raw, media_type, start).await;
        };
        for refused in additions.refused(rest) {
            log_refusal(meter, target, raw.response.status, refused);
        }
        additions = rest;
        let plan = ResponsePlan {
            finish_rule: raw.finish_rule,
            hide_usage: rest.stream_usage && raw.translation.is_none(),
            translation: raw.translation,
        };
        // Frees its connection and its permit, which may be the only ones.
        drop(raw.response);
        let received = send_again(meter, target, sent.with_body(body), deadline).await;
        let response;
        (response, sent) = match received {
            Ok(received) => received,
            Err(error) => return Verdict::no_response(error),
        };
        raw = raw_response(&context, meter, target, response, plan, deadline);
        if !may_be_refusal(rest, raw.response.status) {
            break;
        }
    }
    // Otherwise the error may have been about something else.
    if raw.response.status.is_success() {
        let fleet = &context.worker.snapshot.fleet;
        for refused in all.refused(additions) {
            fleet.record_refusal(target, upstream_endpoint(endpoint), refused, now());
        }
    }
    match classify(raw) {
        Ok(verdict) => verdict,
        Err(pending) => pending.await,
    }
}

async fn send_again<'a>(
    meter: &Meter,
    target: &Target,
    request: PreparedRequest<'a>,
    deadline: Option<Instant>,
) -> Result<(UpstreamResponse, PreparedRequest<'a>), Error> {
    let _wait = meter.wait();
    let sending = request.send(&target.timeouts);
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
