//! The configuration as a person writes it.
//!
//! These shapes only say which keys there are, what kind of value each takes
//! and what it is by default; durations, sizes, addresses and URLs are still
//! text. The comments here are what the JSON Schema and the reference say, so
//! they are written for the person with the file. None of these types can be
//! printed, since they may hold a credential.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Demo, HttpVersion, LogFormat, LogLevel, Quirk, Speaks, StreamUsage};

mod breaker;
mod discovery;
mod health;
mod hedge;
mod model;
mod price;
mod reload;
mod retry;
mod timeouts;
mod tls;
mod traces;

pub use breaker::Breaker;
pub use discovery::Discovery;
pub use health::Health;
pub use hedge::Hedge;
pub use model::{Affinity, Model, Target};
pub use price::Price;
pub use reload::Reload;
pub use retry::{ModelRetry, Retry};
pub use timeouts::{OwnTimeouts, Timeouts};
pub use tls::Tls;
pub use traces::Traces;

/// Settings of Trunkline, an OpenAI-compatible gateway. Durations are written as "10s", "5m" or "1h 30m", sizes as "64KiB" or "32MiB".
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Config")]
pub struct Config {
    /// Refuse `provider/model` and serve the configured aliases alone.
    pub strict_models: bool,
    /// The provider of calls that name neither a model nor a provider and speak of no object that is known; without it, the only provider that is ready.
    pub default_provider: Option<String>,
    /// When the built-in demo model is offered.
    pub demo: Demo,
    /// The listener that callers use, and the limits on what they send.
    pub server: Server,
    /// The listener that operators use: /metrics, /livez, /readyz, /config, /log.
    pub admin: Admin,
    /// How changes of the configuration come into force.
    pub reload: Reload,
    /// Which browser origins may call.
    pub cors: Cors,
    /// What is written to standard output.
    pub log: Log,
    /// Where spans of requests are sent, over OTLP/HTTP.
    pub traces: Traces,
    /// Who may call.
    pub access: Access,
    /// Limits in time on one attempt, for every provider and model that sets none of its own.
    pub timeouts: Timeouts,
    /// Limits of the connection pool, for every provider that sets none of its own.
    pub pool: Pool,
    /// When a request is tried again, or somewhere else.
    pub retry: Retry,
    /// When a target is left out because it fails, and for how long.
    pub breaker: Breaker,
    /// What is known of the models that providers list themselves.
    pub discovery: Discovery,
    /// The providers by name. A name from the built-in table needs only what differs.
    pub providers: BTreeMap<String, Provider>,
    /// The aliases by name: the models that callers may ask for.
    pub models: BTreeMap<String, Model>,
    /// What tokens cost, by provider and its own name for the model, both with `*` and `?` as wildcards. Goes before the built-in table; a row without a price takes one of that table away.
    pub prices: BTreeMap<String, Price>,
}

/// `[server]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Server {
    /// IP address and port to listen on; or `unix:/run/trunkline/trunkline.sock`, a Unix-domain socket. Beyond loopback, client keys or `access.open` are asked for.
    pub listen: String,
    /// Who may connect to that socket: its permission bits.
    pub socket_mode: String,
    /// Let another process of the same user listen on the same addresses, `admin.listen` among them, and take over from this one. Needs a restart to change.
    pub reuse_port: bool,
    /// TLS on this listener.
    pub tls: Tls,
    /// Path prefix, such as "/api", under which everything is served as well.
    pub root_path: String,
    /// Worker threads; 0 means one for each core.
    pub workers: u64,
    /// Host names accepted besides the loopback names: by the admin listener on loopback, and by the other one while no client key is asked for.
    pub allowed_hosts: Vec<String>,
    /// Serve the page at "/", the API reference at "/docs", and the status that they show below "/trunkline/".
    pub page: bool,
    /// Most connections open at once.
    pub max_connections: u64,
    /// Most requests in flight at once.
    pub max_in_flight: u64,
    /// Largest request body.
    pub max_body: String,
    /// Most bytes of request bodies held at once, over all requests; at least `max_body`.
    pub max_buffered: String,
    /// Most bytes of multipart forms in temporary files at once, over all requests: a form goes there whose `model` stands behind a file of more than 1MiB.
    pub max_spool: String,
    /// Directory for those files; without it, the system's own ($TMPDIR, else /tmp).
    pub spool_dir: Option<String>,
    /// Most ids of files, responses, batches and other objects that are remembered, so that later calls reach the provider that has them.
    pub max_objects: u64,
    /// Largest request head; at least 8KiB.
    pub max_head: String,
    /// Longest wait for a whole request head.
    pub head_timeout: String,
    /// Longest wait for a whole request body.
    pub body_timeout: String,
    /// Longest silence within a request body.
    pub body_gap: String,
    /// Longest time in which a caller takes nothing of an answer that waits for it.
    pub write_timeout: String,
    /// Silence of an event stream after which its caller gets a comment, ": keep-alive", between two events; "off" for none.
    pub keepalive_comments: String,
    /// Say in the header `server-timing` how long an answer took, here and upstream.
    pub server_timing: bool,
    /// Longest rest of a connection between two requests.
    pub idle_timeout: String,
    /// Longest silence of a WebSocket, of both its sides; pings are no silence.
    pub tunnel_idle_timeout: String,
    /// On shutdown, how long callers are still taken in while `/readyz` already says 503: time for a load balancer to notice.
    pub drain_delay: String,
    /// Longest time that requests in flight get to finish on shutdown; "0s" gives none.
    pub drain_timeout: String,
}

/// `[admin]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Admin {
    /// IP address and port to listen on, or `unix:` and a path; "off" or "" for no admin listener.
    pub listen: String,
    /// As `server.socket_mode`.
    pub socket_mode: String,
}

/// `[cors]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Cors {
    /// Exact origins, such as `https://chat.example.com`. `FRONTEND_URL` and `ADDITIONAL_CORS_ORIGINS` add to them.
    pub allow_origins: Vec<String>,
}

/// `[log]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Log {
    /// Least severity written; `PUT /log` on the admin listener changes it while the gateway runs.
    pub level: LogLevel,
    /// Shape of a line.
    pub format: LogFormat,
    /// Write one line for each request, at its end.
    pub access: bool,
}

/// `[access]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Access {
    /// Allow a listener beyond loopback although there are no client keys.
    pub open: bool,
    /// The client keys by name; `trunkline keygen NAME` makes one.
    pub keys: BTreeMap<String, ClientKey>,
    /// The callers' certificates by name, for a listener with `server.tls.client_auth`.
    pub certificates: BTreeMap<String, ClientCertificate>,
}

/// `[access.keys.NAME]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ClientKey {
    /// SHA-256 of the key in hexadecimal; the key itself is not stored.
    pub sha256: Option<String>,
    /// Aliases this key may use, with `*` and `?` as wildcards; all of them when not given.
    pub models: Option<Vec<String>>,
    /// When the key stops working: "2027-06-30T12:00:00Z", or "2027-06-30" for the end of that day in UTC.
    pub expires: Option<String>,
}

/// `[access.certificates.NAME]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ClientCertificate {
    /// A DNS name or URI that the certificate was issued for (a subject alternative name), exactly.
    pub san: Option<String>,
    /// Instead of `san`: SHA-256 of the certificate in hexadecimal, as `openssl x509 -fingerprint -sha256` prints it.
    pub sha256: Option<String>,
    /// Aliases this caller may use, with `*` and `?` as wildcards; all of them when not given.
    pub models: Option<Vec<String>>,
    /// When it stops opening anything: "2027-06-30T12:00:00Z", or "2027-06-30" for the end of that day in UTC.
    pub expires: Option<String>,
}

/// `[pool]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Pool {
    /// Most requests in flight at one provider; 0 for no limit.
    pub max_in_flight: u64,
    /// Longest wait for a place among them; "0s" to refuse at once.
    pub wait: String,
    /// Most connections kept at rest, for each worker; 0 keeps none.
    pub max_idle: u64,
    /// Longest rest of a connection before it is closed.
    pub idle_timeout: String,
}

/// `[providers.NAME]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Provider {
    /// Where the provider is, up to and including "/v1" or its like.
    pub base_url: Option<String>,
    /// Environment variable that, when set, goes before `base_url`.
    pub base_url_env: Option<String>,
    /// The key itself; better kept out of the file by one of the next two.
    pub api_key: Option<String>,
    /// Environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// File that holds the key; a line break at its end is dropped.
    pub api_key_file: Option<String>,
    /// Several keys instead of one; requests are spread over them.
    pub api_keys: Vec<ApiKey>,
    /// How the key is sent: "bearer", or the name of the header that carries it, such as "api-key".
    pub auth: Option<String>,
    /// Headers added to every request. Their values are never shown.
    pub headers: BTreeMap<String, String>,
    /// Value of the header `openai-organization`.
    pub organization: Option<String>,
    /// Value of the header `openai-project`.
    pub project: Option<String>,
    /// Whether token usage is asked for in streams; "observe" for a provider that is not in the built-in table.
    pub stream_usage: Option<StreamUsage>,
    /// Which protocol it speaks; "openai" by default. What comes in the other one is translated: chat for "anthropic", Messages for "openai".
    pub dialect: Option<Speaks>,
    /// What its chat API knows, for requests that are translated into it.
    pub quirks: Option<Vec<Quirk>>,
    /// `max_tokens` of requests that are translated into Messages and set no limit of their own; 8192 by default.
    pub max_tokens: Option<u64>,
    /// Version of Azure's API, such as "2024-10-21": calls then go to the deployment that is called like the model, below /openai/deployments.
    pub api_version: Option<String>,
    /// Limits in time that differ from `[timeouts]`.
    pub timeouts: OwnTimeouts,
    /// Limits of the connection pool that differ from `[pool]`.
    pub pool: ProviderPool,
    /// Asks the provider now and then whether it is well, and leaves it out while it is not.
    pub health: Health,
    /// Whether the models that the provider itself lists stand in `/v1/models`, as "NAME/model": true for always, false for never; without it, when `?discover=true` asks for them.
    pub discover: Option<bool>,
    /// PEM file of certificate authorities to trust besides the usual ones.
    pub ca_file: Option<String>,
    /// Which HTTP versions to speak; "auto" by default.
    pub http: Option<HttpVersion>,
    /// Name of the built-in provider whose prices hold; its own name by default, while it is at its built-in address.
    pub prices: Option<String>,
    /// Allow a key to travel over http:// to a public host.
    pub insecure_http: Option<bool>,
}

/// `[[providers.NAME.api_keys]]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ApiKey {
    /// Environment variable that holds the key.
    pub env: Option<String>,
    /// File that holds the key; a line break at its end is dropped.
    pub file: Option<String>,
    /// The key itself; better kept out of the file by one of the other two.
    pub key: Option<String>,
}

/// `[providers.NAME.pool]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ProviderPool {
    /// Instead of `pool.max_in_flight`.
    pub max_in_flight: Option<u64>,
    /// Instead of `pool.wait`.
    pub wait: Option<String>,
    /// Instead of `pool.max_idle`.
    pub max_idle: Option<u64>,
    /// Instead of `pool.idle_timeout`.
    pub idle_timeout: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strict_models: false,
            default_provider: None,
            demo: Demo::Auto,
            server: Server::default(),
            admin: Admin::default(),
            reload: Reload::default(),
            cors: Cors::default(),
            log: Log::default(),
            traces: Traces::default(),
            access: Access::default(),
            timeouts: Timeouts::default(),
            pool: Pool::default(),
            retry: Retry::default(),
            breaker: Breaker::default(),
            discovery: Discovery::default(),
            providers: BTreeMap::new(),
            models: BTreeMap::new(),
            prices: BTreeMap::new(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            socket_mode: "0660".into(),
            reuse_port: false,
            tls: Tls::default(),
            root_path: String::new(),
            workers: 0,
            allowed_hosts: Vec::new(),
            page: true,
            max_connections: 16_384,
            max_in_flight: 8_192,
            max_body: "32MiB".into(),
            max_buffered: "512MiB".into(),
            max_spool: "512MiB".into(),
            spool_dir: None,
            max_objects: 20_000,
            max_head: "64KiB".into(),
            head_timeout: "10s".into(),
            body_timeout: "120s".into(),
            body_gap: "30s".into(),
            write_timeout: "60s".into(),
            keepalive_comments: "off".into(),
            server_timing: true,
            idle_timeout: "10m".into(),
            tunnel_idle_timeout: "15m".into(),
            drain_delay: "0s".into(),
            drain_timeout: "600s".into(),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8081".into(),
            socket_mode: "0660".into(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
            access: true,
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_in_flight: 0,
            wait: "10s".into(),
            max_idle: 64,
            idle_timeout: "20s".into(),
        }
    }
}
