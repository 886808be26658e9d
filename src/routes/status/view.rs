//! How things stand, as one caller may see it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::Serialize;
use serde_json::value::RawValue;

use super::state::{Head, Requests, State, Sum, Tokens};
use super::targets::{self, TargetRow};
use crate::access::Caller;
use crate::catalog::{Cost, Model, Provider};
use crate::config::Price;
use crate::metering::{Digest, Entry, Fault, Summary, Times};
use crate::proxy::Snapshot;
use crate::wall_clock;

/// Requests that are shown.
const RECENT: usize = 20;
/// For what is not known, as in metrics.
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
    cost: Sum,
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
pub struct Clock {
    wall: Duration,
    pub steady: Instant,
}

/// How things stand for this caller: of the models only those it may use, of
/// the requests only its own.
pub fn read(snapshot: &Arc<Snapshot>, caller: &Caller, draining: bool) -> State {
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
    State {
        snapshot: Arc::clone(snapshot),
        head: Head {
            version: env!("CARGO_PKG_VERSION"),
            at: clock.time_of(clock.steady),
            uptime_ms: milliseconds(clock.steady.duration_since(digest.since)),
            draining,
            discovers: snapshot.catalog.discovers(),
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
        },
        models: models
            .iter()
            .map(|model| row(&ModelRow::new(model, snapshot, &digest, &clock)))
            .collect(),
        providers: snapshot
            .catalog
            .providers()
            .iter()
            .filter_map(|it| Some(row(&ProviderRow::new(it, providers.get(&it.id)?, &clock))))
            .collect(),
        recent: digest
            .last
            .iter()
            .map(|entry| row(&RecentRow::new(entry, &clock)))
            .collect(),
    }
}

/// Strings and numbers cannot fail to serialise.
fn row(row: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(row).unwrap_or_else(|_| RawValue::NULL.to_owned())
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
    let mut add = |provider: &Provider, model: Option<usize>| {
        let sum = sums.entry(provider.id).or_default();
        if let Some(summary) = model.and_then(|id| digest.models.get(&id)) {
            sum.add(summary);
        }
    };
    for model in models {
        add(&model.provider, Some(model.id));
        // Those of its other targets are told as well, asked or not.
        for target in &model.targets {
            add(&target.provider, None);
        }
        for place in &model.unready {
            add(&place.provider, None);
        }
    }
    for provider in snapshot.catalog.providers() {
        if caller.may_use(&format!("{}/*", provider.name)) {
            add(provider, Some(provider.any_model));
        }
    }
    sums
}

impl<'a> ModelRow<'a> {
    fn new(model: &'a Model, snapshot: &Snapshot, digest: &Digest, clock: &Clock) -> Self {
        let none = Summary::default();
        let summary = digest.models.get(&model.id).unwrap_or(&none);
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
            context: model.context,
            cost: Sum::of(&summary.counts),
            targets: targets::of(model, &snapshot.fleet, clock),
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
            wall: wall_clock::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            steady: Instant::now(),
        }
    }

    /// Milliseconds since 1970. What happened is remembered by the steady
    /// clock, which costs a request nothing more, and told by the other.
    fn time_of(&self, at: Instant) -> u64 {
        let ago = self.steady.saturating_duration_since(at);
        whole_millis(self.wall.saturating_sub(ago))
    }

    /// The same for what is still to come.
    pub fn time_in(&self, rest: Duration) -> u64 {
        whole_millis(self.wall.saturating_add(rest))
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
