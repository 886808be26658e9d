//! `[store]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, PositiveDuration};

/// `[store]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Store {
    /// Valkey or Redis, such as `redis://127.0.0.1:6379/0`, `rediss://USER:PASSWORD@HOST` (TLS), `unix:/run/valkey.sock`, or `redis+sentinel://HOST,HOST:PORT/MASTER`; `valkey` in place of `redis` means the same. Without it, limits hold for each process alone.
    pub url: Option<String>,
    /// Environment variable that holds the URL.
    #[schemars(example = &"VALKEY_URL")]
    pub url_env: Option<String>,
    /// File that holds the URL.
    pub url_file: Option<String>,
    /// PEM file of additional certificate authorities to trust.
    pub ca_file: Option<String>,
    /// PEM file of a client certificate chain, for a server that requests one.
    pub cert_file: Option<String>,
    /// PEM file of its private key.
    pub key_file: Option<String>,
    /// What the name of every key in the store begins with. Gateways with the same prefix share their limits.
    pub prefix: String,
    /// How long a request that finds no leased amount left may wait for the store; at most "1s".
    pub timeout: PositiveDuration,
    /// How many replicas a process assumes to share its limits with until the store has said it.
    pub replicas: Count<1, 10_000>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: None,
            url_env: None,
            url_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            prefix: String::new(),
            timeout: PositiveDuration::millis(250),
            replicas: Count::new(1),
        }
    }
}
