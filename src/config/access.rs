//! `[access]`, checked.

use jiff::Timestamp;
use wildmatch::WildMatch;

/// `[access]`: client authentication.
#[derive(Debug, Clone)]
pub struct Access {
    /// Allows a listener beyond loopback without client keys.
    pub open: bool,
    /// Without keys and certificates, every client that reaches the listener is
    /// accepted.
    pub keys: Vec<ClientKey>,
    pub certificates: Vec<ClientCertificateConfig>,
}

/// One client key, `[access.keys.NAME]`.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Name in logs and metrics.
    pub name: String,
    pub sha256: [u8; 32],
    /// Aliases this key may use; none for all.
    pub models: Option<Vec<WildMatch>>,
    pub team: Option<String>,
    /// Whether a request may name its user.
    pub may_name_users: bool,
    /// Whether it is shown what concerns all clients.
    pub is_operator: bool,
    pub expires: Option<Timestamp>,
}

/// One client certificate, `[access.certificates.NAME]`.
#[derive(Debug, Clone)]
pub struct ClientCertificateConfig {
    /// Name in logs and metrics.
    pub name: String,
    pub identity: Identity,
    /// Aliases this client may use; none for all.
    pub models: Option<Vec<WildMatch>>,
    pub team: Option<String>,
    /// Whether a request may name its user.
    pub may_name_users: bool,
    /// Whether it is shown what concerns all clients.
    pub is_operator: bool,
    pub expires: Option<Timestamp>,
}

/// How a certificate is identified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// SHA-256 of the certificate in DER.
    Sha256([u8; 32]),
    /// A subject alternative name that is a URI, as written (RFC 5280, section
    /// 4.2.1.6), such as a SPIFFE id.
    Uri(String),
    /// A subject alternative name that is a host name, in lower case.
    Dns(String),
}

impl Access {
    /// True when neither client keys nor certificates are listed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }
}
