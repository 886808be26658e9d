//! The table of metrics, and the registry of their handles.
//!
//! Names follow Prometheus' conventions (base units, `_total`). Label values come from
//! the configuration only: no input can create a series.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{TextEncoder, proto};

mod series;

pub use series::{Counter, Gauge, Histogram, LocalCounter, LocalGauge, LocalHistogram};

use series::Series;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    Counter,
    /// Counted in picodollars (10⁻¹² US dollars), exposed in dollars. Wraps at 18.4
    /// million dollars, which Prometheus treats as a restart.
    CounterPicodollars,
    Gauge,
    /// Durations, with these upper bounds in microseconds.
    Histogram(&'static [u64]),
}

/// From milliseconds to ten minutes (complete requests), in microseconds.
const LATENCY_BUCKETS: &[u64] = &[
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
];
/// Between two frames of a stream, in microseconds.
const GAP_BUCKETS: &[u64] = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];
/// The gateway's own time, in microseconds.
const OVERHEAD_BUCKETS: &[u64] = &[25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000];

macro_rules! table {
    ($($constant:ident = $name:literal, $kind:expr, $([$($label:literal),*],)? $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: $kind,
                labels: &[$($($label),*)?],
                help: $help,
            };
        )*
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    REQUESTS = "trunkline_requests_total", MetricKind::Counter, ["endpoint", "model", "provider", "status", "outcome"],
        "Finished API requests.";
    REQUEST_DURATION = "trunkline_request_duration_seconds", MetricKind::Histogram(LATENCY_BUCKETS), ["model", "provider"],
        "From the request head to the last byte of the response.";
    TIME_TO_FIRST_BYTE = "trunkline_time_to_first_byte_seconds", MetricKind::Histogram(LATENCY_BUCKETS), ["model", "provider"],
        "From the request head to the upstream's response head.";
    TIME_TO_FIRST_TOKEN = "trunkline_time_to_first_token_seconds", MetricKind::Histogram(LATENCY_BUCKETS), ["model", "provider"],
        "From the request head to the first data event of a stream; comments do not count.";
    STREAM_GAP = "trunkline_stream_gap_seconds", MetricKind::Histogram(GAP_BUCKETS), ["model", "provider"],
        "Between two frames of a stream.";
    OVERHEAD = "trunkline_overhead_seconds", MetricKind::Histogram(OVERHEAD_BUCKETS),
        "Time of a request in Trunkline itself, without waits for the client and the upstream.";
    TOKENS = "trunkline_tokens_total", MetricKind::Counter, ["model", "provider", "kind"],
        "Tokens as reported by the upstream, by kind.";
    COST = "trunkline_cost_usd_total", MetricKind::CounterPicodollars, ["model", "provider"],
        "Cost of requests in US dollars by the price table; requests without a price are not included.";
    ATTEMPTS = "trunkline_attempts_total", MetricKind::Counter, ["model", "provider", "result"],
        "Attempts at a provider, by result.";
    RETRIES = "trunkline_retries_total", MetricKind::Counter, ["model", "provider", "after"],
        "Retries, by the provider they went to and the result of the previous attempt.";
    FALLBACKS = "trunkline_fallbacks_total", MetricKind::Counter, ["model", "provider"],
        "Responses of a fallback model.";
    AFFINITY = "trunkline_affinity_total", MetricKind::Counter, ["model", "provider", "result"],
        "First attempts of models with affinity, by the provider they went to and result.";
    HEDGES = "trunkline_hedges_total", MetricKind::Counter, ["model", "provider", "result"],
        "Hedged attempts that were due, by the provider they went to and result.";
    TARGETS_EJECTED = "trunkline_targets_ejected", MetricKind::Gauge, ["provider"],
        "Targets of a provider that are ejected.";
    PROVIDER_HEALTHY = "trunkline_provider_healthy", MetricKind::Gauge, ["provider"],
        "1 while the health checks of a provider pass, else 0.";
    HEALTH_CHECKS = "trunkline_health_checks_total", MetricKind::Counter, ["provider", "result"],
        "Health checks, by result.";
    DISCOVERIES = "trunkline_discoveries_total", MetricKind::Counter, ["provider", "result"],
        "Fetches of a provider's model list, by result.";
    EJECTIONS = "trunkline_ejections_total", MetricKind::Counter, ["provider", "reason"],
        "Ejections of targets, by reason.";
    REQUESTS_IN_FLIGHT = "trunkline_requests_in_flight", MetricKind::Gauge,
        "API requests in flight.";
    STREAMS_IN_FLIGHT = "trunkline_streams_in_flight", MetricKind::Gauge,
        "Event streams in flight.";
    WEBSOCKETS_OPEN = "trunkline_websockets_open", MetricKind::Gauge,
        "Open WebSockets.";
    BYTES_IN = "trunkline_request_bytes_total", MetricKind::Counter,
        "Bytes of request bodies, and of WebSockets towards the upstream.";
    BYTES_OUT = "trunkline_response_bytes_total", MetricKind::Counter,
        "Bytes of response bodies, and of WebSockets towards the client.";
    UPSTREAM_CONNECTIONS = "trunkline_upstream_connections", MetricKind::Gauge, ["provider"],
        "Open connections to a provider.";
    UPSTREAM_CONNECTS = "trunkline_upstream_connects_total", MetricKind::Counter, ["provider", "result"],
        "Connection attempts to a provider, by result.";
    CONNECTIONS = "trunkline_connections", MetricKind::Gauge,
        "Open client connections.";
    CONNECTION_ERRORS = "trunkline_connection_errors_total", MetricKind::Counter, ["kind"],
        "Errors of client connections, by kind.";
    BUFFERED_BYTES = "trunkline_buffered_bytes", MetricKind::Gauge,
        "Bytes of request bodies in memory.";
    SHED = "trunkline_shed_total", MetricKind::Counter, ["reason"],
        "Requests and connections rejected because a limit was reached, by reason.";
    LOG_LINES_DROPPED = "trunkline_log_lines_dropped_total", MetricKind::Counter,
        "Log lines dropped because standard output did not keep up.";
    SPANS_DROPPED = "trunkline_spans_dropped_total", MetricKind::Counter,
        "Spans dropped because no collector accepted them in time.";
    PANICS = "trunkline_panics_total", MetricKind::Counter,
        "Panics; each is a bug to report.";
    RELOADS = "trunkline_config_reloads_total", MetricKind::Counter, ["result"],
        "Configuration reloads, by result.";
    GENERATION = "trunkline_config_generation", MetricKind::Gauge,
        "Generation of the configuration: 1 at the start, plus 1 for each applied reload.";
    GENERATIONS_HELD = "trunkline_config_generations_held", MetricKind::Gauge,
        "Configurations in memory: the current one, and older ones that requests still use.";
    RELOAD_SUCCESSFUL = "trunkline_config_last_reload_successful", MetricKind::Gauge,
        "1 when the last reload was applied, 0 when it was rejected.";
    RELOAD_TIME = "trunkline_config_last_reload_success_timestamp_seconds", MetricKind::Gauge,
        "When the current configuration was applied, in seconds since 1970.";
    BUILD_INFO = "trunkline_build_info", MetricKind::Gauge, ["version"],
        "Always 1; the version is a label.";
}

/// Creates metric handles. One for the process, or for a test.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Families>>);

type Families = BTreeMap<&'static str, Family>;
/// A hash map: a tree search among the labels of ten thousand aliases took as long as
/// a request.
type Family = HashMap<Labels, Arc<Series>>;
type Labels = Box<[(&'static str, Box<str>)]>;

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn counter(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Counter {
        Counter(self.series(metric, labels))
    }

    #[must_use]
    pub fn gauge(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Gauge {
        Gauge(self.series(metric, labels))
    }

    #[must_use]
    pub fn histogram(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Histogram {
        Histogram(self.series(metric, labels))
    }

    /// All series in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        let families = self.families();
        let families: Vec<_> = ALL
            .iter()
            .filter_map(|metric| Some((metric, families.get(metric.name)?)))
            .map(|(metric, series)| family(metric, series))
            .collect();
        // Fails only for families without a name or a series.
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }

    fn series(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Arc<Series> {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).into()));
        let mut families = self.families();
        let family = families.entry(metric.name).or_default();
        let series = family
            .entry(labels.collect())
            .or_insert_with(|| match metric.kind {
                MetricKind::Counter | MetricKind::CounterPicodollars | MetricKind::Gauge => {
                    Series::scalar()
                }
                MetricKind::Histogram(bounds) => Series::histogram(bounds),
            });
        Arc::clone(series)
    }

    fn families(&self) -> MutexGuard<'_, Families> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Registry")
    }
}

// === rendering ===

fn family(metric: &Metric, series: &Family) -> proto::MetricFamily {
    let mut series: Vec<_> = series.iter().collect();
    series.sort_unstable_by_key(|(labels, _)| *labels);
    let mut family = proto::MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        MetricKind::Counter | MetricKind::CounterPicodollars => proto::MetricType::COUNTER,
        MetricKind::Gauge => proto::MetricType::GAUGE,
        MetricKind::Histogram(_) => proto::MetricType::HISTOGRAM,
    });
    let samples = series.into_iter().map(|(labels, series)| {
        let pair = |(name, value): &(&str, Box<str>)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.to_string());
            pair
        };
        let mut sample = proto::Metric::from_label(labels.iter().map(pair).collect());
        match metric.kind {
            MetricKind::Counter => sample.set_counter(counter(series.sum() as f64)),
            MetricKind::CounterPicodollars => {
                sample.set_counter(counter(series.sum() as f64 / 1e12));
            }
            MetricKind::Gauge => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(series.sum().cast_signed() as f64);
                sample.set_gauge(gauge);
            }
            MetricKind::Histogram(_) => sample.set_histogram(histogram(series)),
        }
        sample
    });
    family.set_metric(samples.collect());
    family
}

fn counter(value: f64) -> proto::Counter {
    let mut counter = proto::Counter::default();
    counter.set_value(value);
    counter
}

fn histogram(series: &Series) -> proto::Histogram {
    let sums = series.sums();
    let mut counts = sums.iter();
    let nanoseconds = counts.next().copied().unwrap_or_default();
    let mut total = 0;
    let buckets = series.bounds().iter().zip(&mut counts);
    let buckets = buckets.map(|(bound, count)| {
        total += count;
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(*bound as f64 / 1e6);
        bucket.set_cumulative_count(total);
        bucket
    });
    let buckets = buckets.collect();
    // The overflow bucket.
    total += counts.next().copied().unwrap_or_default();
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(total);
    histogram.set_sample_sum(nanoseconds as f64 / 1e9);
    histogram
}

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;
