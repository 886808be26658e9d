//! What one chunk of a chat stream says of one tool call.

use serde_json::value::RawValue;

use super::completion::{UpstreamFunctionCall, UpstreamToolCall};
use crate::dialect::text::Text;

/// Members that are empty are absent.
pub(super) struct ToolCallDelta<'a> {
    pub(super) index: Option<u64>,
    /// In the array, if nothing else identifies its deltas.
    pub(super) position: Option<u64>,
    pub(super) id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) arguments: Option<Text<'a>>,
    pub(super) extra: Option<&'a RawValue>,
}

impl<'a> ToolCallDelta<'a> {
    /// The deltas of one chunk.
    pub(super) fn of_chunk(calls: Vec<UpstreamToolCall<'a>>) -> impl Iterator<Item = Self> {
        let has_key = |call: &UpstreamToolCall<'_>| {
            let not_empty =
                |text: &Option<Text<'_>>| text.as_ref().is_some_and(|it| !it.is_empty());
            let has_name = call.function.as_ref().is_some_and(|it| not_empty(&it.name));
            call.index.is_some() || not_empty(&call.id) || has_name
        };
        let is_list = calls.len() > 1 && !calls.iter().any(has_key);
        (0..).zip(calls).map(move |(position, call)| {
            let not_empty = |text: &Text<'_>| !text.is_empty();
            let extra = call.extra_content();
            let id = call.id.filter(not_empty);
            let function = call.function.as_ref();
            let arguments = function.and_then(UpstreamFunctionCall::arguments);
            let name = call.function.and_then(|function| function.name);
            let name = name.filter(not_empty);
            Self {
                index: call.index,
                position: is_list.then_some(position),
                id,
                name,
                arguments,
                extra,
            }
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self {
            id,
            name,
            arguments,
            extra,
            ..
        } = self;
        id.is_none() && name.is_none() && arguments.is_none() && extra.is_none()
    }

    /// Some upstreams write it where a call has no arguments.
    pub(super) fn is_null(&self) -> bool {
        let arguments = self.arguments.as_ref();
        arguments.is_some_and(|text| text.escaped() == "null")
    }

    /// The first byte of the arguments that is not white space.
    pub(super) fn first_byte(&self) -> Option<u8> {
        let text = self.arguments.as_ref()?;
        match text.escaped().trim_start_matches(' ').as_bytes() {
            [b'\\', escape @ (b'"' | b'\\'), ..] => Some(*escape),
            [b'\\', ..] => {
                let mut decoded = Vec::new();
                text.decode_into(&mut decoded);
                decoded.trim_ascii_start().first().copied()
            }
            rest => rest.first().copied(),
        }
    }
}
