//! Clients of chat and Messages at an upstream that speaks Responses only.

mod complete;
mod golden;
mod requests;
mod round_trip;
mod streams;

use super::{CHAT_VIA_RESPONSES, CONTEXT, stream};
use crate::dialect::{
    Dialect, DialectPair, ResponsesUpstream, SystemPosition, TranslatedRequest, TranslationError,
    UpstreamApi, translate_request,
};

const MESSAGES_VIA_RESPONSES: DialectPair = DialectPair {
    client: Dialect::Messages,
    upstream: Dialect::Responses,
};

const UPSTREAM: ResponsesUpstream<'_> = ResponsesUpstream {
    model: "gpt-upstream",
    reasoning: true,
    system: SystemPosition::Anywhere,
    provider: "up",
};

fn to_responses(client: Dialect, body: &[u8]) -> Result<TranslatedRequest, TranslationError> {
    translate_request(client, body, &UpstreamApi::Responses(UPSTREAM))
}
