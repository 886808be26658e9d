//! Tools of the provider that a response of the Responses API has used.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;

/// Items that have prices of their own.
const ITEMS: [&str; 4] = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
];

/// What all of them end with, as values.
static CALL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("_call\""));

/// What was used of tools that are not billed by tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostedTools {
    pub(super) searches: u64,
    /// Something else, or something unknown.
    pub(super) others: bool,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    output: Vec<Item>,
    response: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    output: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    status: Option<String>,
    action: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
}

/// True if the bytes, which may be a part of a body, name such an item.
pub(super) fn are_named(json: &[u8]) -> bool {
    let end = CALL.needle().len() - 1;
    let mut found = CALL.find_iter(json).filter_map(|at| json.get(..at + end));
    found.any(|text| {
        let quoted = |item: &str| text.strip_suffix(item.as_bytes())?.last().copied();
        ITEMS.iter().any(|item| quoted(item) == Some(b'"'))
    })
}

/// True for the types of the events that report such an item
/// (`response.web_search_call.completed`).
#[must_use]
pub fn names_hosted_tool(event_type: &[u8]) -> bool {
    let kind = event_type.strip_prefix(b"response.");
    let kind = kind.and_then(|rest| rest.split(|byte| *byte == b'.').next());
    kind.is_some_and(|kind| ITEMS.iter().any(|item| item.as_bytes() == kind))
}

impl HostedTools {
    /// `json` is a response, or an event that contains it.
    pub(super) fn find(json: &[u8]) -> Self {
        if !are_named(json) {
            return Self::default();
        }
        let Ok(body) = serde_json::from_slice::<Body>(json) else {
            return Self {
                searches: 0,
                others: true,
            };
        };
        let inner = body.response.map(|inner| inner.output);
        let items = body.output.iter().chain(inner.iter().flatten());
        let mut found = Self::default();
        for item in items {
            found.add(item);
        }
        found
    }

    fn add(&mut self, item: &Item) {
        let is_complete = item.status.as_deref().is_none_or(|it| it == "completed");
        match item.kind.as_str() {
            "web_search_call" if !is_complete => self.others = true,
            "web_search_call" => {
                // Opening a page that was found is part of the search (OpenAI, web
                // search guide).
                let action = item.action.as_ref();
                self.searches += u64::from(action.is_none_or(|it| it.kind == "search"));
            }
            "file_search_call" | "code_interpreter_call" | "image_generation_call" => {
                self.others = true;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostedTools;

    #[test]
    fn counts_searches_and_notices_other_tools() {
        for (json, searches, others) in [
            (r#"{"output":[{"type":"message"}]}"#, 0, false),
            (r#"{"output":[{"type":"web_search_call"}]}"#, 1, false),
            (
                r#"{"response":{"output":[{"type":"web_search_call","status":"completed","action":{"type":"search"}},
                {"type":"web_search_call","action":{"type":"open_page"}},{"type":"web_search_call"}]}}"#,
                2,
                false,
            ),
            (
                r#"{"output":[{"type":"web_search_call","status":"failed"}]}"#,
                0,
                true,
            ),
            (r#"{"output":[{"type":"file_search_call"}]}"#, 0, true),
            // A part of a body, or a member of another type.
            (r#","x":[{"type":"web_search_call"}]}"#, 0, true),
            (r#"{"output":"no","x":"web_search_call"}"#, 0, true),
            // The client's own choice of a tool, not a call.
            (
                r#"{"output":[],"include":["web_search_call.action.sources"]}"#,
                0,
                false,
            ),
        ] {
            let expected = HostedTools { searches, others };
            assert_eq!(HostedTools::find(json.as_bytes()), expected, "{json}");
        }
    }
}
