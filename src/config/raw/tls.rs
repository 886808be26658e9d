//! `[server.tls]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::ClientAuth;

/// `[server.tls]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate and those between it and its authority. With this and `key_file` the listener speaks TLS alone.
    pub cert_file: Option<String>,
    /// PEM file of the certificate's private key.
    pub key_file: Option<String>,
    /// PEM file of the authorities that issue the callers' certificates.
    pub client_ca_file: Option<String>,
    /// Whether callers are asked for a certificate; `[access.certificates]` says what it opens.
    pub client_auth: ClientAuth,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            cert_file: None,
            key_file: None,
            client_ca_file: None,
            client_auth: ClientAuth::Off,
        }
    }
}
