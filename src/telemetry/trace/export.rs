//! Exports spans to a collector, in batches, on a separate thread.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use metrics::Counter;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

use super::ExportCommand;
use super::span::{ExportRequest, Span};
use crate::config::Traces;
use crate::telemetry::otlp::{self, CollectorClient, ExportLog, Resource, Signal};

/// In spans.
const BATCH_SIZE: usize = 512;
/// How long a batch waits for further spans.
const MAX_BATCH_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Exporter {
    client: CollectorClient,
    resource: Resource,
    dropped: Counter,
    log: ExportLog,
}

impl Exporter {
    pub(super) fn new(traces: &Traces, dropped: Counter) -> io::Result<Self> {
        Ok(Self {
            client: CollectorClient::new(&traces.collector)?,
            resource: Resource::new(&traces.collector),
            dropped,
            log: ExportLog::new(Signal::Traces),
        })
    }

    /// Starts the thread.
    pub(super) fn start(self, commands: Receiver<ExportCommand>) -> io::Result<()> {
        otlp::spawn("traces", move || self.run(commands))
    }

    async fn run(mut self, mut commands: Receiver<ExportCommand>) {
        let mut batch = Vec::new();
        while let Some(command) = commands.recv().await {
            let deadline = Instant::now() + MAX_BATCH_DELAY;
            let mut next = Some(command);
            let mut flush = None;
            while let Some(command) = next.take() {
                match command {
                    ExportCommand::Export(spans) => batch.extend(spans),
                    ExportCommand::Flush(done) => flush = Some(done),
                }
                if batch.len() < BATCH_SIZE && flush.is_none() {
                    next = timeout_at(deadline, commands.recv()).await.ok().flatten();
                }
            }
            if !batch.is_empty() {
                self.deliver(&batch).await;
                batch.clear();
            }
            if let Some(done) = flush {
                let _ = done.send(());
            }
        }
    }

    /// Sends a batch, and counts dropped spans.
    async fn deliver(&mut self, batch: &[Span]) {
        let count = batch.len() as u64;
        let export = ExportRequest::new(&self.resource, batch);
        let Ok(body) = serde_json::to_vec(&export).map(Bytes::from) else {
            self.dropped.increment(count);
            return;
        };
        match self.client.export(body).await {
            Ok(rejected) => {
                self.dropped.increment(rejected.min(count));
                self.log.accepted();
            }
            Err(error) => {
                self.dropped.increment(count);
                self.log.failed(&error.reason, count);
            }
        }
    }
}
