//! What the gateway adds to a request on its own account.

use http::StatusCode;

use super::context::{AttemptContext, now};
use super::protocol::TargetProtocol;
use crate::catalog::Target;
use crate::config::{Quirk, StreamUsageMode};
use crate::dialect::Dialect;
use crate::wire::additions::{Addition, Additions, LimitName};
use crate::wire::endpoint::Endpoint;

/// What is added to a request, less what the target has refused before.
#[inline]
pub(super) fn additions(
    context: &AttemptContext<'_>,
    target: &Target,
    endpoint: Endpoint,
    protocol: TargetProtocol,
) -> Additions {
    let (provider, scan) = (&target.provider, &context.intake.scan);
    let fleet = &context.worker.snapshot.fleet;
    let upstream = protocol.endpoint(endpoint);
    let is_refused = |addition| fleet.refuses(target, upstream, addition, now);
    let (asks_for_usage, limit) = match protocol {
        TargetProtocol::Translated(Dialect::Chat) => {
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
        TargetProtocol::Translated(Dialect::Messages | Dialect::Responses) => (false, None),
        TargetProtocol::Native => {
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

/// Whether a response may be the refusal of a member. Some servers fail where they do
/// not know one.
pub(super) fn may_be_refusal(additions: Additions, status: StatusCode) -> bool {
    additions != Additions::default() && matches!(status.as_u16(), 400 | 422 | 500 | 501)
}
