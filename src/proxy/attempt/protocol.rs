//! In which protocol a target is called: in the client's own where it speaks that, else
//! in the one that the request is translated to with the least loss.

use super::context::{AttemptContext, now};
use crate::catalog::Target;
use crate::dialect::Dialect;
use crate::error_response::{self, ErrorResponse};
use crate::wire::endpoint::Endpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetProtocol {
    Native,
    /// To the upstream's protocol.
    Translated(Dialect),
}

/// By preference: the protocol itself, one translation, and two of them.
const FOR_CHAT: [Dialect; 3] = [Dialect::Chat, Dialect::Responses, Dialect::Messages];
const FOR_MESSAGES: [Dialect; 3] = [Dialect::Messages, Dialect::Chat, Dialect::Responses];
const FOR_RESPONSES: [Dialect; 3] = [Dialect::Responses, Dialect::Chat, Dialect::Messages];

/// The protocol of the request at this target; an error if the provider has no such call.
#[inline]
pub(super) fn protocol(
    context: &AttemptContext<'_>,
    target: &Target,
    endpoint: Endpoint,
) -> Result<TargetProtocol, Box<ErrorResponse>> {
    let api = &target.provider.api;
    let Some((client, preferred)) = translated_call(endpoint) else {
        return if has_call(context, target, endpoint) {
            Ok(TargetProtocol::Native)
        } else {
            Err(Box::new(unsupported(target, endpoint)))
        };
    };
    if context.is_websocket {
        return if is_spoken(context, target, client) {
            Ok(TargetProtocol::Native)
        } else {
            Err(Box::new(unsupported(target, endpoint)))
        };
    }
    let spoken = || preferred.into_iter().filter(|it| api.speaks(*it));
    let known = spoken().find(|it| is_spoken(context, target, *it));
    // With all of them refused, the first one is asked again.
    match known.or_else(|| spoken().next()) {
        Some(upstream) => Ok(TargetProtocol::between(client, upstream)),
        None => Err(Box::new(unsupported(target, endpoint))),
    }
}

/// To translate to, where the provider has not the call of this protocol.
pub(super) fn next_dialect(
    target: &Target,
    endpoint: Endpoint,
    refused: TargetProtocol,
) -> Option<Dialect> {
    let (client, preferred) = translated_call(endpoint)?;
    let api = &target.provider.api;
    let mut spoken = preferred.into_iter().filter(|it| api.speaks(*it));
    spoken.find(|it| TargetProtocol::between(client, *it) == refused)?;
    spoken.next()
}

/// The call of a protocol.
pub(super) fn call_of(dialect: Dialect) -> Endpoint {
    match dialect {
        Dialect::Chat => Endpoint::ChatCompletions,
        Dialect::Messages => Endpoint::Messages,
        Dialect::Responses => Endpoint::Responses,
    }
}

fn translated_call(endpoint: Endpoint) -> Option<(Dialect, [Dialect; 3])> {
    match endpoint {
        Endpoint::ChatCompletions => Some((Dialect::Chat, FOR_CHAT)),
        Endpoint::Messages => Some((Dialect::Messages, FOR_MESSAGES)),
        Endpoint::Responses => Some((Dialect::Responses, FOR_RESPONSES)),
        _ => None,
    }
}

/// Whether the provider speaks it, and has not refused it lately.
#[inline]
fn is_spoken(context: &AttemptContext<'_>, target: &Target, dialect: Dialect) -> bool {
    let fleet = &context.worker.snapshot.fleet;
    target.provider.api.speaks(dialect) && !fleet.lacks_call(target, call_of(dialect), now)
}

/// Of a call that is not translated.
fn has_call(context: &AttemptContext<'_>, target: &Target, endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::ResponsesCompact | Endpoint::ResponseObjects => {
            is_spoken(context, target, Dialect::Responses)
        }
        Endpoint::MessagesCountTokens => is_spoken(context, target, Dialect::Messages),
        _ if endpoint.has_result() => target.provider.api.is_openai(),
        _ => true,
    }
}

fn unsupported(target: &Target, endpoint: Endpoint) -> ErrorResponse {
    let provider = &target.provider;
    let spoken: Vec<&str> = provider.api.dialects.iter().map(name).collect();
    error_response::unsupported_endpoint(&provider.name, endpoint, &spoken.join(" and "))
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "Chat Completions",
        Dialect::Messages => "Messages",
        Dialect::Responses => "Responses",
    }
}

// === impl TargetProtocol ===

impl TargetProtocol {
    fn between(client: Dialect, upstream: Dialect) -> Self {
        if client == upstream {
            Self::Native
        } else {
            Self::Translated(upstream)
        }
    }

    /// The upstream's endpoint.
    pub(super) fn endpoint(self, client: Endpoint) -> Endpoint {
        match self {
            Self::Native => client,
            Self::Translated(upstream) => call_of(upstream),
        }
    }
}
