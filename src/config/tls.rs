//! TLS of the listener for clients.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[server.tls]`: the server's certificate, and client authentication.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain and its key.
    pub certificate: Arc<CertifiedKey>,
    /// Verifies client certificates; none when they are not requested.
    pub verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// The authorities that issue client certificates.
    pub authorities: Vec<CertificateDer<'static>>,
    pub client_auth: ClientAuth,
}

impl Tls {
    /// True when both present the same certificate and verify clients in the
    /// same way. The key is not compared: it belongs to the certificate.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.certificate.cert == other.certificate.cert
            && self.authorities == other.authorities
            && self.client_auth == other.client_auth
    }
}

/// Whether client certificates are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// No certificate is requested.
    Off,
    /// A certificate is requested; clients without one are accepted, those with one of another authority are rejected.
    Optional,
    /// Connections without a valid certificate are rejected.
    Required,
}
