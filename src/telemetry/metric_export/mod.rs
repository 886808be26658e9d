//! Exports all metrics to a collector at a fixed interval, on a separate thread.
//!
//! Values are cumulative, so that an export which the collector does not accept loses
//! nothing: the next one has its counts as well.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use metrics::Counter;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::metric::label::metric_export_result;
use super::metric::{FamilySnapshot, METRIC_EXPORTS, Registry};
use super::otlp::{self, CollectorClient, ExportLog, FLUSH_TIMEOUT, Resource, Signal};
use crate::config::MetricExport;
use crate::wall_clock;

mod batches;
mod encoding;
mod names;

use batches::Batches;
use encoding::{MetricsRequest, Window};

/// Data points in one request to the collector: at most 2 MB for histograms.
const MAX_POINTS: usize = 2000;

/// Handle of the thread, which ends with a last export when the handle is dropped.
#[derive(Debug)]
pub struct MetricExporter {
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Exporter {
    registry: Registry,
    client: CollectorClient,
    resource: Resource,
    interval: Duration,
    log: ExportLog,
    ok: Counter,
    failed: Counter,
}

/// What the collector did not accept of one export.
#[derive(Debug, PartialEq)]
struct Failure {
    /// For the log.
    reason: String,
    /// At least so many.
    points: u64,
}

// === impl MetricExporter ===

impl MetricExporter {
    pub fn start(config: &MetricExport, registry: &Registry) -> io::Result<Self> {
        let counter = |result| registry.counter(&METRIC_EXPORTS, &[("result", result)]);
        let exporter = Exporter {
            registry: registry.clone(),
            client: CollectorClient::new(&config.collector)?,
            resource: Resource::new(&config.collector),
            interval: config.interval,
            log: ExportLog::new(Signal::Metrics),
            ok: counter(metric_export_result::OK),
            failed: counter(metric_export_result::FAILED),
        };
        let (stop, stop_requested) = oneshot::channel();
        let (ended, stopped) = oneshot::channel();
        otlp::spawn("metrics", move || exporter.run(stop_requested, ended))?;
        Ok(Self { stop, stopped })
    }

    /// Waits for the last export, up to [`FLUSH_TIMEOUT`].
    pub async fn finish(self) {
        drop(self.stop);
        let _ = timeout(FLUSH_TIMEOUT, self.stopped).await;
    }
}

// === impl Exporter ===

impl Exporter {
    async fn run(mut self, mut stop: oneshot::Receiver<()>, ended: oneshot::Sender<()>) {
        let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let is_last = tokio::select! {
                _ = ticks.tick() => false,
                _ = &mut stop => true,
            };
            self.export().await;
            if is_last {
                break;
            }
        }
        let _ = ended.send(());
    }

    async fn export(&mut self) {
        match self.send_all().await {
            None => {
                self.ok.increment(1);
                self.log.accepted();
            }
            Some(failure) => {
                self.failed.increment(1);
                self.log.failed(&failure.reason, failure.points);
            }
        }
    }

    /// Gives up while there is no collector; a request that it refuses does not stop the
    /// others.
    async fn send_all(&self) -> Option<Failure> {
        self.registry.collect_process();
        let mut failure = None;
        for batch in Batches::new(self.registry.snapshots(), MAX_POINTS) {
            let points = points(&batch);
            let Ok(body) = self.encode(&batch) else {
                Failure::add(&mut failure, "not encoded", points);
                continue;
            };
            // The body may wait for a collector.
            drop(batch);
            match self.client.export(body).await {
                Ok(0) => {}
                Ok(rejected) => {
                    let rejected = rejected.min(points);
                    Failure::add(&mut failure, "data points rejected", rejected);
                }
                Err(error) => {
                    Failure::add(&mut failure, &error.reason, points);
                    if error.is_retryable() {
                        break;
                    }
                }
            }
        }
        failure
    }

    fn encode(&self, batch: &[FamilySnapshot]) -> serde_json::Result<Bytes> {
        let window = Window::until_now(self.registry.created(), wall_clock::now());
        let request = MetricsRequest::new(&self.resource, batch, window);
        serde_json::to_vec(&request).map(Bytes::from)
    }
}

fn points(batch: &[FamilySnapshot]) -> u64 {
    batch.iter().map(|family| family.samples.len() as u64).sum()
}

// === impl Failure ===

impl Failure {
    /// Keeps the first reason.
    fn add(failure: &mut Option<Self>, reason: &str, points: u64) {
        let first = || Self {
            reason: reason.to_owned(),
            points: 0,
        };
        failure.get_or_insert_with(first).points += points;
    }
}

#[cfg(test)]
mod tests;
