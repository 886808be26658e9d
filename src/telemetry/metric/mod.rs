//! Every metric's name, kind, unit and help in one table, and the registry
//! that makes handles of them.
//!
//! Names follow Prometheus' conventions (base units, `_total`), label values
//! come from the config alone: no input can make a new series.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{TextEncoder, proto};

mod series;

pub use series::{Counter, CounterPart, Gauge, GaugePart, Histogram, HistogramPart};

use series::Series;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Full name, as it is scraped.
    pub name: &'static str,
    /// What it counts or measures.
    pub kind: Kind,
    /// What its series are told apart by.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Only grows; counted in picodollars (10⁻¹² US dollars) and shown in
    /// dollars. It begins again from zero at 18.4 million dollars, which
    /// readers take for a restart.
    Dollars,
    /// Goes up and down.
    Gauge,
    /// Times, spread over buckets with these upper bounds in microseconds.
    Histogram(&'static [u64]),
}

/// From milliseconds to ten minutes: whole requests and waits for a model.
const WAITS: &[u64] = &[
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
/// Between two events of a stream.
const GAPS: &[u64] = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];
/// Our own share, in tens of microseconds.
const OVERHEADS: &[u64] = &[25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000];

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
        /// Every metric there is.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    REQUESTS = "trunkline_requests_total", Kind::Counter, ["endpoint", "model", "provider", "status", "outcome"],
        "API requests that came to their end, by endpoint, model, provider, status class and outcome.";
    REQUEST_DURATION = "trunkline_request_duration_seconds", Kind::Histogram(WAITS), ["model", "provider"],
        "From the first byte of a request to the last byte of its answer.";
    TIME_TO_FIRST_BYTE = "trunkline_time_to_first_byte_seconds", Kind::Histogram(WAITS), ["model", "provider"],
        "From a request to the head of the upstream's answer.";
    TIME_TO_FIRST_TOKEN = "trunkline_time_to_first_token_seconds", Kind::Histogram(WAITS), ["model", "provider"],
        "From a request to the first data event of its stream; comments do not count.";
    STREAM_GAP = "trunkline_stream_gap_seconds", Kind::Histogram(GAPS), ["model", "provider"],
        "Between two pieces of a stream.";
    OVERHEAD = "trunkline_overhead_seconds", Kind::Histogram(OVERHEADS),
        "Time a request spent in Trunkline itself, waits for caller and upstream left out.";
    TOKENS = "trunkline_tokens_total", Kind::Counter, ["model", "provider", "kind"],
        "Tokens as the upstream reported them, by kind: input, output, cached, reasoning.";
    COST = "trunkline_cost_usd_total", Kind::Dollars, ["model", "provider"],
        "US dollars that the tokens of requests cost by the price table; requests without a price are not in it.";
    ATTEMPTS = "trunkline_attempts_total", Kind::Counter, ["model", "provider", "result"],
        "Requests sent or tried to be sent to a provider, by result.";
    RETRIES = "trunkline_retries_total", Kind::Counter, ["model", "provider", "after"],
        "Attempts that followed a failed one, by the provider they went to and how the one before had failed.";
    FALLBACKS = "trunkline_fallbacks_total", Kind::Counter, ["model", "provider"],
        "Answers of another model than the one asked for.";
    AFFINITY = "trunkline_affinity_total", Kind::Counter, ["model", "provider", "result"],
        "First attempts of models with affinity, by where they went and whether they belong there.";
    HEDGES = "trunkline_hedges_total", Kind::Counter, ["model", "provider", "result"],
        "Second attempts that were due while the first one was silent, by the provider they went to and result.";
    TARGETS_EJECTED = "trunkline_targets_ejected", Kind::Gauge, ["provider"],
        "Targets of a provider that are left out because they failed.";
    PROVIDER_HEALTHY = "trunkline_provider_healthy", Kind::Gauge, ["provider"],
        "1 while a provider that is asked whether it is well says so, else 0.";
    HEALTH_CHECKS = "trunkline_health_checks_total", Kind::Counter, ["provider", "result"],
        "Times that a provider was asked whether it is well, by result.";
    DISCOVERIES = "trunkline_discoveries_total", Kind::Counter, ["provider", "result"],
        "Times that a provider was asked which models it has, by result.";
    EJECTIONS = "trunkline_ejections_total", Kind::Counter, ["provider", "reason"],
        "Times that a target was left out, by provider and reason.";
    REQUESTS_IN_FLIGHT = "trunkline_requests_in_flight", Kind::Gauge,
        "API requests that have begun and not ended.";
    STREAMS_IN_FLIGHT = "trunkline_streams_in_flight", Kind::Gauge,
        "Event streams that have begun and not ended.";
    TUNNELS_IN_FLIGHT = "trunkline_tunnels_in_flight", Kind::Gauge,
        "WebSockets that have begun and not ended.";
    BYTES_IN = "trunkline_request_bytes_total", Kind::Counter,
        "Bytes of request bodies received from callers, and of WebSockets passed upstream.";
    BYTES_OUT = "trunkline_response_bytes_total", Kind::Counter,
        "Bytes of response bodies, and of WebSockets, passed to callers.";
    UPSTREAM_CONNECTIONS = "trunkline_upstream_connections", Kind::Gauge, ["provider"],
        "Connections open to a provider.";
    UPSTREAM_CONNECTS = "trunkline_upstream_connects_total", Kind::Counter, ["provider", "result"],
        "Connections opened to a provider, by result.";
    CONNECTIONS = "trunkline_connections", Kind::Gauge,
        "Connections open from callers.";
    CONNECTION_ERRORS = "trunkline_connection_errors_total", Kind::Counter, ["kind"],
        "Connections from callers that ended in a fault, by kind.";
    BUFFERED_BYTES = "trunkline_buffered_bytes", Kind::Gauge,
        "Bytes of request bodies held in memory.";
    SHED = "trunkline_shed_total", Kind::Counter, ["reason"],
        "Requests and connections refused because a limit was reached, by reason.";
    LOG_LINES_LOST = "trunkline_log_lines_lost_total", Kind::Counter,
        "Log lines dropped because standard output did not keep up.";
    SPANS_LOST = "trunkline_spans_lost_total", Kind::Counter,
        "Spans of traces dropped because no collector took them, or not fast enough.";
    PANICS = "trunkline_panics_total", Kind::Counter,
        "Faults of our own that ended a task; each is a bug to report.";
    RELOADS = "trunkline_config_reloads_total", Kind::Counter, ["result"],
        "Times that the configuration was read anew, by result: applied, rejected, unchanged.";
    GENERATION = "trunkline_config_generation", Kind::Gauge,
        "Number of the configuration in force: 1 at the start, and one more with each reload that was applied.";
    GENERATIONS_HELD = "trunkline_config_generations_held", Kind::Gauge,
        "Configurations in memory: the one in force, and older ones that requests without an answer yet began with.";
    RELOAD_SUCCESSFUL = "trunkline_config_last_reload_successful", Kind::Gauge,
        "1 when the configuration, as it was last read, is in force; 0 when it was rejected.";
    RELOAD_TIME = "trunkline_config_last_reload_success_timestamp_seconds", Kind::Gauge,
        "When the configuration in force came into force, in seconds since 1970.";
    BUILD_INFO = "trunkline_build_info", Kind::Gauge, ["version"],
        "Always 1; the version is in the label.";
}

/// Where handles come from. One per process, or one per test.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Families>>);

/// The series of each metric, by name and labels. Hashed: a search among the
/// labels of ten thousand aliases took as long as a request.
type Families = BTreeMap<&'static str, Family>;
type Family = HashMap<Labels, Arc<Series>>;
type Labels = Box<[(&'static str, Box<str>)]>;

impl Registry {
    /// A registry with no series in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this row with these labels.
    #[must_use]
    pub fn counter(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Counter {
        Counter(self.series(metric, labels))
    }

    /// The gauge of this row with these labels.
    #[must_use]
    pub fn gauge(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Gauge {
        Gauge(self.series(metric, labels))
    }

    /// The histogram of this row with these labels.
    #[must_use]
    pub fn histogram(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Histogram {
        Histogram(self.series(metric, labels))
    }

    /// The text that Prometheus scrapes.
    #[must_use]
    pub fn render(&self) -> String {
        let families = self.families();
        let families: Vec<_> = ALL
            .iter()
            .filter_map(|metric| Some((metric, families.get(metric.name)?)))
            .map(|(metric, series)| family(metric, series))
            .collect();
        // It refuses families without a name or a series, which these are not.
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
                Kind::Counter | Kind::Dollars | Kind::Gauge => Series::one(),
                Kind::Histogram(bounds) => Series::spread(bounds),
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

// ===== Rendering =====

fn family(metric: &Metric, series: &Family) -> proto::MetricFamily {
    let mut series: Vec<_> = series.iter().collect();
    series.sort_unstable_by_key(|(labels, _)| *labels);
    let mut family = proto::MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        Kind::Counter | Kind::Dollars => proto::MetricType::COUNTER,
        Kind::Gauge => proto::MetricType::GAUGE,
        Kind::Histogram(_) => proto::MetricType::HISTOGRAM,
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
            Kind::Counter => sample.set_counter(counter(series.sum() as f64)),
            Kind::Dollars => sample.set_counter(counter(series.sum() as f64 / 1e12)),
            Kind::Gauge => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(series.sum().cast_signed() as f64);
                sample.set_gauge(gauge);
            }
            Kind::Histogram(_) => sample.set_histogram(histogram(series)),
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
    // What lies above the last bound.
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
