//! The members of a body that say whether something failed, and why.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::words::{code_of, is_empty, words_of};
use super::{ReportedFailure, is_failed_finish};

/// The members that are read; all others are skipped.
const MEMBERS: [&str; 20] = [
    "base_resp",
    "choices",
    "code",
    "detail",
    "error",
    "error_code",
    "error_description",
    "error_message",
    "error_msg",
    "errors",
    "message",
    "msg",
    "object",
    "response",
    "status",
    "statusCode",
    "status_code",
    "success",
    "type",
    "x_groq",
];

/// The members of results, besides `choices`.
const RESULTS: [&str; 10] = [
    "content",
    "data",
    "delta",
    "embedding",
    "embeddings",
    "input_tokens",
    "output",
    "results",
    "text",
    "usage",
];

#[derive(Default)]
pub(super) struct FailureReport {
    members: Map<String, Value>,
    has_result: bool,
}

struct ReportReader;

// === impl FailureReport ===

impl FailureReport {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let json = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
        serde_json::from_slice(json).ok()
    }

    fn get(&self, name: &str) -> &Value {
        self.members.get(name).unwrap_or(&Value::Null)
    }

    fn nested(&self, outer: &str, inner: &str) -> &Value {
        self.get(outer).get(inner).unwrap_or(&Value::Null)
    }

    fn is(&self, name: &str, text: &str) -> bool {
        self.get(name).as_str() == Some(text)
    }

    pub(super) fn says_failed(&self) -> bool {
        self.error().is_some()
            || self.failed_choice().is_some()
            || self.is("object", "error")
            || self.is("type", "error")
            || self.is("type", "response.failed")
            || self.is("status", "failed")
            || self.is("status", "error")
            || self.get("success") == &Value::Bool(false)
            || !is_empty(self.get("error_msg"))
            || !is_empty(self.get("error_message"))
            // MiniMax.
            || !is_empty(self.nested("base_resp", "status_code"))
            || self.has_only_words()
    }

    /// Words without a result. Where the object says what it is, they need the code of
    /// an error.
    fn has_only_words(&self) -> bool {
        let words = ReportedFailure::of_members(&self.members);
        if self.has_result || words.message.is_none() && is_empty(self.get("errors")) {
            return false;
        }
        let describes_itself = ["code", "object", "status", "success", "type"]
            .into_iter()
            .any(|name| !self.get(name).is_null());
        words.status.is_some() || !describes_itself || self.has_error_code()
    }

    /// True for a name, such as `Throttling`.
    fn has_error_code(&self) -> bool {
        let code = self.get("code").as_str().unwrap_or_default().trim();
        let is_name = code.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_fine = ["ok", "success"]
            .iter()
            .any(|fine| code.eq_ignore_ascii_case(fine));
        is_name && !is_fine
    }

    /// The error of the whole.
    fn error(&self) -> Option<&Value> {
        let of_response = if self.is("type", "response.failed") {
            self.nested("response", "error")
        } else {
            &Value::Null
        };
        let errors = [
            self.get("error"),
            self.nested("x_groq", "error"),
            of_response,
        ];
        errors.into_iter().find(|error| !is_empty(error))
    }

    /// `OpenRouter` ends a choice that failed with `finish_reason: "error"`, and has
    /// the error beside it.
    fn failed_choice(&self) -> Option<&Value> {
        let choices = self.get("choices").as_array()?;
        choices.iter().find(|choice| {
            let get = |name: &str| choice.get(name).unwrap_or(&Value::Null);
            let reason = get("finish_reason").as_str();
            !is_empty(get("error")) || reason.is_some_and(is_failed_finish)
        })
    }

    pub(super) fn words(&self) -> ReportedFailure {
        let of_choice = || self.failed_choice().and_then(|choice| choice.get("error"));
        let error = self.error().or_else(of_choice);
        let mut words = error.map(ReportedFailure::of_value).unwrap_or_default();
        let beside = ReportedFailure::of_members(&self.members);
        if beside.message.is_some() && error.is_some_and(Value::is_string) {
            // `{"error": "rate_limited", "message": "Slow down"}`
            words.code = words.message.take();
        }
        let base = self.get("base_resp");
        words
            .or(beside)
            .or(ReportedFailure::of_value(self.get("errors")))
            .or(ReportedFailure {
                message: base.get("status_msg").and_then(words_of),
                code: base.get("status_code").and_then(code_of),
                ..ReportedFailure::default()
            })
            .or(self.failed_finish())
    }

    /// The reason of a choice that failed, where it says more than `error`.
    fn failed_finish(&self) -> ReportedFailure {
        let reason = self
            .failed_choice()
            .and_then(|choice| choice.get("finish_reason"));
        let reason = reason
            .and_then(Value::as_str)
            .filter(|it| *it != "error" && is_failed_finish(it));
        ReportedFailure {
            message: reason.map(|it| format!("The model's provider ended the response: {it}.")),
            ..ReportedFailure::default()
        }
    }
}

impl<'de> Deserialize<'de> for FailureReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReportReader)
    }
}

impl<'de> Visitor<'de> for ReportReader {
    type Value = FailureReport;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object, or a list of one")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<FailureReport, A::Error> {
        let mut body = FailureReport::default();
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            if MEMBERS.contains(&&*key) {
                let value: Value = members.next_value()?;
                let is_filled = value.as_array().is_some_and(|items| !items.is_empty());
                body.has_result |= key == "choices" && is_filled;
                body.members.insert(key.into_owned(), value);
            } else {
                let is_set = members.next_value::<Option<IgnoredAny>>()?.is_some();
                body.has_result |= is_set && RESULTS.contains(&&*key);
            }
        }
        Ok(body)
    }

    /// Gemini's compatible endpoint puts its error into a list.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<FailureReport, A::Error> {
        let first = items.next_element()?.unwrap_or_default();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}
