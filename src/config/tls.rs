//! TLS on the listener that callers use.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[server.tls]`: what the listener shows, and what it asks for.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, those between it and its authority, and its key.
    pub certificate: Arc<CertifiedKey>,
    /// Judges the callers' certificates; none when they are not asked for one.
    pub verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// The authorities that it goes by.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Whether callers are asked for a certificate.
    pub client_auth: ClientAuth,
}

impl Tls {
    /// True when both show the same and ask for the same. The key needs no
    /// look: it belongs to the certificate.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.certificate.cert == other.certificate.cert
            && self.authorities == other.authorities
            && self.client_auth == other.client_auth
    }
}

/// Whether callers are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They are not.
    Off,
    /// They are, and may have none; one of another authority is refused.
    Optional,
    /// Without one no connection is made.
    Required,
}
