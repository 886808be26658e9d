//! `[store]`, checked.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The server that replicas share, and how they use it.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    pub server: StoreServer,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// How long a request may wait for it.
    pub timeout: Duration,
    /// Replicas to assume until their number is known.
    pub replicas: u32,
}

/// Where the server is, and what it needs to be used.
#[derive(Debug, Clone)]
pub struct StoreServer {
    pub address: StoreAddress,
    pub login: StoreLogin,
    pub database: u32,
    /// None for a connection in clear text.
    pub tls: Option<StoreTls>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    Tcp(StoreHost),
    Unix(PathBuf),
    /// Sentinels know which of several servers is to be written.
    Sentinel {
        master: String,
        sentinels: Vec<StoreHost>,
        login: StoreLogin,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHost {
    /// An IPv6 address without brackets.
    pub name: String,
    pub port: u16,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreLogin {
    pub user: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone)]
pub struct StoreTls {
    /// Additional certificate authorities to trust.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The client's own certificate.
    pub certificate: Option<Arc<CertifiedKey>>,
}

/// What holds for a limit while the store is away.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WithoutStore {
    /// Each replica has its share.
    #[default]
    Share,
    /// Requests beyond what was leased get a 503.
    Refuse,
    /// All requests pass.
    Open,
}

// === impl StoreServer ===

impl StoreServer {
    /// Whether both lead to the same data. How they are reached may differ.
    #[must_use]
    pub fn has_same_data(&self, other: &Self) -> bool {
        self.address.is_same(&other.address) && self.database == other.database
    }

    /// Whether a connection to one is good for the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same_tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        is_same_tls
            && self.address == other.address
            && self.login == other.login
            && self.database == other.database
    }
}

// === impl StoreAddress ===

impl StoreAddress {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            // The same master may be known by other sentinels.
            (Self::Sentinel { master, .. }, Self::Sentinel { master: other, .. }) => {
                master == other
            }
            _ => self == other,
        }
    }
}

/// Without user and password.
impl fmt::Display for StoreAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => host.fmt(out),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Sentinel {
                master, sentinels, ..
            } => {
                let sentinels: Vec<String> = sentinels.iter().map(ToString::to_string).collect();
                write!(out, "{master} of the sentinels {}", sentinels.join(", "))
            }
        }
    }
}

// === impl StoreHost ===

impl fmt::Display for StoreHost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(out, "[{name}]:{port}")
        } else {
            write!(out, "{name}:{port}")
        }
    }
}

// === impl StoreTls ===

impl StoreTls {
    fn is_same(&self, other: &Self) -> bool {
        let chain = |tls: &Self| tls.certificate.as_ref().map(|it| it.cert.clone());
        // The key belongs to the certificate.
        self.authorities == other.authorities && chain(self) == chain(other)
    }
}
