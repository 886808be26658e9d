//! Listeners, connections and the worker threads that serve them.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::Snapshot;
use crate::routes::context::HttpContext;

pub mod accept;
mod active_snapshot;
mod connection;
pub mod listener;
pub mod socket;
pub mod tls;
mod worker;

/// The workers' part of one generation of the configuration.
#[derive(Debug)]
pub struct ServerGeneration {
    pub snapshot: Arc<Snapshot>,
    /// One for each worker.
    pub contexts: Vec<HttpContext>,
    pub max_connections: usize,
    pub write_timeout: Duration,
}
