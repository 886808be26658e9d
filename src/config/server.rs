//! `[server]`, `[admin]` and `[cors]`, checked.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use super::{Listen, Tls};

/// `[server]`: the listener for clients, and its limits.
#[derive(Debug, Clone)]
#[allow(
    clippy::struct_field_names,
    reason = "fields are named after the keys of the configuration"
)]
pub struct Server {
    pub listen: Listen,
    /// Whether another process may listen on the same address.
    pub reuse_port: bool,
    /// None for plain HTTP.
    pub tls: Option<Tls>,
    /// Path prefix under which everything is also served: empty, or with a
    /// leading and without a trailing slash.
    pub root_path: String,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Host names accepted besides the loopback names while access is open.
    pub allowed_hosts: Vec<String>,
    pub page: bool,
    pub max_connections: usize,
    pub max_in_flight: usize,
    /// In bytes.
    pub max_body: usize,
    /// In bytes; none for no limit.
    pub max_upload: Option<u64>,
    /// In bytes, over all requests.
    pub max_buffered: usize,
    /// In bytes, over all requests.
    pub max_spool: usize,
    /// None for the system's temporary directory.
    pub spool_dir: Option<PathBuf>,
    /// Maximum number of remembered object ids.
    pub max_objects: usize,
    /// In bytes.
    pub max_header_size: usize,
    /// For a whole request head, the wait for its first byte included.
    pub header_timeout: Duration,
    /// For a whole request body.
    pub body_timeout: Duration,
    /// Idle time within a request body.
    pub body_idle_timeout: Duration,
    /// Bytes a second that a request body must reach on average; none for no limit.
    pub body_min_rate: Option<NonZeroU64>,
    /// Maximum time for which a client may stop reading a response.
    pub write_timeout: Duration,
    /// Idle time of an event stream after which the client is sent a comment;
    /// none for no comments.
    pub keepalive_comments: Option<Duration>,
    /// Whether responses have a `server-timing` header.
    pub server_timing: bool,
    /// Idle time of a connection between two requests.
    pub idle_timeout: Duration,
    /// Idle time of a WebSocket.
    pub tunnel_idle_timeout: Duration,
    /// Time from reporting "not ready" to closing the listener.
    pub drain_delay: Duration,
    /// Maximum time for requests in flight to finish on shutdown.
    pub drain_timeout: Duration,
}

/// `[admin]`: the admin listener.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// None for no admin listener.
    pub listen: Option<Listen>,
    /// Whether nothing can be changed there.
    pub read_only: bool,
}

/// `[cors]`: browser origins that may call the gateway.
#[derive(Debug, Clone)]
pub struct CorsConfig {
    /// Exact origins, as browsers send them (`https://chat.example.com`).
    pub allow_origins: Vec<String>,
}
