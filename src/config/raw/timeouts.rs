//! `[timeouts]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[timeouts]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Timeouts {
    /// Longest wait for a connection: name lookup, TCP and TLS together.
    pub connect: String,
    /// Longest TLS handshake, within `connect`; "off" for no limit of its own.
    pub tls: String,
    /// Longest wait for the head of the response, once the request is sent.
    pub head: String,
    /// Longest wait for the first event of a stream, or the first byte of another response, once the request is sent; "off" for no limit besides `head` and `gap`.
    pub first_event: String,
    /// Longest silence between two pieces of a response.
    pub gap: String,
    /// Longest duration of a whole attempt; "off" for no limit.
    pub total: String,
}

/// `[providers.NAME.timeouts]` and `[models.ALIAS.timeouts]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct OwnTimeouts {
    /// Instead of `timeouts.connect`.
    pub connect: Option<String>,
    /// Instead of `timeouts.tls`.
    pub tls: Option<String>,
    /// Instead of `timeouts.head`.
    pub head: Option<String>,
    /// Instead of `timeouts.first_event`.
    pub first_event: Option<String>,
    /// Instead of `timeouts.gap`.
    pub gap: Option<String>,
    /// Instead of `timeouts.total`.
    pub total: Option<String>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: "5s".into(),
            tls: "off".into(),
            head: "300s".into(),
            first_event: "off".into(),
            gap: "300s".into(),
            total: "off".into(),
        }
    }
}

impl Timeouts {
    /// The same, as something that replaces all there was.
    #[must_use]
    pub fn whole(&self) -> OwnTimeouts {
        OwnTimeouts {
            connect: Some(self.connect.clone()),
            tls: Some(self.tls.clone()),
            head: Some(self.head.clone()),
            first_event: Some(self.first_event.clone()),
            gap: Some(self.gap.clone()),
            total: Some(self.total.clone()),
        }
    }
}
