//! What the exporters of traces and of metrics share: the client of a collector, the
//! JSON encoding of OTLP, and when a failure is logged.

use std::io;
use std::time::Duration;

mod client;
mod encoding;
mod export_log;

pub use client::CollectorClient;
pub use encoding::{Attributes, Int64, Resource, Scope, UnixTime, time};
pub use export_log::{ExportLog, Signal};

/// Time to export the last data on shutdown.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs an exporter on a thread of its own.
pub fn spawn<F: Future<Output = ()>>(
    name: &str,
    exporter: impl FnOnce() -> F + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(exporter()))?;
    Ok(())
}
