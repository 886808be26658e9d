//! How a provider wants to be spoken to.

use super::Check;
use crate::config::error::KeyPath;
use crate::config::{Manner, Speaks, raw};

/// Checks it, the table's own way where nothing is written.
pub fn settle(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&raw::Provider>,
) -> Manner {
    let dialect = raw.dialect.or_else(|| preset?.dialect);
    let quirks = raw.quirks.as_ref().or_else(|| preset?.quirks.as_ref());
    let max_tokens = raw.max_tokens.unwrap_or(Manner::MAX_TOKENS);
    if max_tokens == 0 {
        check.fault(&path.key("max_tokens"), "must be at least 1");
    }
    let dialect = dialect.unwrap_or(Speaks::Openai);
    let api_version = raw.api_version.clone();
    if let Some(version) = &api_version {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if version.is_empty() || !version.bytes().all(is_plain) {
            let cure = "not a version of Azure's API; write one such as \"2024-10-21\"";
            check.fault(&path.key("api_version"), cure);
        }
        if dialect == Speaks::Anthropic {
            let cure = "belongs to Azure's chat API, which \"anthropic\" is not; leave it out";
            check.fault(&path.key("api_version"), cure);
        }
    }
    Manner {
        dialect,
        quirks: quirks.cloned().unwrap_or_default(),
        max_tokens,
        api_version,
    }
}
