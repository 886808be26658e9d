//! The calls of a complete (not streamed) response.

use std::borrow::Cow;
use std::collections::HashSet;

use super::completion::{UpstreamChatMessage, UpstreamFunctionCall, UpstreamToolCall};
use crate::dialect::text::Text;
use crate::dialect::tool_id;
use crate::dialect::{InvalidUpstreamResponse, ResponseContext};

/// A call with its name and arguments.
pub(in crate::dialect) struct WholeCall<'a> {
    /// As the client gets it.
    pub(in crate::dialect) id: String,
    pub(in crate::dialect) name: Text<'a>,
    /// A JSON object.
    pub(in crate::dialect) arguments: String,
}

/// The calls of a message; `may_be_cut`: a limit or a filter ended it, and an incomplete
/// call is dropped. `prefix` is that of generated ids.
pub(in crate::dialect) fn whole_calls<'a>(
    message: UpstreamChatMessage<'a>,
    may_be_cut: bool,
    prefix: &str,
    context: &ResponseContext<'_>,
) -> Result<Vec<WholeCall<'a>>, InvalidUpstreamResponse> {
    let mut ids = HashSet::new();
    let mut whole = Vec::new();
    let calls = message.into_calls().into_iter();
    for (index, call) in calls.filter(|call| !is_empty(call)).enumerate() {
        match object(&call) {
            Some(arguments) => {
                let generated = || tool_id::generated_as(prefix, context.fallback_id, index);
                let id = own_id(&call, &mut ids).unwrap_or_else(generated);
                let id = tool_id::for_messages_client(
                    &id,
                    call.extra_content(),
                    context.provider,
                    context.fallback_id,
                );
                whole.push(WholeCall {
                    id: id.into_owned(),
                    name: name(&call).ok_or(InvalidUpstreamResponse)?,
                    arguments,
                });
            }
            None if may_be_cut => {}
            None => return Err(InvalidUpstreamResponse),
        }
    }
    Ok(whole)
}

/// Some upstreams fill `tool_calls` with calls of nothing.
fn is_empty(call: &UpstreamToolCall<'_>) -> bool {
    let arguments = call
        .function
        .as_ref()
        .and_then(UpstreamFunctionCall::arguments);
    name(call).is_none() && arguments.is_none()
}

fn name<'a>(call: &UpstreamToolCall<'a>) -> Option<Text<'a>> {
    let name = call.function.as_ref()?.name.clone();
    name.filter(|name| !name.is_empty())
}

/// The arguments, if they are an object.
fn object(call: &UpstreamToolCall<'_>) -> Option<String> {
    let arguments = call.function.as_ref()?.arguments();
    let arguments = arguments.as_ref().map_or(Some("{}".into()), Text::decode)?;
    let object: Cow<'_, str> = match arguments.trim() {
        "" | "null" => "{}".into(),
        _ => arguments,
    };
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&object).is_ok();
    let object = object.trim();
    (is_json && object.starts_with('{')).then(|| object.to_owned())
}

/// The call's own id, unless it has none, or an earlier one has the same.
fn own_id(call: &UpstreamToolCall<'_>, ids: &mut HashSet<String>) -> Option<String> {
    let own = call.id.as_ref().and_then(Text::decode)?;
    (!own.is_empty() && ids.insert(own.to_string())).then(|| own.into_owned())
}
