//! Responses of a Messages upstream, as far as chat has a counterpart, and the
//! parts of it that chat completions and chunks share.
//!
//! Unknown members and types are ignored, since the API may grow.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::lenient;
use crate::dialect::text::{self, Text};
use crate::wire::usage::UsageReport;

/// A response, or the `message` of `message_start`.
#[derive(Deserialize)]
pub(super) struct UpstreamMessage<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    /// A list of blocks.
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(super) stop_details: Option<UpstreamStopDetails<'a>>,
    #[serde(default)]
    pub(super) usage: UsageReport,
}

/// A content block of any type.
#[derive(Default, Deserialize)]
pub(super) struct UpstreamBlock<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// Details of a refusal.
#[derive(Default, Deserialize)]
pub(super) struct UpstreamStopDetails<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) explanation: Option<Text<'a>>,
}

/// A delta of a block of any type, or of the message.
#[derive(Default, Deserialize)]
pub(super) struct UpstreamDelta<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) partial_json: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(super) stop_details: Option<UpstreamStopDetails<'a>>,
}

impl<'a> UpstreamMessage<'a> {
    /// The blocks; none if the content is `null`, one if it is a string, as in requests.
    /// `None` if this is no message.
    pub(super) fn blocks(&self) -> Option<Vec<UpstreamBlock<'a>>> {
        let Some(content) = self.content else {
            return self.stop_reason.is_some().then(Vec::new);
        };
        if let Some(text) = Text::from_raw(content) {
            return Some(vec![UpstreamBlock {
                kind: "text".into(),
                text: Some(text),
                ..UpstreamBlock::default()
            }]);
        }
        lenient::list(&mut serde_json::Deserializer::from_str(content.get())).ok()?
    }
}

/// `finish_reason` for a `stop_reason`. Calls alone decide whether it is `tool_calls`.
pub(super) fn finish_reason(stop_reason: &Text<'_>, has_tool_calls: bool) -> &'static str {
    match stop_reason.escaped() {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "refusal" => "content_filter",
        _ if has_tool_calls => "tool_calls",
        // `end_turn`, `stop_sequence`, `pause_turn`, and unknown ones.
        _ => "stop",
    }
}
