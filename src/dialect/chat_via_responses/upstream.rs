//! Responses of a Responses upstream, as far as chat has a counterpart, and the parts of
//! it that chat completions and chunks share.
//!
//! Upstreams differ: members that are missing or of another type are ignored unless they
//! are indispensable. Unknown members and types are ignored too, since the API may grow.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::lenient;
use crate::dialect::text::{self, Text};
use crate::wire::usage::UsageReport;

/// A response, or the `response` of an event.
#[derive(Deserialize)]
pub(super) struct ReceivedResponse<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    status: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    incomplete_details: Option<IncompleteDetails<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    pub(super) output: Option<Vec<UpstreamItem<'a>>>,
    #[serde(default)]
    pub(super) usage: UsageReport,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) service_tier: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct IncompleteDetails<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    reason: Option<Text<'a>>,
}

/// An output item of any type.
#[derive(Default, Deserialize)]
pub(super) struct UpstreamItem<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "text::lenient")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    /// Of a message or of reasoning; some upstreams write a string.
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    summary: Option<Vec<UpstreamPart<'a>>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    call_id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    input: Option<Text<'a>>,
}

/// A part of a message or of reasoning.
#[derive(Default, Deserialize)]
pub(super) struct UpstreamPart<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    pub(super) annotations: Option<Vec<Annotation<'a>>>,
    #[serde(borrow, default, deserialize_with = "raw_list")]
    pub(super) logprobs: Vec<&'a RawValue>,
}

/// Chat has citations of URLs only.
#[derive(Deserialize)]
pub(super) struct Annotation<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "text::lenient")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    url: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    title: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient::number")]
    start_index: Option<u64>,
    #[serde(default, deserialize_with = "lenient::number")]
    end_index: Option<u64>,
}

/// What an item means for a chat client.
pub(super) enum ItemKind<'a> {
    Message(Vec<UpstreamPart<'a>>),
    Reasoning(Vec<Text<'a>>),
    Call(UpstreamCall<'a>),
    /// Calls of tools that the provider runs itself, and other types that a chat request
    /// cannot ask for.
    Other,
}

/// A call of a function or of a custom tool. Members that are empty are absent.
pub(super) struct UpstreamCall<'a> {
    pub(super) call_id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    /// The arguments, or the input of a custom tool.
    pub(super) text: Option<Text<'a>>,
    pub(super) is_custom: bool,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    /// With its `finish_reason`.
    Incomplete(&'static str),
    /// It failed, was cancelled, or is not finished.
    Unfinished,
}

impl Outcome {
    /// Calls alone decide whether it is `tool_calls`.
    pub(super) fn finish_reason(self, has_tool_calls: bool) -> &'static str {
        match self {
            Self::Incomplete(reason) => reason,
            _ if has_tool_calls => "tool_calls",
            _ => "stop",
        }
    }
}

impl ReceivedResponse<'_> {
    pub(super) fn outcome(&self) -> Outcome {
        match self.status.as_ref().map_or("", Text::escaped) {
            "incomplete" => self.incomplete(),
            "failed" | "cancelled" | "queued" | "in_progress" => Outcome::Unfinished,
            // `completed`, or none.
            _ => Outcome::Complete,
        }
    }

    /// The outcome of a response that ends with `response.incomplete`.
    pub(super) fn incomplete(&self) -> Outcome {
        let details = self.incomplete_details.as_ref();
        let reason = details.and_then(|details| details.reason.as_ref());
        Outcome::Incomplete(match reason.map_or("", Text::escaped) {
            "content_filter" => "content_filter",
            // `max_output_tokens`, and others that cut a response short.
            _ => "length",
        })
    }
}

impl<'a> UpstreamItem<'a> {
    pub(super) fn kind(&self) -> ItemKind<'a> {
        match self.kind.as_ref().map_or("", Text::escaped) {
            "message" => ItemKind::Message(self.parts()),
            "reasoning" => ItemKind::Reasoning(self.reasoning()),
            "function_call" => ItemKind::Call(self.call(self.arguments.and_then(arguments), false)),
            "custom_tool_call" => ItemKind::Call(self.call(self.input.clone(), true)),
            _ => ItemKind::Other,
        }
    }

    fn parts(&self) -> Vec<UpstreamPart<'a>> {
        let Some(content) = self.content else {
            return Vec::new();
        };
        if let Some(text) = Text::from_raw(content) {
            return vec![UpstreamPart {
                text: Some(text),
                ..UpstreamPart::default()
            }];
        }
        let parts = lenient::list(&mut serde_json::Deserializer::from_str(content.get()));
        parts.ok().flatten().unwrap_or_default()
    }

    /// The reasoning itself, or else its summary. Some upstreams write the same text into
    /// both.
    fn reasoning(&self) -> Vec<Text<'a>> {
        let texts = |parts: &[UpstreamPart<'a>]| -> Vec<Text<'a>> {
            let texts = parts.iter().filter_map(|part| part.text.clone());
            texts.filter(|text| !text.is_empty()).collect()
        };
        let content = texts(&self.parts());
        if !content.is_empty() {
            return content;
        }
        texts(self.summary.as_deref().unwrap_or_default())
    }

    fn call(&self, text: Option<Text<'a>>, is_custom: bool) -> UpstreamCall<'a> {
        let not_empty = |text: &Text<'_>| !text.is_empty();
        UpstreamCall {
            call_id: self.call_id.clone().filter(not_empty),
            name: self.name.clone().filter(not_empty),
            text: text.filter(not_empty),
            is_custom,
        }
    }
}

impl<'a> UpstreamPart<'a> {
    pub(super) fn of_text(text: Option<Text<'a>>, logprobs: Vec<&'a RawValue>) -> Self {
        Self {
            text,
            logprobs,
            ..Self::default()
        }
    }

    pub(super) fn of_refusal(refusal: Option<Text<'a>>) -> Self {
        Self {
            refusal,
            ..Self::default()
        }
    }
}

/// Some upstreams send an object instead of a string.
fn arguments(raw: &RawValue) -> Option<Text<'_>> {
    if raw.get().starts_with('{') {
        return Some(Text::encode(raw.get()));
    }
    Text::from_raw(raw)
}

impl Annotation<'_> {
    /// The annotation of a chat message whose text begins `offset` characters before that
    /// of the part. In a stream, it has a number, without which `OpenAI`'s SDK does not
    /// join two of them.
    pub(super) fn to_chat(&self, offset: u64, number: Option<usize>) -> Option<Box<RawValue>> {
        let kind = self.kind.as_ref().map(Text::escaped);
        let url = self.url.as_ref().map(Text::escaped);
        let url = url.filter(|_| kind == Some("url_citation"))?;
        let title = self.title.as_ref().map_or("", Text::escaped);
        let index = |index: Option<u64>| index.unwrap_or_default().saturating_add(offset);
        let (start, end) = (index(self.start_index), index(self.end_index));
        let number = number.map(|number| format!(r#""index":{number},"#));
        let number = number.unwrap_or_default();
        let citation = format!(
            r#"{{"start_index":{start},"end_index":{end},"title":"{title}","url":"{url}"}}"#
        );
        let json = format!(r#"{{{number}"type":"url_citation","url_citation":{citation}}}"#);
        RawValue::from_string(json).ok()
    }
}

/// A value of another type is an empty list.
pub(super) fn raw_list<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<&'a RawValue>, D::Error> {
    let raw = Option::<&'a RawValue>::deserialize(deserializer)?;
    let list = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    Ok(list.unwrap_or_default())
}
