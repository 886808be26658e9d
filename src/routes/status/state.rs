//! The status at one time, and its difference from an earlier one.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::catalog::Cost;
use crate::metering::Counts;
use crate::proxy::Snapshot;

/// The status that one client may see. Rows are stored as JSON, to be compared and
/// sent without serializing them again.
#[derive(Debug)]
pub struct StatusState {
    pub snapshot: Arc<Snapshot>,
    pub summary: StatusSummary,
    pub models: Vec<Box<RawValue>>,
    pub providers: Vec<Box<RawValue>>,
    pub recent: Vec<Box<RawValue>>,
}

/// The part that every message contains.
#[derive(Debug, Serialize)]
pub struct StatusSummary {
    pub version: &'static str,
    pub at: u64,
    pub uptime_ms: f64,
    pub draining: bool,
    pub discovers: bool,
    /// Whether the client may see `/trunkline/operator`.
    pub operator: bool,
    pub requests: RequestCounts,
    pub tokens: TokenCounts,
    pub cost: CostSum,
}

#[derive(Debug, Serialize)]
pub struct RequestCounts {
    pub in_flight: u64,
    pub total: u64,
    pub failed: u64,
    pub cancelled: u64,
}

#[derive(Debug, Serialize)]
pub struct TokenCounts {
    pub input: u64,
    pub output: u64,
}

/// The cost of requests, as far as known.
#[derive(Debug, Serialize)]
pub struct CostSum {
    usd: Option<Cost>,
    /// Successful requests of unknown cost.
    unknown: u64,
}

/// The status as it is sent: complete, or only the changed rows.
#[derive(Serialize)]
struct StatusMessage<'a> {
    #[serde(flatten)]
    summary: &'a StatusSummary,
    models: Vec<&'a RawValue>,
    providers: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recent: Option<Vec<&'a RawValue>>,
}

// === impl CostSum ===

impl CostSum {
    pub fn from_counts(counts: &Counts) -> Self {
        Self {
            usd: counts.cost,
            unknown: counts.without_cost,
        }
    }
}

// === impl StatusState ===

impl StatusState {
    pub fn to_json(&self) -> Vec<u8> {
        self.message(None)
    }

    /// The event for a client that was last sent `before`: the changes since then, or
    /// the complete status.
    pub fn event(&self, before: Option<&Self>) -> Bytes {
        // Another snapshot may have other models in these rows.
        let before = before.filter(|before| Arc::ptr_eq(&self.snapshot, &before.snapshot));
        let mut event = match before {
            Some(_) => b"event: change\ndata: ".to_vec(),
            None => b"data: ".to_vec(),
        };
        event.extend(self.message(before));
        event.extend_from_slice(b"\n\n");
        event.into()
    }

    fn message(&self, before: Option<&Self>) -> Vec<u8> {
        let recent = before.is_none_or(|before| !is_same(&before.recent, &self.recent));
        let message = StatusMessage {
            summary: &self.summary,
            models: changed(&self.models, before.map(|before| &*before.models)),
            providers: changed(&self.providers, before.map(|before| &*before.providers)),
            recent: recent.then(|| changed(&self.recent, None)),
        };
        // Serializing strings and numbers cannot fail.
        serde_json::to_vec(&message).unwrap_or_default()
    }
}

/// The changed rows; within one snapshot, a row keeps its index.
fn changed<'a>(rows: &'a [Box<RawValue>], before: Option<&[Box<RawValue>]>) -> Vec<&'a RawValue> {
    let old = |index| before.and_then(|before: &[Box<RawValue>]| before.get(index));
    let rows = rows.iter().enumerate();
    rows.filter(|(index, row)| old(*index).is_none_or(|old| old.get() != row.get()))
        .map(|(_, row)| &**row)
        .collect()
}

fn is_same(one: &[Box<RawValue>], other: &[Box<RawValue>]) -> bool {
    one.len() == other.len() && changed(one, Some(other)).is_empty()
}
