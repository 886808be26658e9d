//! A provider: where it is and what opens it.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use url::Url;

use super::{HttpVersion, Manner, Pool, PriceList, StreamUsage, Timeouts};
use crate::secret::Secret;

/// One provider, `[providers.NAME]`, preset and overrides merged.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Name, as in `[providers.NAME]`.
    pub name: String,
    /// True when the config or a set environment variable speaks of it; a
    /// preset that needs no credential is ready only then.
    pub named: bool,
    /// Where it is.
    pub base_url: BaseUrl,
    /// What opens it: at least one.
    pub credentials: Vec<Credential>,
    /// How the credential is sent.
    pub auth: Auth,
    /// Headers added to every request, organization and project among them.
    pub headers: HeaderMap,
    /// Whether usage is asked for in streams.
    pub stream_usage: StreamUsage,
    /// How it wants to be spoken to.
    pub manner: Manner,
    /// Limits in time.
    pub timeouts: Timeouts,
    /// Limits of the connection pool.
    pub pool: Pool,
    /// How it is asked whether it is well, if it is.
    pub health: Option<HealthCheck>,
    /// PEM text of extra certificate authorities to trust for this provider.
    pub ca_pem: Option<Vec<u8>>,
    /// Which HTTP versions to speak.
    pub http: HttpVersion,
    /// What the tokens of its models cost.
    pub prices: PriceList,
}

/// Where a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseUrl {
    /// The URL, without a trailing slash in its path, and what set it.
    Set {
        /// Scheme `http` or `https`, a host, no query, no fragment, no user.
        url: Url,
        /// `preset`, `config`, or the variable's name.
        source: String,
    },
    /// There is no default; this variable would set it.
    Missing {
        /// Environment variable to set.
        variable: String,
    },
}

/// What opens a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// It asks for none.
    NotNeeded,
    /// Here it is.
    Set {
        /// The credential.
        secret: Secret,
        /// The variable's name, the file's path, or `config`.
        source: String,
    },
    /// It needs one, and it is not set.
    Missing {
        /// The variable or file to set.
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

/// How a provider is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What it is asked for: a path below its base URL, and perhaps a query.
    pub path: String,
    /// Between two questions.
    pub interval: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Bad answers in a row after which it is left out, at least 1.
    pub failures: u32,
    /// Good answers in a row after which it is back, at least 1.
    pub successes: u32,
}

impl Provider {
    /// Why no request can be sent to it, or none when it is ready. One key of
    /// several is enough.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        let lacking = self.credentials.iter().map(Credential::missing);
        let lacking = lacking.reduce(|first, next| next.and(first)).flatten();
        lacking.or(match &self.base_url {
            BaseUrl::Missing { variable } => Some(variable),
            BaseUrl::Set { .. } => None,
        })
    }

    /// True when requests can be sent to it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing().is_none() && (self.named || self.has_key())
    }

    /// True when requests get to `other` in the very same way, so that one's
    /// connections serve the other as well.
    #[must_use]
    pub fn is_reached_like(&self, other: &Self) -> bool {
        // Whoever adds a field decides here.
        let Self {
            name,
            named: _,
            base_url,
            credentials,
            auth,
            headers,
            stream_usage: _,
            manner: _,
            timeouts: _,
            pool,
            health,
            ca_pem,
            http,
            prices: _,
        } = self;
        *name == other.name
            && *base_url == other.base_url
            && *credentials == other.credentials
            && *auth == other.auth
            && *headers == other.headers
            && *pool == other.pool
            && *health == other.health
            && *ca_pem == other.ca_pem
            && *http == other.http
    }

    /// True when a key goes with its requests.
    #[must_use]
    pub fn has_key(&self) -> bool {
        let mut credentials = self.credentials.iter();
        credentials.any(|credential| matches!(credential, Credential::Set { .. }))
    }

    /// The credentials that are there, in the order of the config.
    pub fn usable(&self) -> impl Iterator<Item = &Credential> {
        let credentials = self.credentials.iter();
        credentials.filter(|credential| credential.missing().is_none())
    }
}

impl Credential {
    /// The variable that would set it, when it is missing.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Missing { variable } => Some(variable),
            _ => None,
        }
    }
}
