//! `GET /trunkline/operator`: what concerns all clients, for those that are operators:
//! limits, spending by key and team, and the last failed requests.
//!
//! As the admin listener's `/limits` and the ledger, it names keys, teams and users, and
//! has no credential, no address and no content of a request or a response.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::limits::RuleView;
use super::response::{json_no_store, reject};
use super::router::{ResponseFuture, immediate};
use super::status::clock::StatusClock;
use crate::access::Caller;
use crate::error_response;
use crate::limits::{LimitClock, QuotaReport, RuleReport};
use crate::metering::RequestRecord;
use crate::proxy::{ResponseBody, Snapshot, Worker};
use crate::telemetry::metric::Registry;

mod spending;

use spending::Spending;

/// Those of which the largest share is used.
const MAX_LIMITS: usize = 100;
const MAX_FAILURES: usize = 20;
/// Views of one worker that are read at a time: with many users, each takes memory.
const MAX_READERS: usize = 2;

/// Where the view is read from, besides the snapshot.
#[derive(Debug)]
pub struct OperatorSources {
    registry: Registry,
    ledger: Option<PathBuf>,
    readers: Arc<Semaphore>,
}

#[derive(Serialize)]
struct OperatorView {
    at: u64,
    limits: Vec<RuleView>,
    /// Subjects that are not among `limits`.
    more_limits: usize,
    spending: Spending,
    failures: Vec<FailureRow>,
}

#[derive(Serialize)]
struct FailureRow {
    at: u64,
    id: Box<str>,
    key: Option<Box<str>>,
    endpoint: &'static str,
    model: Option<Box<str>>,
    provider: Option<Box<str>>,
    status: u16,
    outcome: &'static str,
    /// Of an error of our own.
    code: Option<&'static str>,
}

pub fn view<B>(worker: &Worker, sources: &OperatorSources, request: &Request<B>) -> ResponseFuture {
    let headers = request.headers();
    let admitted = worker.snapshot.gate.admit(headers, request.extensions());
    let refusal = match admitted {
        Ok(caller) if caller.is_operator() => None,
        Ok(_) => Some(error_response::not_operator()),
        Err(denied) => Some(denied.into()),
    };
    if let Some(refusal) = refusal {
        return immediate(reject(worker, headers, refusal));
    }
    let (snapshot, headers) = (Arc::clone(&worker.snapshot), headers.clone());
    let (registry, ledger) = (sources.registry.clone(), sources.ledger.clone());
    let readers = Arc::clone(&sources.readers);
    Box::pin(async move {
        // Never closed.
        let _permit = readers.acquire_owned().await.ok();
        // Reads a database, and there may be very many users.
        let read = spawn_blocking(move || {
            let spending = Spending::read(&registry, ledger.as_deref());
            OperatorView::read(&snapshot, spending).to_json()
        });
        // An error is a panic, which is logged.
        read.await
            .map_or_else(|_| failed(), |text| json_no_store(text, &headers))
    })
}

fn failed() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full("internal error\n".into()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

// === impl OperatorSources ===

impl OperatorSources {
    pub fn new(registry: &Registry, ledger: Option<PathBuf>) -> Self {
        Self {
            registry: registry.clone(),
            ledger,
            readers: Arc::new(Semaphore::new(MAX_READERS)),
        }
    }
}

// === impl OperatorView ===

impl OperatorView {
    fn read(snapshot: &Snapshot, spending: Spending) -> Self {
        let clock = StatusClock::read();
        let mut reports = snapshot.client_limits.report(LimitClock::now());
        reports.sort_by_cached_key(|report| Reverse(used_share(report)));
        let more_limits = reports.len().saturating_sub(MAX_LIMITS);
        reports.truncate(MAX_LIMITS);
        let failures = snapshot.metrics.last_failures(MAX_FAILURES);
        let failures = failures.iter().map(|it| FailureRow::new(it, &clock));
        Self {
            at: clock.unix_millis(clock.monotonic),
            limits: reports.into_iter().map(RuleView::from).collect(),
            more_limits,
            spending,
            failures: failures.collect(),
        }
    }

    fn to_json(&self) -> Vec<u8> {
        // Serializing strings and numbers cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Of the amount that is used most, in millionths.
fn used_share(report: &RuleReport) -> u128 {
    let share = |quota: &QuotaReport| {
        let limit = u128::from(quota.limit.max(1));
        u128::from(quota.used) * 1_000_000 / limit
    };
    report.quotas.iter().map(share).max().unwrap_or_default()
}

// === impl FailureRow ===

impl FailureRow {
    fn new(record: &RequestRecord, clock: &StatusClock) -> Self {
        let model = record.model.as_deref();
        let key = record.caller.as_ref().and_then(Caller::key_name);
        Self {
            at: clock.unix_millis(record.ended),
            id: record.request_id.as_str().into(),
            key: key.map(Into::into),
            endpoint: record.endpoint.label(),
            model: model.map(|it| (&*it.label).into()),
            provider: model.map(|it| (&*it.provider).into()),
            status: record.status,
            outcome: record.outcome.label(),
            code: record.code,
        }
    }
}
