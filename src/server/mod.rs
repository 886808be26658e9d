//! Listeners, connections and the worker threads that serve them.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::Snapshot;
use crate::routes::context::HttpContext;

pub mod accept;
mod active_snapshot;
mod connection;
mod connection_table;
pub mod listener;
pub mod log_limiter;
mod overflow;
mod refusal;
pub mod socket;
pub mod tls;
mod worker;
mod worker_pool;

#[cfg(feature = "fuzzing")]
pub use connection::chunk_oracle;

/// The workers' part of one generation of the configuration.
#[derive(Debug)]
pub struct ServerGeneration {
    pub snapshot: Arc<Snapshot>,
    /// One for each worker.
    pub contexts: Vec<HttpContext>,
    pub max_connections: usize,
    pub write_timeout: Duration,
}

impl ServerGeneration {
    fn requires_tls(&self) -> bool {
        self.contexts.iter().any(|context| context.tls.is_some())
    }
}
