//! Settings of client connections and routes, the same for every request.

use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use rustls::ServerConfig;

use super::cors::Cors;
use super::host::HostCheck;
use super::operator::OperatorSources;
use super::page::Page;
use super::status::Subscribers;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::telemetry::metric::label::connection_error;
use crate::telemetry::metric::{self, Registry};

/// Each worker has its own.
#[derive(Debug)]
pub struct HttpContext {
    pub tls: Option<Arc<ServerConfig>>,
    /// Path prefix under which every route is served as well.
    pub root_path: String,
    pub cors: Cors,
    pub hosts: HostCheck,
    pub page: Option<Page>,
    pub subscribers: Subscribers,
    pub operator: OperatorSources,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub write_timeout: Duration,
    /// In bytes.
    pub max_header_size: usize,
    pub errors: ConnectionErrors,
}

/// Errors of client connections, by kind.
#[derive(Debug)]
pub struct ConnectionErrors {
    pub tls_handshake: Counter,
    pub header_timeout: Counter,
    pub idle_timeout: Counter,
    pub evicted: Counter,
    pub write_timeout: Counter,
    pub malformed: Counter,
    pub header_too_large: Counter,
    pub http2_flood: Counter,
}

impl HttpContext {
    pub fn new(
        config: &Config,
        registry: &Registry,
        ledger: Option<&Ledger>,
        page: Option<Page>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let server = &config.server;
        Self {
            tls,
            root_path: server.root_path.clone(),
            cors: Cors::new(&config.cors.allow_origins),
            hosts: HostCheck::new(config),
            page,
            subscribers: Subscribers::new(),
            operator: OperatorSources::new(registry, ledger.map(|it| it.path().to_owned())),
            header_timeout: server.header_timeout,
            idle_timeout: server.idle_timeout,
            write_timeout: server.write_timeout,
            max_header_size: server.max_header_size,
            errors: ConnectionErrors::new(registry),
        }
    }
}

impl ConnectionErrors {
    fn new(registry: &Registry) -> Self {
        let kind = |kind| registry.counter(&metric::CONNECTION_ERRORS, &[("kind", kind)]);
        Self {
            tls_handshake: kind(connection_error::TLS_HANDSHAKE),
            header_timeout: kind(connection_error::HEADER_TIMEOUT),
            idle_timeout: kind(connection_error::IDLE_TIMEOUT),
            evicted: kind(connection_error::EVICTED),
            write_timeout: kind(connection_error::WRITE_TIMEOUT),
            malformed: kind(connection_error::MALFORMED),
            header_too_large: kind(connection_error::HEADER_TOO_LARGE),
            http2_flood: kind(connection_error::HTTP2_FLOOD),
        }
    }
}
