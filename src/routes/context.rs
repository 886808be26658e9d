//! What connections and the router go by, the same for every request.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::cors::Cors;
use super::host::Hosts;
use super::page::Page;
use super::status::Watchers;
use crate::config::Config;
use crate::telemetry::metric::{self, Counter, Registry};

/// What connections and the router go by. Each worker has one of its own.
#[derive(Debug)]
pub struct Site {
    /// What TLS handshakes go by, where TLS is spoken.
    pub tls: Option<Arc<ServerConfig>>,
    /// Prefix below which everything is served as well.
    pub root_path: String,
    /// Pages that may call.
    pub cors: Cors,
    /// Names that we answer to.
    pub hosts: Hosts,
    /// The page at `/`, if there is to be one.
    pub page: Option<Page>,
    /// Who watches the gateway's status.
    pub watchers: Watchers,
    /// Longest wait for a request's head.
    pub head_timeout: Duration,
    /// Longest rest between two requests.
    pub idle_timeout: Duration,
    /// Longest time in which a caller takes nothing of what waits for it.
    pub write_timeout: Duration,
    /// Most bytes in a request's head.
    pub max_head: usize,
    /// Faults of connections.
    pub errors: Errors,
}

/// Faults of connections, by kind.
#[derive(Debug)]
pub struct Errors {
    /// A TLS handshake failed, or was not over in time.
    pub tls_handshake: Counter,
    /// A head did not come in time.
    pub head_timeout: Counter,
    /// A connection rested too long.
    pub idle_timeout: Counter,
    /// A caller took nothing of an answer for too long.
    pub write_timeout: Counter,
    /// What came was no HTTP.
    pub malformed: Counter,
    /// A head was too large.
    pub head_too_large: Counter,
}

impl Site {
    pub fn new(
        config: &Config,
        registry: &Registry,
        page: Option<Page>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let server = &config.server;
        Self {
            tls,
            root_path: server.root_path.clone(),
            cors: Cors::new(&config.cors.allow_origins),
            hosts: Hosts::new(config),
            page,
            watchers: Watchers::new(),
            head_timeout: server.head_timeout,
            idle_timeout: server.idle_timeout,
            write_timeout: server.write_timeout,
            max_head: server.max_head,
            errors: Errors::new(registry),
        }
    }
}

impl Errors {
    fn new(registry: &Registry) -> Self {
        let kind = |kind| registry.counter(&metric::CONNECTION_ERRORS, &[("kind", kind)]);
        Self {
            tls_handshake: kind("tls_handshake"),
            head_timeout: kind("header_timeout"),
            idle_timeout: kind("idle_timeout"),
            write_timeout: kind("write_timeout"),
            malformed: kind("malformed"),
            head_too_large: kind("head_too_large"),
        }
    }
}
