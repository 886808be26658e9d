//! The service tier that processed a request.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::wire::json_key::KeyFinder;

static SERVICE_TIER: LazyLock<KeyFinder> = LazyLock::new(|| KeyFinder::new("\"service_tier\""));

/// What the provider charges by, besides tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceTier {
    #[default]
    Standard,
    Batch,
    /// `speed: fast` of Anthropic's Messages.
    Fast,
    Flex,
    Priority,
    /// Any other, which has no list price.
    Other,
}

// === impl ServiceTier ===

impl ServiceTier {
    /// Its names in requests and responses. `auto` is what some servers repeat from
    /// the request; OpenAI reports the tier that was used. Groq: `on_demand`.
    pub const STANDARD_NAMES: [&str; 6] = [
        "",
        "auto",
        "default",
        "standard",
        "standard_only",
        "on_demand",
    ];

    /// Those that can have a price, besides the standard tier.
    pub const PRICED: [Self; 4] = [Self::Batch, Self::Fast, Self::Flex, Self::Priority];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Fast => "fast",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Other => "other",
        }
    }

    /// The tier of this name in a response.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        if Self::STANDARD_NAMES.contains(&name) {
            return Self::Standard;
        }
        let mut priced = Self::PRICED.into_iter();
        let found = priced.find(|tier| tier.as_str() == name);
        found.unwrap_or(Self::Other)
    }

    /// The tier of a response that names two.
    #[must_use]
    pub fn combined(self, other: Self) -> Self {
        match (self, other) {
            (Self::Standard, tier) | (tier, Self::Standard) => tier,
            (one, other) if one == other => one,
            _ => Self::Other,
        }
    }

    /// The tier by a member that may name it; other types than text name none.
    pub(super) fn from_member(value: &Value) -> Option<Self> {
        value.as_str().map(Self::from_name)
    }

    /// The tier named beside the usage in a body or an event: at its top level, or in
    /// its `response`.
    #[must_use]
    pub fn find(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Outer {
            #[serde(default)]
            service_tier: Value,
            response: Option<Inner>,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(default)]
            service_tier: Value,
        }

        let named = named(json)?;
        if named == Self::Standard {
            return Some(named);
        }
        // The input of a tool call may have any members.
        let Ok(outer) = serde_json::from_slice::<Outer>(json) else {
            return Some(named);
        };
        let inner = outer.response.map(|inner| inner.service_tier);
        let tiers = [outer.service_tier, inner.unwrap_or_default()];
        let tiers = tiers.iter().filter_map(Self::from_member);
        tiers.reduce(Self::combined)
    }
}

/// The tier by all members of the name, at any depth.
pub(super) fn named(json: &[u8]) -> Option<ServiceTier> {
    let texts = SERVICE_TIER.values(json).filter_map(|value| {
        let text = value.strip_prefix(b"\"")?;
        let (name, _) = text.split_at_checked(memchr::memchr(b'"', text)?)?;
        Some(name)
    });
    texts
        .map(|text| std::str::from_utf8(text).map_or(ServiceTier::Other, ServiceTier::from_name))
        .reduce(ServiceTier::combined)
}

#[cfg(test)]
mod tests {
    use super::ServiceTier;

    #[test]
    fn finds_the_tier_beside_the_usage() {
        for (json, expected) in [
            ("{}", None),
            (r#"{"service_tier":null}"#, None),
            (r#"{"service_tier":""}"#, Some(ServiceTier::Standard)),
            (r#"{"service_tier":7}"#, None),
            (r#"{"service_tier":"default"}"#, Some(ServiceTier::Standard)),
            (r#"{"service_tier":"auto"}"#, Some(ServiceTier::Standard)),
            (
                r#"{"service_tier":"on_demand"}"#,
                Some(ServiceTier::Standard),
            ),
            (
                r#"{"service_tier" : "priority"}"#,
                Some(ServiceTier::Priority),
            ),
            (r#"{"service_tier":"flex"}"#, Some(ServiceTier::Flex)),
            (r#"{"service_tier":"scale"}"#, Some(ServiceTier::Other)),
            (
                r#"{"type":"response.completed","response":{"service_tier":"flex"}}"#,
                Some(ServiceTier::Flex),
            ),
            // The end of a body.
            (
                r#"],"usage":{},"service_tier":"priority"}"#,
                Some(ServiceTier::Priority),
            ),
            // Not a report: a tool's input, a schema, text.
            (r#"{"content":[{"input":{"service_tier":"flex"}}]}"#, None),
            (
                r#"{"tools":[{"properties":{"service_tier":{"enum":["flex"]}}}]}"#,
                None,
            ),
            (r#"{"content":"\"service_tier\":\"flex\""}"#, None),
        ] {
            assert_eq!(ServiceTier::find(json.as_bytes()), expected, "{json}");
        }
    }
}
