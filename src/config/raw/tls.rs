//! `[server.tls]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::ClientAuth;

/// `[server.tls]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate chain, the server's certificate first. With this and `key_file` the listener accepts only TLS.
    pub cert_file: Option<String>,
    /// PEM file of the private key.
    pub key_file: Option<String>,
    /// PEM file of the authorities that issue client certificates.
    pub client_ca_file: Option<String>,
    /// Whether client certificates are requested; `[access.certificates]` lists what each may use.
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
