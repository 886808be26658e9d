//! `temperature`, `top_p` and `top_k`.
//!
//! Source: Anthropic's documentation, "Extended thinking", feature compatibility.

use serde_json::value::RawValue;

use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::translation_error::TranslationError;

/// Anthropic's minimum of `top_p` while the model thinks.
const MIN_TOP_P: f64 = 0.95;

pub(super) const WHILE_THINKING: &str =
    "while the model thinks: remove it, or `reasoning_effort` or `thinking`.";

pub(super) struct Sampling<'a> {
    pub(super) temperature: Option<&'a RawValue>,
    pub(super) top_p: Option<&'a RawValue>,
    pub(super) top_k: Option<&'a RawValue>,
}

pub(super) fn sampling<'a>(
    chat: &mut JsonObject<'a>,
    is_thinking: bool,
) -> Result<Sampling<'a>, TranslationError> {
    let temperature = chat.take("temperature");
    let top_p = chat.take("top_p");
    let top_k = chat.take("top_k");
    if let Some(field) = &temperature {
        let number = field.number()?;
        if number > 1.0 {
            return field.unsupported_value("must be at most 1 for this model.");
        }
        if is_thinking && number < 1.0 {
            return field.unsupported_value(&format!("must be 1 {WHILE_THINKING}"));
        }
    }
    if let Some(field) = &top_p
        && field.number()? < MIN_TOP_P
        && is_thinking
    {
        return field.unsupported_value(&format!("must be at least {MIN_TOP_P} {WHILE_THINKING}"));
    }
    if let Some(field) = &top_k {
        field.number()?;
        if is_thinking {
            return field.unsupported_value(&format!("is not supported {WHILE_THINKING}"));
        }
    }
    let (temperature, top_p) = without_default(temperature, top_p);
    Ok(Sampling {
        temperature: temperature.map(|field| field.raw()),
        top_p: top_p.map(|field| field.raw()),
        top_k: top_k.map(|field| field.raw()),
    })
}

/// From Claude 4.1 on, only one of both is accepted, but many clients send both, with
/// one at its default.
fn without_default<'a>(
    temperature: Option<JsonField<'a>>,
    top_p: Option<JsonField<'a>>,
) -> (Option<JsonField<'a>>, Option<JsonField<'a>>) {
    match (temperature, top_p) {
        (Some(temperature), Some(top_p)) if top_p.equals_any_of(&["1"]) => {
            (Some(temperature), None)
        }
        (Some(temperature), Some(top_p)) if temperature.equals_any_of(&["1"]) => {
            (None, Some(top_p))
        }
        both => both,
    }
}
