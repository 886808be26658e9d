//! Traces: which requests are recorded, and the way of their spans to a
//! collector.
//!
//! Workers hand the spans of a finished request to a thread of its own, which
//! sends them in batches. Nobody waits for it: what does not fit into its
//! queue, and what no collector takes, is dropped and counted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::metric::{self, Counter, Registry};
use crate::config::Traces;

mod context;
mod export;
mod span;

pub use context::{Context, SpanId, TraceId};
pub use span::{Attributes, Event, Kind, Span, Status};

use export::Exporter;

/// The header that names the trace (W3C Trace Context, section 3.2).
pub const TRACEPARENT: &str = "traceparent";
/// What belongs to it, in words of those who pass it on (section 3.3).
pub const TRACESTATE: &str = "tracestate";

/// Requests whose spans wait for the exporter before further ones are dropped.
const REQUESTS_WAITING: usize = 2048;
/// Longest wait for the last spans on shutdown.
pub const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Decides what is recorded, and takes what was. Shared by all workers.
#[derive(Debug)]
pub struct Tracer {
    queue: Sender<Order>,
    lost: Counter,
    /// So many of 2⁶⁴ requests begin a trace, or all of them.
    share: Option<u64>,
    /// Tells the ids of this process from those of others.
    seed: u64,
    made_from: Traces,
}

/// What the exporter is told.
enum Order {
    Export(Vec<Span>),
    /// Say so when all that came before has been sent or given up.
    Flush(oneshot::Sender<()>),
}

/// Where a recorded request stands in its trace.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The trace, with the flags that are passed on and the request's own span.
    pub own: Context,
    /// The caller's span; none where the trace begins here.
    pub parent: Option<SpanId>,
}

impl Tracer {
    /// What records for this configuration: `before` where that does so already,
    /// else one whose exporter is started. It ends when all its holders are gone,
    /// once it has sent what it has.
    pub fn succeed(
        traces: Option<&Traces>,
        registry: &Registry,
        before: Option<&Arc<Self>>,
    ) -> io::Result<Option<Arc<Self>>> {
        let Some(traces) = traces else {
            return Ok(None);
        };
        if let Some(before) = before.filter(|before| before.made_from == *traces) {
            return Ok(Some(Arc::clone(before)));
        }
        let (queue, orders) = channel(REQUESTS_WAITING);
        let lost = registry.counter(&metric::SPANS_LOST, &[]);
        Exporter::new(traces, lost.clone())?.start(orders)?;
        Ok(Some(Arc::new(Self {
            queue,
            lost,
            share: threshold(traces.ratio),
            seed: getrandom::u64().unwrap_or_else(|_| fastrand::u64(..)),
            made_from: traces.clone(),
        })))
    }

    /// Decides whether a request with these headers is recorded. The caller
    /// decides where it says which trace this is, else the configured share.
    #[must_use]
    pub fn begin(&self, headers: &HeaderMap) -> Option<Origin> {
        let mut named = headers.get_all(TRACEPARENT).iter();
        let caller = match (named.next(), named.next()) {
            (Some(value), None) => Context::parse(value.as_bytes()),
            _ => None,
        };
        let Some(caller) = caller else {
            let begins = self.share.is_none_or(|share| fastrand::u64(..) < share);
            return begins.then(|| Origin {
                own: Context::begun(self.trace_id(), self.span_id()),
                parent: None,
            });
        };
        caller.is_sampled().then(|| Origin {
            own: Context {
                parent: self.span_id(),
                ..caller
            },
            parent: Some(caller.parent),
        })
    }

    /// An id for one more span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        SpanId((self.seed ^ fastrand::u64(..)).max(1))
    }

    fn trace_id(&self) -> TraceId {
        let high = u128::from(self.seed ^ fastrand::u64(..)) << 64;
        TraceId((high | u128::from(fastrand::u64(..))).max(1))
    }

    /// Has the spans of a request exported, or drops them.
    pub fn export(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.queue.try_send(Order::Export(spans)).is_err() {
            self.lost.increment(count);
        }
    }

    /// Waits until everything has been sent or given up, but not for long.
    pub async fn flush(&self) {
        let (reply, answer) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Order::Flush(reply)).await.is_ok() {
                let _ = answer.await;
            }
        };
        let _late = timeout(LAST_EXPORT, flushed).await;
    }
}

/// This share of 2⁶⁴; none for all of it.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is from 0 to 1, and a cast to u64 saturates"
)]
fn threshold(share: f64) -> Option<u64> {
    (share < 1.0).then_some((share * 2_f64.powi(64)) as u64)
}

#[cfg(test)]
mod tests;
