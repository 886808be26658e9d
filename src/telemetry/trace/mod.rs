//! Traces: sampling of requests, and export of their spans to a collector.
//!
//! Workers send the spans of a finished request to a thread that exports them in batches.
//! No request waits for it: spans that do not fit into its queue, or that the collector
//! does not accept, are dropped and counted.

use std::io;
use std::sync::Arc;

use http::HeaderMap;
use metrics::Counter;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::metric::{self, Registry};
use super::otlp::FLUSH_TIMEOUT;
use crate::config::Traces;

mod context;
mod export;
mod span;

pub use super::otlp::Attributes;
pub use context::{SpanId, TraceContext, TraceId};
pub use span::{Span, SpanEvent, SpanKind, SpanStatus};

use export::Exporter;

/// W3C Trace Context, section 3.2.
pub const TRACEPARENT: &str = "traceparent";
/// W3C Trace Context, section 3.3.
pub const TRACESTATE: &str = "tracestate";

/// Requests whose spans are queued before further ones are dropped.
const QUEUE_LEN: usize = 2048;

/// Samples requests and exports spans. Shared by all workers.
#[derive(Debug)]
pub struct Tracer {
    queue: Sender<ExportCommand>,
    dropped: Counter,
    /// A request is sampled if a random number is below it; none samples all.
    threshold: Option<u64>,
    /// Distinguishes the ids of this process from those of others.
    seed: u64,
    config: Traces,
}

enum ExportCommand {
    Export(Vec<Span>),
    /// Signals when all spans queued before it were exported or dropped.
    Flush(oneshot::Sender<()>),
}

/// The position of a sampled request in its trace.
#[derive(Debug, Clone, Copy)]
pub struct SpanContext {
    /// The trace, the flags, and the request's own span as the parent.
    pub own: TraceContext,
    /// The client's span; none if the trace begins here.
    pub parent: Option<SpanId>,
}

impl Tracer {
    /// The tracer for this configuration: `before` if its configuration is the same, else
    /// a new one. After a tracer is dropped, its exporter exports what is queued and ends.
    pub fn next_generation(
        traces: Option<&Traces>,
        registry: &Registry,
        before: Option<&Arc<Self>>,
    ) -> io::Result<Option<Arc<Self>>> {
        let Some(traces) = traces else {
            return Ok(None);
        };
        if let Some(before) = before.filter(|before| before.config == *traces) {
            return Ok(Some(Arc::clone(before)));
        }
        let (queue, commands) = channel(QUEUE_LEN);
        let dropped = registry.counter(&metric::SPANS_DROPPED, &[]);
        Exporter::new(traces, dropped.clone())?.start(commands)?;
        Ok(Some(Arc::new(Self {
            queue,
            dropped,
            threshold: threshold(traces.ratio),
            seed: getrandom::u64().unwrap_or_else(|_| fastrand::u64(..)),
            config: traces.clone(),
        })))
    }

    /// Decides whether a request with these headers is sampled: by the flag of a valid
    /// `traceparent`, else by the configured ratio.
    #[must_use]
    pub fn sample(&self, headers: &HeaderMap) -> Option<SpanContext> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let incoming = match (values.next(), values.next()) {
            (Some(value), None) => TraceContext::parse(value.as_bytes()),
            _ => None,
        };
        let Some(incoming) = incoming else {
            let sampled = self
                .threshold
                .is_none_or(|threshold| fastrand::u64(..) < threshold);
            return sampled.then(|| SpanContext {
                own: TraceContext::new_root(self.trace_id(), self.span_id()),
                parent: None,
            });
        };
        incoming.is_sampled().then(|| SpanContext {
            own: TraceContext {
                parent: self.span_id(),
                ..incoming
            },
            parent: Some(incoming.parent),
        })
    }

    #[must_use]
    pub fn span_id(&self) -> SpanId {
        SpanId((self.seed ^ fastrand::u64(..)).max(1))
    }

    fn trace_id(&self) -> TraceId {
        let high = u128::from(self.seed ^ fastrand::u64(..)) << 64;
        TraceId((high | u128::from(fastrand::u64(..))).max(1))
    }

    /// Queues the spans of a request, or drops them.
    pub fn export(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.queue.try_send(ExportCommand::Export(spans)).is_err() {
            self.dropped.increment(count);
        }
    }

    /// Waits until all spans were exported or dropped, up to [`FLUSH_TIMEOUT`].
    pub async fn flush(&self) {
        let (sender, done) = oneshot::channel();
        let flushed = async {
            if self.queue.send(ExportCommand::Flush(sender)).await.is_ok() {
                let _ = done.await;
            }
        };
        let _ = timeout(FLUSH_TIMEOUT, flushed).await;
    }
}

/// This share of 2⁶⁴; none for a ratio of 1.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a ratio is from 0 to 1, and a cast to u64 saturates"
)]
fn threshold(ratio: f64) -> Option<u64> {
    (ratio < 1.0).then_some((ratio * 2_f64.powi(64)) as u64)
}

#[cfg(test)]
mod tests;
