//! API of a provider.

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{DialectSet, ProviderApi, Quirk, StreamUsageMode, raw};

/// First versions of Azure's API that take what the gateway may add (Azure `OpenAI`'s
/// "API version lifecycle").
const WITH_STREAM_OPTIONS: &str = "2024-09-01";
const WITH_MAX_COMPLETION_TOKENS: &str = "2024-09-01";
const WITH_REASONING_EFFORT: &str = "2024-12-01";

pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&raw::Provider>,
) -> ProviderApi {
    let dialects = dialects(checker, path, raw, preset);
    let quirks = raw.quirks.clone().or_else(|| {
        let mut quirks = preset?.quirks.clone()?;
        quirks.retain(|quirk| knows_quirk(raw, *quirk));
        Some(quirks)
    });
    let max_tokens = raw.max_tokens.unwrap_or(ProviderApi::MAX_TOKENS);
    if max_tokens == 0 {
        checker.error(&path.key("max_tokens"), "must be at least 1");
    }
    let api_version = raw.api_version.clone();
    let api = ProviderApi {
        dialects,
        quirks: quirks.unwrap_or_default(),
        max_tokens,
        system_messages: raw
            .system_messages
            .or_else(|| preset?.system_messages)
            .unwrap_or_default(),
        api_version,
    };
    if let Some(version) = &api.api_version {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if version.is_empty() || !version.bytes().all(is_plain) {
            let cure = "not a version of Azure's API; write one such as \"2024-10-21\"";
            checker.error(&path.key("api_version"), cure);
        }
        if !api.is_openai() {
            let cure = "applies to Azure's API, not to one that speaks Messages only; remove it";
            checker.error(&path.key("api_version"), cure);
        }
    }
    api
}

fn dialects(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&raw::Provider>,
) -> DialectSet {
    if raw.dialects.as_ref().is_some_and(Vec::is_empty) {
        let cure = "must name at least one of \"chat\", \"messages\" and \"responses\"";
        checker.error(&path.key("dialects"), cure);
    }
    let named = raw.dialects.as_ref().or_else(|| preset?.dialects.as_ref());
    named.map_or(DialectSet::UNKNOWN, |named| DialectSet::of(named))
}

/// An old version of Azure's API refuses `stream_options`.
pub fn stream_usage(raw: &raw::Provider, preset: Option<&raw::Provider>) -> StreamUsageMode {
    raw.stream_usage.unwrap_or_else(|| {
        if is_older_than(raw, WITH_STREAM_OPTIONS) {
            return StreamUsageMode::Observe;
        }
        let preset = preset.and_then(|preset| preset.stream_usage);
        preset.unwrap_or(StreamUsageMode::Translated)
    })
}

fn knows_quirk(raw: &raw::Provider, quirk: Quirk) -> bool {
    match quirk {
        Quirk::MaxCompletionTokens => !is_older_than(raw, WITH_MAX_COMPLETION_TOKENS),
        Quirk::ReasoningEffort => !is_older_than(raw, WITH_REASONING_EFFORT),
        Quirk::ReasoningHistory | Quirk::NineCharacterToolIds => true,
    }
}

/// Versions begin with a date, except those of the v1 API (`preview`), which are newer
/// than any.
fn is_older_than(raw: &raw::Provider, date: &str) -> bool {
    let version = raw.api_version.as_deref();
    version.is_some_and(|version| version < date)
}
