//! How things stand, as one caller may see it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::access::Caller;
use crate::catalog::{Cost, Model, Provider};
use crate::config::Price;
use crate::metering::{Counts, Digest, Entry, Fault, Summary, Times};
use crate::proxy::Snapshot;

/// Requests that are shown.
const RECENT: usize = 20;
/// For what is not known, as in metrics.
const UNKNOWN: &str = "unknown";

#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    at: u64,
    uptime_ms: f64,
    draining: bool,
    requests: Requests,
    tokens: Tokens,
    cost: Sum,
    models: Vec<ModelRow<'a>>,
    providers: Vec<ProviderRow<'a>>,
    recent: Vec<RecentRow<'a>>,
}

#[derive(Serialize)]
struct Requests {
    in_flight: u64,
    total: u64,
    failed: u64,
    cancelled: u64,
}

#[derive(Serialize)]
struct Tokens {
    input: u64,
    output: u64,
}

/// What requests cost, as far as it is known.
#[derive(Serialize)]
struct Sum {
    usd: Option<Cost>,
    /// Requests that were answered and are not in the sum.
    unknown: u64,
}

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
    cost: Sum,
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
    last_fault: Option<LastFault>,
}

#[derive(Serialize)]
struct Quantiles {
    count: usize,
    p50: Option<f64>,
    p95: Option<f64>,
}

#[derive(Serialize)]
struct LastFault {
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

/// What time it is, by both clocks.
struct Clock {
    wall: Duration,
    steady: Instant,
}

/// Writes how things stand for this caller, in JSON: of the models only those
/// it may use, of the requests only its own.
pub(super) fn write(text: &mut Vec<u8>, snapshot: &Snapshot, caller: &Caller, draining: bool) {
    let clock = Clock::read();
    let digest = snapshot
        .meters
        .digest(RECENT, |entry| is_own(caller, entry));
    let mut models = snapshot.catalog.models();
    models.retain(|model| caller.may_use(&model.label));
    let providers = by_provider(snapshot, caller, &models, &digest);
    let mut all = Summary::default();
    for summary in providers.values() {
        all.add(summary);
    }
    if caller.key_name().is_none() {
        all.add(&digest.unknown);
    }
    let none = Summary::default();
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        at: clock.time_of(clock.steady),
        uptime_ms: milliseconds(clock.steady.duration_since(digest.since)),
        draining,
        requests: Requests {
            in_flight: all.in_flight,
            total: all.counts.total,
            failed: all.counts.failed,
            cancelled: all.counts.cancelled,
        },
        tokens: Tokens {
            input: all.counts.input_tokens,
            output: all.counts.output_tokens,
        },
        cost: Sum::of(&all.counts),
        models: models
            .iter()
            .map(|model| ModelRow::new(model, digest.models.get(&model.id).unwrap_or(&none)))
            .collect(),
        providers: snapshot
            .catalog
            .providers()
            .iter()
            .filter_map(|it| Some(ProviderRow::new(it, providers.get(&it.id)?, &clock)))
            .collect(),
        recent: digest
            .last
            .iter()
            .map(|entry| RecentRow::new(entry, &clock))
            .collect(),
    };
    // Neither strings and numbers nor a buffer in memory can fail.
    let _ = serde_json::to_writer(text, &status);
}

/// While access is open there are no keys, and everything is everyone's.
fn is_own(caller: &Caller, entry: &Entry) -> bool {
    let key = entry.caller.as_ref().and_then(Caller::key_name);
    key == caller.key_name()
}

/// What became of the caller's models, summed for each of their providers.
fn by_provider(
    snapshot: &Snapshot,
    caller: &Caller,
    models: &[&Model],
    digest: &Digest,
) -> HashMap<usize, Summary> {
    let mut sums: HashMap<usize, Summary> = HashMap::new();
    let mut add = |provider: &Provider, model: usize| {
        let sum = sums.entry(provider.id).or_default();
        if let Some(summary) = digest.models.get(&model) {
            sum.add(summary);
        }
    };
    for model in models {
        add(&model.provider, model.id);
    }
    for provider in snapshot.catalog.providers() {
        if caller.may_use(&format!("{}/*", provider.name)) {
            add(provider, provider.any_model);
        }
    }
    sums
}

impl<'a> ModelRow<'a> {
    fn new(model: &'a Model, summary: &Summary) -> Self {
        Self {
            id: &model.label,
            provider: &model.provider.name,
            upstream_model: &model.upstream_model,
            ready: model.is_ready(),
            missing: model.missing.as_deref(),
            in_flight: summary.in_flight,
            total: summary.counts.total,
            failed: summary.counts.failed,
            first_token_ms: Quantiles::of(&summary.first_token),
            price: model.price(),
            cost: Sum::of(&summary.counts),
        }
    }
}

impl<'a> ProviderRow<'a> {
    fn new(provider: &'a Provider, summary: &Summary, clock: &Clock) -> Self {
        let missing = provider.why_not_ready();
        let fault = summary.fault;
        let state = match (summary.answered, fault.map(|fault| fault.at)) {
            _ if missing.is_some() => "not_configured",
            (None, None) => "unknown",
            (answered, fault) if fault > answered => "failing",
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
            first_byte_ms: Quantiles::of(&summary.first_byte),
            last_fault: fault.map(|fault| LastFault::new(&fault, clock)),
        }
    }
}

impl Sum {
    fn of(counts: &Counts) -> Self {
        Self {
            usd: counts.cost,
            unknown: counts.without_cost,
        }
    }
}

impl Quantiles {
    fn of(times: &Times) -> Self {
        Self {
            count: times.count(),
            p50: times.quantile(50).map(milliseconds),
            p95: times.quantile(95).map(milliseconds),
        }
    }
}

impl LastFault {
    /// Where the code is not ours, the provider has said what was wrong: by a
    /// status, or within a stream.
    fn new(fault: &Fault, clock: &Clock) -> Self {
        let code = match fault.code {
            Some(code) => code.into(),
            None if fault.status < 400 => "upstream_error".into(),
            None => format!("http_{}", fault.status).into(),
        };
        Self {
            at: clock.time_of(fault.at),
            code,
        }
    }
}

impl<'a> RecentRow<'a> {
    fn new(entry: &'a Entry, clock: &Clock) -> Self {
        let model = entry.model.as_deref();
        let upstream_model = entry.upstream_model.as_ref();
        let usage = entry.usage.unwrap_or_default();
        Self {
            at: clock.time_of(entry.ended),
            id: entry.request_id.as_str(),
            endpoint: entry.endpoint.label(),
            model: model.map_or(UNKNOWN, |model| &model.label),
            provider: model.map_or(UNKNOWN, |model| &model.provider),
            upstream_model: upstream_model
                .and_then(|name| name.to_str().ok())
                .or(model.map(|model| &*model.upstream_model))
                .unwrap_or_default(),
            status: entry.status,
            outcome: entry.outcome.label(),
            stream: entry.streams,
            first_token_ms: entry.first_token.map(milliseconds),
            duration_ms: milliseconds(entry.duration),
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost_usd: entry.cost,
        }
    }
}

impl Clock {
    fn read() -> Self {
        Self {
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            steady: Instant::now(),
        }
    }

    /// Milliseconds since 1970. What happened is remembered by the steady
    /// clock, which costs a request nothing more, and told by the other.
    fn time_of(&self, at: Instant) -> u64 {
        let ago = self.steady.saturating_duration_since(at);
        let millis = self.wall.saturating_sub(ago).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
