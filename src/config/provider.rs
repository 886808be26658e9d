//! Providers: base URL, credentials and limits.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{PoolConfig, PriceList, ProviderApi, Timeouts};
use crate::secret::Secret;

/// One provider, `[providers.NAME]`, built-in and configured keys merged.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    pub name: String,
    /// True when the configuration or a set environment variable names it; a
    /// built-in provider that needs no credential is ready only then.
    pub configured: bool,
    pub base_url: BaseUrl,
    /// At least one.
    pub credentials: Vec<Credential>,
    pub auth: Auth,
    /// Headers added to every request, organization and project included.
    pub headers: HeaderMap,
    /// Fields of the client that are forwarded although they are kept back by default.
    pub forward_headers: Vec<HeaderName>,
    /// For the name of the client's key.
    pub caller_header: Option<HeaderName>,
    pub stream_usage: StreamUsageMode,
    pub api: ProviderApi,
    pub timeouts: Timeouts,
    pub pool: PoolConfig,
    /// None for no health checks.
    pub health: Option<HealthCheck>,
    pub discover: Discover,
    /// PEM text of additional certificate authorities.
    pub ca_pem: Option<Vec<u8>>,
    pub http: HttpVersion,
    pub prices: PriceList,
}

/// Base URL of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseUrl {
    /// The URL, without a trailing slash in its path.
    Set {
        /// Scheme `http` or `https`, a host, no query, no fragment, no user.
        url: Url,
        /// `preset`, `config`, or the name of the variable that set it.
        source: String,
    },
    /// There is no default, and the variable for it is not set.
    Missing { variable: String },
}

/// Credential of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The provider requires none.
    NotNeeded,
    Set {
        secret: Secret,
        /// The variable's name, the file's path, or `config`.
        source: String,
    },
    /// The provider requires one, and it is not set.
    Missing {
        /// The variable to set.
        variable: String,
    },
}

/// How a credential is sent upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
    /// The bare credential in a header of this name.
    Header(HeaderName),
}

/// When a provider's own models are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Discover {
    Always,
    /// In response to `?discover=true`.
    OnRequest,
    Never,
}

/// `[providers.NAME.health]`: active health checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path below the base URL, with an optional query.
    pub path: String,
    pub interval: Duration,
    pub timeout: Duration,
    /// Consecutive failures after which the provider is unhealthy, at least 1.
    pub failures: u32,
    /// Consecutive successes after which it is healthy again, at least 1.
    pub successes: u32,
}

/// Whether token usage is requested in streams. A provider that refuses the request
/// is asked again without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamUsageMode {
    /// Request it if the client did not, and remove the extra event.
    Inject,
    /// Request it in streams that are translated for a Messages client, which expects it.
    Translated,
    /// Never request it.
    Observe,
}

/// HTTP versions used with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HttpVersion {
    /// HTTP/2 where TLS negotiates it (ALPN, RFC 7301), else HTTP/1.1.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; without TLS by prior knowledge (RFC 9113, section 3.3).
    Http2,
}

impl ProviderConfig {
    /// The variable that would make it ready, or none when it is ready. One key
    /// of several is enough.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        let lacking = self.credentials.iter().map(Credential::missing);
        let lacking = lacking.reduce(|first, next| next.and(first)).flatten();
        lacking.or(match &self.base_url {
            BaseUrl::Missing { variable } => Some(variable),
            BaseUrl::Set { .. } => None,
        })
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing().is_none() && (self.configured || self.has_key())
    }

    /// True when requests reach `other` in the same way, so that it can use the
    /// same connections.
    #[must_use]
    pub fn shares_connections_with(&self, other: &Self) -> bool {
        // Exhaustive, so that every new field is decided here.
        let Self {
            name,
            configured: _,
            base_url,
            credentials,
            auth,
            headers,
            forward_headers,
            caller_header,
            stream_usage: _,
            api: _,
            timeouts: _,
            pool,
            health,
            discover: _,
            ca_pem,
            http,
            prices: _,
        } = self;
        *name == other.name
            && *base_url == other.base_url
            && *credentials == other.credentials
            && *auth == other.auth
            && *headers == other.headers
            && *forward_headers == other.forward_headers
            && *caller_header == other.caller_header
            && *pool == other.pool
            && *health == other.health
            && *ca_pem == other.ca_pem
            && *http == other.http
    }

    /// True when requests carry a key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        let mut credentials = self.credentials.iter();
        credentials.any(|credential| matches!(credential, Credential::Set { .. }))
    }

    /// The credentials that are set, in the order of the configuration.
    pub fn usable_credentials(&self) -> impl Iterator<Item = &Credential> {
        let credentials = self.credentials.iter();
        credentials.filter(|credential| credential.missing().is_none())
    }
}

impl Credential {
    /// The variable to set, when the credential is missing.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Missing { variable } => Some(variable),
            _ => None,
        }
    }
}
