//! One target after the other until one gives an answer that can be passed on.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use super::Worker;
use super::intake::Intake;
use super::limits::Share;
use super::reply::{self, Failure};
use crate::body::Outgoing;
use crate::catalog::Target;
use crate::metering::Meter;
use crate::routing::Plan;
use crate::upstream::{Head, Reply};
use crate::wire::media::MediaType;
use crate::wire::splice::{StreamUsage, splice};

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
    /// Longest silence within the body.
    pub gap: Duration,
    /// When the body must have ended.
    pub deadline: Option<Instant>,
    /// The request's place among those in flight.
    pub seat: Share,
}

/// Tries the targets of `plan`.
pub(super) async fn run(
    worker: &Worker,
    meter: &mut Meter,
    mut plan: Plan,
    head: &mut Parts,
    intake: Intake,
    seat: Share,
) -> Result<Accepted, Failure> {
    let mut target = plan.first();
    let mut failure = None;
    while let Some(current) = target {
        let headers = if plan.has_more() {
            head.headers.clone()
        } else {
            std::mem::take(&mut head.headers)
        };
        match send(worker, meter, &current, head, headers, &intake).await {
            Ok(answer) => return judge(answer, seat).await,
            Err(error) => {
                let request_id = meter.request_id().as_str();
                let provider = &*current.provider.name;
                warn!(request_id, provider, %error, "attempt failed");
                failure = Some(Failure::from(&error));
                target = plan.after(error.outcome());
            }
        }
    }
    // A plan has at least one target, so there is a failure to tell.
    Err(failure.unwrap_or_else(reply::upstream_protocol_error))
}

/// An answer that has not been looked at yet.
struct Unjudged {
    reply: Reply,
    hide_usage: bool,
    gap: Duration,
    deadline: Option<Instant>,
}

async fn send(
    worker: &Worker,
    meter: &mut Meter,
    target: &Target,
    parts: &Parts,
    headers: HeaderMap,
    intake: &Intake,
) -> Result<Unjudged, crate::upstream::Error> {
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
    let segments = splice(&intake.body, &intake.scan, &target.encoded_model, usage);
    let query = parts.uri.query().map(str::to_owned);
    let head = Head {
        endpoint,
        credential: target.credential,
        query,
        headers,
    };
    let limits = worker.client.timeouts(provider.id);
    let deadline = limits
        .and_then(|limits| limits.total)
        .map(|total| Instant::now() + total);
    let sending = pin!(
        worker
            .client
            .send(provider.id, head, Outgoing::new(segments))
    );
    meter.waits();
    let answer = match deadline {
        None => sending.await,
        Some(deadline) => match timeout_at(deadline, sending).await {
            Ok(answer) => answer,
            Err(_) => Err(crate::upstream::Error::out_of_time()),
        },
    };
    meter.works();
    meter.attempted(answer.is_ok());
    let gap = limits.map_or(Duration::MAX, |limits| limits.gap);
    Ok(Unjudged {
        reply: answer?,
        hide_usage,
        gap,
        deadline,
    })
}

/// Decides whether an answer is one that a caller can use.
async fn judge(answer: Unjudged, seat: Share) -> Result<Accepted, Failure> {
    let Unjudged {
        mut reply,
        hide_usage,
        gap,
        deadline,
    } = answer;
    let content_type = reply
        .headers
        .get(CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    let mut media_type = MediaType::of(content_type);
    let status = reply.status;
    let mut first = None;
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(reply::upstream_auth_failed());
        }
        _ if status.is_informational() => return Err(reply::upstream_protocol_error()),
        _ if status.is_redirection() => return Err(reply::upstream_redirect()),
        _ if status.is_success() => {
            if media_type == MediaType::Html {
                return Err(reply::upstream_bad_content_type());
            }
        }
        _ if media_type == MediaType::Json => {
            first = first_piece(&mut reply, gap).await;
            if first.is_none() {
                return Err(reply::upstream_error(status, &reply.headers));
            }
        }
        _ => return Err(reply::upstream_error(status, &reply.headers)),
    }
    let encoding = reply.headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding.as_bytes() != b"identity") {
        // It was asked not to; what is compressed cannot be looked into.
        media_type = MediaType::Other;
    }
    if media_type == MediaType::EventStream {
        // An error event of ours, or an event held back, would make it wrong.
        reply.headers.remove(CONTENT_LENGTH);
    }
    Ok(Accepted {
        reply,
        first,
        media_type,
        hide_usage,
        gap,
        deadline,
        seat,
    })
}

/// The first piece of an error's body that has anything in it.
async fn first_piece(reply: &mut Reply, gap: Duration) -> Option<Bytes> {
    let mut next = async || poll_fn(|context| reply.body.poll_piece(context)).await;
    while let Ok(Some(Ok(piece))) = timeout(gap, next()).await {
        if !piece.is_empty() {
            return Some(piece);
        }
    }
    None
}
