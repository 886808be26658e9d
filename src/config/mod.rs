//! What Trunkline runs on: the checked configuration.
//!
//! [`raw`] is what a person wrote, [`Config`] is what the program obeys, and
//! [`load`] is the one way from the first to the second. Nothing below this
//! module reads the environment or a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

mod check;
#[cfg(test)]
mod docs;
mod document;
mod environment;
mod error;
mod file;
mod layers;
mod listen;
mod load;
mod model;
mod preset;
mod price;
mod provider;
mod provider_api;
pub mod raw;

mod schema_node;
mod sources;
#[cfg(test)]
pub(crate) mod tests;
mod timeouts;
mod tls;
mod traces;
mod validate;

pub use environment::Environment;
pub use error::{Fault, Faults, KeyPath, Place, Segment};
pub use file::Seen;
pub use listen::Listen;
pub use load::{load, load_seen};
pub use model::{
    Affinity, AffinityBy, AffinityKind, Balance, Breaker, Hedge, Model, Retry, Step, Target,
};
pub use price::{COST_DIGITS, Decimal, Price, PriceList};
pub use provider::{Auth, BaseUrl, Credential, Discover, HealthCheck, Provider};
pub use provider_api::{Manner, Quirk, Speaks};
pub use schema_node::schema;
pub use sources::{Flags, Origin, Sources};
pub use timeouts::{OwnTimeouts, Timeouts};
pub use tls::{ClientAuth, Tls};
pub use traces::Traces;

/// The checked configuration. Every field is settled: no later code asks what
/// the default is or whether a value makes sense.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listener that callers use.
    pub server: Server,
    /// The listener that operators use.
    pub admin: Admin,
    /// Which browser origins may call.
    pub cors: Cors,
    /// What is written to standard output.
    pub log: Log,
    /// Where spans of requests are sent, if anywhere.
    pub traces: Option<Traces>,
    /// Who may call.
    pub access: Access,
    /// When true, only aliases may be called and `provider/model` is refused.
    pub strict_models: bool,
    /// Where calls go that name neither a model nor anything else that tells.
    pub default_provider: Option<String>,
    /// Whether the built-in demo model is offered.
    pub demo: Demo,
    /// When a request is tried again, for models that say nothing of their own.
    pub retry: Retry,
    /// Second attempts, in percent of the first ones.
    pub retry_budget: u32,
    /// When a target is left out.
    pub breaker: Breaker,
    /// What is known of the models that providers list themselves.
    pub discovery: Discovery,
    /// Whether a change of the files is obeyed by itself.
    pub watch: bool,
    /// Every provider that is known, by name: presets and the config's own.
    pub providers: BTreeMap<String, Provider>,
    /// Every alias, by name.
    pub models: BTreeMap<String, Model>,
    /// What was accepted but should be mended, one sentence each.
    pub warnings: Vec<String>,
}

/// `[server]`: the listener that callers use, and the limits on what they send.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen.
    pub listen: Listen,
    /// Whether another process may listen there as well.
    pub reuse_port: bool,
    /// TLS on it, or none for plain HTTP.
    pub tls: Option<Tls>,
    /// Path prefix under which everything is served as well: empty, or with a
    /// leading and without a trailing slash.
    pub root_path: String,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Host names accepted besides the loopback names while access is open.
    pub allowed_hosts: Vec<String>,
    /// Whether `/` serves the page.
    pub page: bool,
    /// Most connections open at once.
    pub max_connections: usize,
    /// Most requests in flight at once.
    pub max_in_flight: usize,
    /// Most bytes in one request body.
    pub max_body: usize,
    /// Most bytes of request bodies held at once, over all requests.
    pub max_buffered: usize,
    /// Most bytes of forms in temporary files at once, over all requests.
    pub max_spool: usize,
    /// Where those files are; none for the system's own place.
    pub spool_dir: Option<PathBuf>,
    /// Most ids of objects that are remembered.
    pub max_objects: usize,
    /// Most bytes in a request head.
    pub max_head: usize,
    /// Longest wait for a whole request head, the first byte included.
    pub head_timeout: Duration,
    /// Longest wait for a whole request body.
    pub body_timeout: Duration,
    /// Longest silence within a request body.
    pub body_gap: Duration,
    /// Longest time in which a caller takes nothing of what waits for it.
    pub write_timeout: Duration,
    /// Silence of an event stream after which its caller gets a comment, or
    /// none for no comments.
    pub keepalive_comments: Option<Duration>,
    /// Whether answers say how long they took.
    pub server_timing: bool,
    /// Longest time a connection may rest between two requests.
    pub idle_timeout: Duration,
    /// Longest silence of a WebSocket.
    pub tunnel_idle_timeout: Duration,
    /// Time between the word that it is not ready and the closing of the
    /// listener.
    pub drain_delay: Duration,
    /// Longest time that requests in flight get to finish on shutdown.
    pub drain_timeout: Duration,
}

/// `[admin]`: the listener that operators use.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where to listen, or none to have no admin listener.
    pub listen: Option<Listen>,
}

/// `[cors]`: which browser origins may call.
#[derive(Debug, Clone)]
pub struct Cors {
    /// Exact origins, as browsers send them (`https://chat.example.com`).
    pub allow_origins: Vec<String>,
}

/// `[log]`: what is written to standard output.
#[derive(Debug, Clone)]
pub struct Log {
    /// Least severity written.
    pub level: LogLevel,
    /// Shape of a line.
    pub format: LogFormat,
    /// Whether each request gets a line at its end.
    pub access: bool,
}

/// Severity of a log line, the wordiest last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs a person.
    Error,
    /// And what may need one soon.
    Warn,
    /// And what happened, one line a request.
    Info,
    /// And why.
    Debug,
    /// And how.
    Trace,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// For machines, one JSON object a line.
    Json,
}

/// `[access]`: who may call.
#[derive(Debug, Clone)]
pub struct Access {
    /// True when a listener beyond loopback without client keys is wanted.
    pub open: bool,
    /// The client keys. Without any, and without certificates, everyone who
    /// reaches us may call.
    pub keys: Vec<ClientKey>,
    /// The callers' certificates.
    pub certificates: Vec<ClientCertificate>,
}

/// One client key, `[access.keys.NAME]`.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Name that logs and metrics use.
    pub name: String,
    /// SHA-256 of the key's bytes.
    pub sha256: [u8; 32],
    /// Aliases this key may use, or none for all of them.
    pub models: Option<Vec<WildMatch>>,
    /// When the key stops working.
    pub expires: Option<Timestamp>,
}

/// One caller's certificate, `[access.certificates.NAME]`.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// Name that logs and metrics use.
    pub name: String,
    /// What the certificate is known by.
    pub identity: Identity,
    /// Aliases this caller may use, or none for all of them.
    pub models: Option<Vec<WildMatch>>,
    /// When it stops opening anything.
    pub expires: Option<Timestamp>,
}

/// What a certificate is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// SHA-256 of the certificate in DER.
    Sha256([u8; 32]),
    /// A subject alternative name that is a URI, as it is written (RFC 5280,
    /// section 4.2.1.6); SPIFFE ids are such.
    Uri(String),
    /// A subject alternative name that is a host name, in lower case.
    Dns(String),
}

/// `[discovery]`: how providers are asked which models they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discovery {
    /// How long an answer is told without asking anew.
    pub ttl: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// When the built-in demo model is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Demo {
    /// Only while no other model is ready.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Whether usage is asked for in streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamUsage {
    /// Ask for it when the caller did not, and hold the extra event back.
    Inject,
    /// Change nothing.
    Observe,
}

/// Limits of one provider's connection pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Most requests in flight at the provider, or none for no limit.
    pub max_in_flight: Option<usize>,
    /// Longest wait for a place among them.
    pub wait: Duration,
    /// Most connections kept at rest, per worker.
    pub max_idle: usize,
    /// Longest time a connection rests before it is closed.
    pub idle_timeout: Duration,
}

/// Which HTTP versions an upstream is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HttpVersion {
    /// HTTP/2 where TLS negotiates it (ALPN, RFC 7301), else HTTP/1.1.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; without TLS by prior knowledge (RFC 9113, section 3.3).
    Http2,
}

impl LogLevel {
    /// Every level, in order.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The name that the configuration uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Access {
    /// True when neither a client key nor a listed certificate is asked for.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }
}
