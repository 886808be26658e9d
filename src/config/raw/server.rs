//! `[server]`, `[admin]` and `[cors]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, DurationOrOff, DurationOrZero, PositiveDuration, Size, Tls};

/// hyper requires a buffer of this size for a head, and a smaller one would
/// reject what browsers send.
const MIN_HEADER_SIZE: usize = 8 * 1024;

/// `[server]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[allow(
    clippy::struct_field_names,
    reason = "fields are named after the keys of the configuration"
)]
pub struct Server {
    /// IP address (or `localhost`, the IPv4 one) and port, or `unix:/run/trunkline/trunkline.sock` for a Unix-domain socket. An address beyond loopback requires client keys or `access.open`.
    pub listen: String,
    /// Permission bits of the Unix-domain socket.
    pub socket_mode: String,
    /// Allow another process of the same user to listen on the same addresses, `admin.listen` included, and take over from this one. A change requires a restart.
    pub reuse_port: bool,
    /// TLS on this listener.
    pub tls: Tls,
    /// Path prefix under which everything is also served; "/" for none.
    pub root_path: String,
    /// Number of worker threads; 0 means one per core.
    pub workers: Count<0, 1024>,
    /// Host names accepted besides the loopback names: always by an admin listener on loopback, and by this listener while no client key is required.
    pub allowed_hosts: Vec<String>,
    /// Serve the page at "/", the API reference at "/docs" and the status API below "/trunkline/".
    pub page: bool,
    /// Maximum number of open connections. At the limit, the one that is idle longest is closed for a new one; if none is idle, the new one is refused. By default 16384, or fewer where the process may not open enough file descriptors or the container has too little memory for them ([deploy.md](deploy.md#memory)).
    pub max_connections: Option<Count<1>>,
    /// Maximum number of requests in flight.
    pub max_in_flight: Count<1>,
    /// Maximum size of a request body that is buffered as a whole, decoded if it is compressed: JSON, compressed forms, and short forms. Others are streamed (`max_upload`).
    pub max_body: Size<1>,
    /// Maximum size of a request body that is streamed to the provider: files, audio, and everything that is not JSON. Such a body is never in memory as a whole. By default not limited.
    pub max_upload: Option<Size<1>>,
    /// Maximum total size of buffered request bodies; at least `max_body`. By default 512MiB, or less where the container's memory limit leaves less beside `max_connections` ([deploy.md](deploy.md#memory)).
    pub max_buffered: Option<Size<1>>,
    /// Maximum total size of multipart forms in temporary files. A form is spooled there if its `model` field follows a file of more than 1MiB.
    pub max_spool: Size<0>,
    /// Directory of those files; by default the system's ($TMPDIR, else /tmp).
    pub spool_dir: Option<String>,
    /// Maximum number of remembered ids of files, responses, batches and other objects. Later requests are routed by them to the provider that holds the object; 0 disables this.
    pub max_objects: Count<0>,
    /// Maximum size of a request head; at least 8KiB.
    pub max_header_size: Size<MIN_HEADER_SIZE>,
    /// Timeout for a whole request head.
    pub header_timeout: PositiveDuration,
    /// Timeout for a whole request body.
    pub body_timeout: PositiveDuration,
    /// Idle timeout within a request body.
    pub body_idle_timeout: PositiveDuration,
    /// Minimum average rate of a request body, in bytes a second: it may take `body_idle_timeout` and a second for each so many bytes. "0B" for none.
    pub body_min_rate: Size<0>,
    /// Maximum time for which a client may stop reading a response.
    pub write_timeout: PositiveDuration,
    /// Idle time of an event stream after which the client is sent a comment, ": keep-alive", between two events; "off" for none.
    pub keepalive_comments: DurationOrOff,
    /// Add the header `server-timing` to responses: the time spent in the gateway and upstream.
    pub server_timing: bool,
    /// Maximum idle time of a connection between two requests.
    pub idle_timeout: PositiveDuration,
    /// Maximum idle time of a WebSocket, over both directions; pings count as activity.
    pub tunnel_idle_timeout: PositiveDuration,
    /// On shutdown, how long new connections are still accepted after `/readyz` has turned 503, so that a load balancer can react.
    pub drain_delay: DurationOrZero,
    /// On shutdown, maximum time for requests in flight to finish; "0s" for none.
    pub drain_timeout: DurationOrZero,
}

/// `[admin]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Admin {
    /// IP address and port, or `unix:` and a path; "off" or "" for no admin listener.
    pub listen: String,
    /// As `server.socket_mode`.
    pub socket_mode: String,
    /// Refuse `PUT /log` and `PUT /limits`, so that who can connect to it changes nothing.
    pub read_only: bool,
}

/// `[cors]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Cors {
    /// Exact origins, such as `https://chat.example.com`. `FRONTEND_URL` and `ADDITIONAL_CORS_ORIGINS` add to them. Pages of these origins may send browser credentials.
    pub allow_origins: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            socket_mode: "0660".into(),
            reuse_port: false,
            tls: Tls::default(),
            root_path: "/api".into(),
            workers: Count::new(0),
            allowed_hosts: Vec::new(),
            page: true,
            max_connections: None,
            max_in_flight: Count::new(8_192),
            max_body: Size::mib(32),
            max_upload: None,
            max_buffered: None,
            max_spool: Size::mib(512),
            spool_dir: None,
            max_objects: Count::new(20_000),
            max_header_size: Size::kib(64),
            header_timeout: PositiveDuration::secs(10),
            body_timeout: PositiveDuration::secs(120),
            body_idle_timeout: PositiveDuration::secs(30),
            body_min_rate: Size::bytes(500),
            write_timeout: PositiveDuration::secs(60),
            keepalive_comments: DurationOrOff::OFF,
            server_timing: true,
            idle_timeout: PositiveDuration::secs(600),
            tunnel_idle_timeout: PositiveDuration::secs(900),
            drain_delay: DurationOrZero::secs(0),
            drain_timeout: DurationOrZero::secs(600),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8081".into(),
            socket_mode: "0660".into(),
            read_only: false,
        }
    }
}
