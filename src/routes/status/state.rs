//! How things stood at one moment, and what has changed since another.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::catalog::Cost;
use crate::metering::Counts;
use crate::proxy::Snapshot;

/// How things stand for one caller. The rows are written out: what has changed
/// is then seen at once, and is not written again.
#[derive(Debug)]
pub struct State {
    pub snapshot: Arc<Snapshot>,
    pub head: Head,
    pub models: Vec<Box<RawValue>>,
    pub providers: Vec<Box<RawValue>>,
    pub recent: Vec<Box<RawValue>>,
}

/// What is always told.
#[derive(Debug, Serialize)]
pub struct Head {
    pub version: &'static str,
    pub at: u64,
    pub uptime_ms: f64,
    pub draining: bool,
    pub discovers: bool,
    pub requests: Requests,
    pub tokens: Tokens,
    pub cost: Sum,
}

#[derive(Debug, Serialize)]
pub struct Requests {
    pub in_flight: u64,
    pub total: u64,
    pub failed: u64,
    pub cancelled: u64,
}

#[derive(Debug, Serialize)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
}

/// What requests cost, as far as it is known.
#[derive(Debug, Serialize)]
pub struct Sum {
    usd: Option<Cost>,
    /// Requests that were answered and are not in the sum.
    unknown: u64,
}

/// A status as it is sent: whole, or what is not as it was.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    head: &'a Head,
    models: Vec<&'a RawValue>,
    providers: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recent: Option<Vec<&'a RawValue>>,
}

impl Sum {
    pub fn of(counts: &Counts) -> Self {
        Self {
            usd: counts.cost,
            unknown: counts.without_cost,
        }
    }
}

impl State {
    /// All of it, in JSON.
    pub fn whole(&self) -> Vec<u8> {
        self.told(None)
    }

    /// The event for a caller who was last told `before`: all of it, or what
    /// has changed since.
    pub fn event(&self, before: Option<&Self>) -> Bytes {
        // Other models may be there then, and some gone.
        let before = before.filter(|before| Arc::ptr_eq(&self.snapshot, &before.snapshot));
        let mut event = match before {
            Some(_) => b"event: change\ndata: ".to_vec(),
            None => b"data: ".to_vec(),
        };
        event.extend(self.told(before));
        event.extend_from_slice(b"\n\n");
        event.into()
    }

    fn told(&self, before: Option<&Self>) -> Vec<u8> {
        let recent = before.is_none_or(|before| !is_same(&before.recent, &self.recent));
        let told = Told {
            head: &self.head,
            models: changed(&self.models, before.map(|before| &*before.models)),
            providers: changed(&self.providers, before.map(|before| &*before.providers)),
            recent: recent.then(|| changed(&self.recent, None)),
        };
        // Neither strings and numbers nor a buffer in memory can fail.
        serde_json::to_vec(&told).unwrap_or_default()
    }
}

/// The rows that are not as they were. Those of one snapshot keep their places.
fn changed<'a>(rows: &'a [Box<RawValue>], before: Option<&[Box<RawValue>]>) -> Vec<&'a RawValue> {
    let was = |place| before.and_then(|before: &[Box<RawValue>]| before.get(place));
    let rows = rows.iter().enumerate();
    rows.filter(|(place, row)| was(*place).is_none_or(|was| was.get() != row.get()))
        .map(|(_, row)| &**row)
        .collect()
}

fn is_same(one: &[Box<RawValue>], other: &[Box<RawValue>]) -> bool {
    one.len() == other.len() && changed(one, Some(other)).is_empty()
}
