//! API of a provider.

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{ApiDialect, ProviderApi, raw};

pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&raw::Provider>,
) -> ProviderApi {
    let dialect = raw.dialect.or_else(|| preset?.dialect);
    let quirks = raw.quirks.as_ref().or_else(|| preset?.quirks.as_ref());
    let max_tokens = raw.max_tokens.unwrap_or(ProviderApi::MAX_TOKENS);
    if max_tokens == 0 {
        checker.error(&path.key("max_tokens"), "must be at least 1");
    }
    let dialect = dialect.unwrap_or(ApiDialect::Openai);
    let api_version = raw.api_version.clone();
    if let Some(version) = &api_version {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if version.is_empty() || !version.bytes().all(is_plain) {
            let cure = "not a version of Azure's API; write one such as \"2024-10-21\"";
            checker.error(&path.key("api_version"), cure);
        }
        if dialect == ApiDialect::Anthropic {
            let cure = "applies to Azure's chat API, not to dialect \"anthropic\"; remove it";
            checker.error(&path.key("api_version"), cure);
        }
    }
    ProviderApi {
        dialect,
        quirks: quirks.cloned().unwrap_or_default(),
        max_tokens,
        api_version,
    }
}
