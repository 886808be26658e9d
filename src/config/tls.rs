//! TLS on the listener that callers use.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[server.tls]`: what the listener shows, and what it asks for.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, those between it and its authority, and its key.
    pub certificate: Arc<CertifiedKey>,
    /// Judges the callers' certificates; none when they are not asked for one.
    pub verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// Whether callers are asked for a certificate.
    pub client_auth: ClientAuth,
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
