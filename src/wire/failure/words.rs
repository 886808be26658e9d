//! The words and codes of an error, in any of its shapes.

use serde_json::{Map, Value};

use super::ReportedFailure;

/// Members with words, the most telling first.
const WORDS: [&str; 6] = [
    "message",
    "error_message",
    "error_msg",
    "error_description",
    "detail",
    "msg",
];

const CODES: [&str; 2] = ["code", "error_code"];
const STATUSES: [&str; 3] = ["status", "statusCode", "status_code"];

/// Empty values stand for none, at any depth.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
    }
}

/// Text, the text in an object, or those of a list: `FastAPI` lists what is wrong
/// with a request as `{"loc": […], "msg": "…"}`.
pub(super) fn words_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Array(items) => {
            let all: Vec<_> = items.iter().filter_map(words_of).collect();
            Some(all.join("; ")).filter(|text| !text.is_empty())
        }
        Value::Object(members) => {
            let mut names = WORDS.into_iter().chain(["error"]);
            let words = names.find_map(|name| members.get(name).and_then(words_of))?;
            Some(match members.get("loc").and_then(path_of) {
                Some(path) => format!("{path}: {words}"),
                None => words,
            })
        }
        _ => None,
    }
}

fn path_of(location: &Value) -> Option<String> {
    let steps = location.as_array()?.iter().filter_map(|step| match step {
        Value::String(name) => Some(name.clone()),
        Value::Number(index) => Some(index.to_string()),
        _ => None,
    });
    let steps: Vec<_> = steps.collect();
    (!steps.is_empty()).then(|| steps.join("."))
}

fn status_of(code: &Value) -> Option<u16> {
    let number = match code {
        Value::String(text) => text.trim().parse().ok()?,
        code => u16::try_from(code.as_u64()?).ok()?,
    };
    (400..=599).contains(&number).then_some(number)
}

/// A code that is neither a status nor empty.
pub(super) fn code_of(code: &Value) -> Option<String> {
    if is_empty(code) || status_of(code).is_some() {
        return None;
    }
    match code {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

// === impl ReportedFailure ===

impl ReportedFailure {
    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Object(members) => {
                let inner = members.get("error").map(Self::of_value);
                Self::of_members(members).or(inner.unwrap_or_default())
            }
            Value::Array(items) => Self {
                message: words_of(value),
                ..items.first().map(Self::of_value).unwrap_or_default()
            },
            _ => Self {
                message: words_of(value),
                ..Self::default()
            },
        }
    }

    pub(super) fn of_members(members: &Map<String, Value>) -> Self {
        let get = |name: &str| members.get(name);
        let statuses = CODES.into_iter().chain(STATUSES);
        Self {
            message: WORDS.into_iter().filter_map(get).find_map(words_of),
            kind: get("type")
                .and_then(words_of)
                .filter(|kind| is_error_type(kind)),
            code: CODES.into_iter().filter_map(get).find_map(code_of),
            status: statuses.filter_map(get).find_map(status_of),
        }
    }
}

/// False for what says only that this is an error, not which.
fn is_error_type(kind: &str) -> bool {
    kind != "error" && kind != "response.failed"
}
