//! Reads the status that one client may see.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::clock::StatusClock;
use super::state::{CostSum, RequestCounts, StatusState, StatusSummary, TokenCounts};
use super::targets::{self, TargetRow};
use crate::access::Caller;
use crate::catalog::{Cost, Model, Provider};
use crate::config::Price;
use crate::metering::{HistorySummary, LatencySamples, ProviderError, RequestRecord, StatsSummary};
use crate::proxy::Snapshot;

const MAX_RECENT: usize = 20;
/// Label of unknown models, as in metrics.
const UNKNOWN: &str = "unknown";

#[derive(Serialize)]
struct ModelRow<'a> {
    id: &'a str,
    provider: &'a str,
    upstream_model: &'a str,
    ready: bool,
    missing: Option<&'a str>,
    in_flight: u64,
    total: u64,
    failed: u64,
    first_token_ms: Quantiles,
    price: Option<&'a Price>,
    context: Option<usize>,
    cost: CostSum,
    targets: Vec<TargetRow<'a>>,
}

#[derive(Serialize)]
struct ProviderRow<'a> {
    name: &'a str,
    ready: bool,
    missing: Option<Box<str>>,
    state: &'static str,
    in_flight: u64,
    total: u64,
    failed: u64,
    first_byte_ms: Quantiles,
    last_error: Option<LastError>,
}

#[derive(Serialize)]
struct Quantiles {
    count: usize,
    p50: Option<f64>,
    p95: Option<f64>,
}

#[derive(Serialize)]
struct LastError {
    at: u64,
    code: Cow<'static, str>,
}

#[derive(Serialize)]
struct RecentRow<'a> {
    at: u64,
    id: &'a str,
    endpoint: &'static str,
    model: &'a str,
    provider: &'a str,
    upstream_model: &'a str,
    status: u16,
    outcome: &'static str,
    stream: bool,
    first_token_ms: Option<f64>,
    duration_ms: f64,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cost_usd: Option<Cost>,
}

/// The status with only the models that the client may use, and only its own
/// requests.
pub fn read(snapshot: &Arc<Snapshot>, caller: &Caller, draining: bool) -> StatusState {
    let clock = StatusClock::read();
    let history = snapshot
        .metrics
        .history_summary(MAX_RECENT, |record| is_own(caller, record));
    let mut models = snapshot.catalog.models();
    models.retain(|model| caller.may_use(&model.label));
    let providers = by_provider(snapshot, caller, &models, &history);
    let mut all = StatsSummary::default();
    for summary in providers.values() {
        all.add(summary);
    }
    if caller.key_name().is_none() {
        all.add(&history.unknown);
    }
    StatusState {
        snapshot: Arc::clone(snapshot),
        summary: StatusSummary {
            version: env!("CARGO_PKG_VERSION"),
            at: clock.unix_millis(clock.monotonic),
            uptime_ms: milliseconds(clock.monotonic.duration_since(history.since)),
            draining,
            discovers: snapshot.catalog.always_discovers(),
            operator: caller.is_operator(),
            requests: RequestCounts {
                in_flight: all.in_flight,
                total: all.counts.total,
                failed: all.counts.failed,
                cancelled: all.counts.cancelled,
            },
            tokens: TokenCounts {
                input: all.counts.input_tokens,
                output: all.counts.output_tokens,
            },
            cost: CostSum::from_counts(&all.counts),
        },
        models: models
            .iter()
            .map(|model| to_raw(&ModelRow::new(model, snapshot, &history, &clock)))
            .collect(),
        providers: snapshot
            .catalog
            .providers()
            .iter()
            .filter_map(|it| {
                Some(to_raw(&ProviderRow::new(
                    it,
                    providers.get(&it.id)?,
                    &clock,
                )))
            })
            .collect(),
        recent: history
            .recent
            .iter()
            .map(|record| to_raw(&RecentRow::new(record, &clock)))
            .collect(),
    }
}

/// Serializing strings and numbers cannot fail.
fn to_raw(row: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(row).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// While access is open, no request has a key, so all are shown.
fn is_own(caller: &Caller, record: &RequestRecord) -> bool {
    let key = record.caller.as_ref().and_then(Caller::key_name);
    key == caller.key_name()
}

/// The counts of the client's models, summed by provider.
fn by_provider(
    snapshot: &Snapshot,
    caller: &Caller,
    models: &[&Model],
    history: &HistorySummary,
) -> HashMap<usize, StatsSummary> {
    let mut sums: HashMap<usize, StatsSummary> = HashMap::new();
    let mut add = |provider: &Provider, model: Option<usize>| {
        let sum = sums.entry(provider.id).or_default();
        if let Some(summary) = model.and_then(|id| history.models.get(&id)) {
            sum.add(summary);
        }
    };
    for model in models {
        add(&model.provider, Some(model.id));
        // Providers of its other targets are listed even without requests.
        for target in &model.targets {
            add(&target.provider, None);
        }
        for target in &model.unavailable {
            add(&target.provider, None);
        }
    }
    for provider in snapshot.catalog.providers() {
        if caller.may_use(&format!("{}/*", provider.name)) {
            add(provider, Some(provider.wildcard_model));
        }
    }
    sums
}

// === impl ModelRow ===

impl<'a> ModelRow<'a> {
    fn new(
        model: &'a Model,
        snapshot: &Snapshot,
        history: &HistorySummary,
        clock: &StatusClock,
    ) -> Self {
        let none = StatsSummary::default();
        let summary = history.models.get(&model.id).unwrap_or(&none);
        Self {
            id: &model.label,
            provider: &model.provider.name,
            upstream_model: &model.upstream_model,
            ready: model.is_ready(),
            missing: model.missing.as_deref(),
            in_flight: summary.in_flight,
            total: summary.counts.total,
            failed: summary.counts.failed,
            first_token_ms: Quantiles::from_samples(&summary.first_token),
            price: model.price(),
            context: model.context,
            cost: CostSum::from_counts(&summary.counts),
            targets: targets::rows(model, &snapshot.fleet, clock),
        }
    }
}

// === impl ProviderRow ===

impl<'a> ProviderRow<'a> {
    fn new(provider: &'a Provider, summary: &StatsSummary, clock: &StatusClock) -> Self {
        let missing = provider.missing_setting();
        let error = summary.last_error;
        let state = match (summary.last_success, error.map(|error| error.at)) {
            _ if missing.is_some() => "not_configured",
            (None, None) => "unknown",
            (success, error) if error > success => "failing",
            _ => "ok",
        };
        Self {
            name: &provider.name,
            ready: missing.is_none(),
            missing,
            state,
            in_flight: summary.in_flight,
            total: summary.counts.total,
            failed: summary.counts.failed,
            first_byte_ms: Quantiles::from_samples(&summary.first_byte),
            last_error: error.map(|error| LastError::new(&error, clock)),
        }
    }
}

// === impl Quantiles ===

impl Quantiles {
    fn from_samples(times: &LatencySamples) -> Self {
        Self {
            count: times.count(),
            p50: times.quantile(50).map(milliseconds),
            p95: times.quantile(95).map(milliseconds),
        }
    }
}

// === impl LastError ===

impl LastError {
    /// Without a code of our own, the error came from the provider: as a status, or
    /// within a stream.
    fn new(error: &ProviderError, clock: &StatusClock) -> Self {
        let code = match error.code {
            Some(code) => code.into(),
            None if error.status < 400 => "upstream_error".into(),
            None => format!("http_{}", error.status).into(),
        };
        Self {
            at: clock.unix_millis(error.at),
            code,
        }
    }
}

// === impl RecentRow ===

impl<'a> RecentRow<'a> {
    fn new(record: &'a RequestRecord, clock: &StatusClock) -> Self {
        let model = record.model.as_deref();
        let upstream_model = record.upstream_model.as_ref();
        let usage = record.usage.as_deref().copied().unwrap_or_default();
        Self {
            at: clock.unix_millis(record.ended),
            id: record.request_id.as_str(),
            endpoint: record.endpoint.label(),
            model: model.map_or(UNKNOWN, |model| &model.label),
            provider: model.map_or(UNKNOWN, |model| &model.provider),
            upstream_model: upstream_model
                .and_then(|name| name.to_str().ok())
                .or(model.map(|model| &*model.upstream_model))
                .unwrap_or_default(),
            status: record.status,
            outcome: record.outcome.label(),
            stream: record.is_stream,
            first_token_ms: record.first_token.map(milliseconds),
            duration_ms: milliseconds(record.duration),
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost_usd: record.cost,
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
