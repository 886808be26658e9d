//! `[access]` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// `[access]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Access {
    /// Allow a listener beyond loopback without client keys.
    pub open: bool,
    /// Client keys by name; `trunkline keygen NAME` makes one.
    pub keys: BTreeMap<String, ClientKey>,
    /// Client certificates by name, for a listener with `server.tls.client_auth`.
    pub certificates: BTreeMap<String, ClientCertificate>,
}

/// `[access.keys.NAME]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ClientKey {
    /// SHA-256 of the key in hexadecimal; the key itself is not stored.
    pub sha256: Option<String>,
    /// Aliases this key may use, with `*` and `?` as wildcards; all by default.
    pub models: Option<Vec<String>>,
    /// The team that the key belongs to, for limits and metrics.
    pub team: Option<String>,
    /// Whether requests with this key may name their user, for limits with `per = ["user"]`.
    pub may_name_users: bool,
    /// Whether the status panel shows this client what concerns all: limits, spending by key and team, last errors.
    pub operator: bool,
    /// When the key expires: "2027-06-30T12:00:00Z", or "2027-06-30" for the end of that day in UTC.
    pub expires: Option<String>,
}

/// `[access.certificates.NAME]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ClientCertificate {
    /// A DNS name or URI among the certificate's subject alternative names, exactly.
    pub san: Option<String>,
    /// Instead of `san`: SHA-256 of the certificate in hexadecimal, as `openssl x509 -fingerprint -sha256` prints it.
    pub sha256: Option<String>,
    /// Aliases this client may use, with `*` and `?` as wildcards; all by default.
    pub models: Option<Vec<String>>,
    /// The team that the client belongs to, for limits and metrics.
    pub team: Option<String>,
    /// Whether requests of this client may name their user, for limits with `per = ["user"]`.
    pub may_name_users: bool,
    /// As for a key.
    pub operator: bool,
    /// When the certificate is no longer accepted: "2027-06-30T12:00:00Z", or "2027-06-30" for the end of that day in UTC.
    pub expires: Option<String>,
}
