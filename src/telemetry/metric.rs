//! Every metric's name, kind, unit and help in one table, and the registry
//! that makes handles of them.
//!
//! Names follow Prometheus' conventions (base units, `_total`), label values
//! come from the config alone: no input can make a new series.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Full name, as it is scraped.
    pub name: &'static str,
    /// What it counts or measures.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
}

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Seconds, spread over these buckets.
    Histogram(&'static [f64]),
}

/// From a tenth of a millisecond to ten minutes: whole requests and waits for
/// a model.
const WAITS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// Between two events of a stream.
const GAPS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// Our own share, in tens of microseconds.
const OVERHEADS: &[f64] = &[
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
];

macro_rules! table {
    ($($constant:ident = $name:literal, $kind:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric { name: $name, kind: $kind, help: $help };
        )*
        /// Every metric there is.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    REQUESTS = "trunkline_requests_total", Kind::Counter,
        "API requests that came to their end, by endpoint, model, provider, status class and outcome.";
    REQUEST_DURATION = "trunkline_request_duration_seconds", Kind::Histogram(WAITS),
        "From the first byte of a request to the last byte of its answer.";
    TIME_TO_FIRST_BYTE = "trunkline_time_to_first_byte_seconds", Kind::Histogram(WAITS),
        "From a request to the head of the upstream's answer.";
    TIME_TO_FIRST_TOKEN = "trunkline_time_to_first_token_seconds", Kind::Histogram(WAITS),
        "From a request to the first data event of its stream; comments do not count.";
    STREAM_GAP = "trunkline_stream_gap_seconds", Kind::Histogram(GAPS),
        "Between two pieces of a stream.";
    OVERHEAD = "trunkline_overhead_seconds", Kind::Histogram(OVERHEADS),
        "Time a request spent in Trunkline itself, waits for caller and upstream left out.";
    TOKENS = "trunkline_tokens_total", Kind::Counter,
        "Tokens as the upstream reported them, by kind: input, output, cached, reasoning.";
    ATTEMPTS = "trunkline_attempts_total", Kind::Counter,
        "Requests sent or tried to be sent to a provider, by result.";
    RETRIES = "trunkline_retries_total", Kind::Counter,
        "Attempts that followed a failed one, by the provider they went to and how the one before had failed.";
    FALLBACKS = "trunkline_fallbacks_total", Kind::Counter,
        "Answers of another model than the one asked for.";
    TARGETS_EJECTED = "trunkline_targets_ejected", Kind::Gauge,
        "Targets of a provider that are left out because they failed.";
    EJECTIONS = "trunkline_ejections_total", Kind::Counter,
        "Times that a target was left out, by provider and reason.";
    REQUESTS_IN_FLIGHT = "trunkline_requests_in_flight", Kind::Gauge,
        "API requests that have begun and not ended.";
    STREAMS_IN_FLIGHT = "trunkline_streams_in_flight", Kind::Gauge,
        "Event streams that have begun and not ended.";
    BYTES_IN = "trunkline_request_bytes_total", Kind::Counter,
        "Bytes of request bodies received from callers.";
    BYTES_OUT = "trunkline_response_bytes_total", Kind::Counter,
        "Bytes of response bodies passed to callers.";
    UPSTREAM_CONNECTIONS = "trunkline_upstream_connections", Kind::Gauge,
        "Connections open to a provider.";
    UPSTREAM_CONNECTS = "trunkline_upstream_connects_total", Kind::Counter,
        "Connections opened to a provider, by result.";
    CONNECTIONS = "trunkline_connections", Kind::Gauge,
        "Connections open from callers.";
    CONNECTION_ERRORS = "trunkline_connection_errors_total", Kind::Counter,
        "Connections from callers that ended in a fault, by kind.";
    BUFFERED_BYTES = "trunkline_buffered_bytes", Kind::Gauge,
        "Bytes of request bodies held in memory.";
    SHED = "trunkline_shed_total", Kind::Counter,
        "Requests and connections refused because a limit was reached, by reason.";
    LOG_LINES_LOST = "trunkline_log_lines_lost_total", Kind::Counter,
        "Log lines dropped because standard output did not keep up.";
    PANICS = "trunkline_panics_total", Kind::Counter,
        "Faults of our own that ended a task; each is a bug to report.";
    BUILD_INFO = "trunkline_build_info", Kind::Gauge,
        "Always 1; the version is in the label.";
}

/// Where handles come from. One per process, or one per test.
#[derive(Clone)]
pub struct Registry {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

static METADATA: Metadata<'static> =
    Metadata::new("trunkline", Level::INFO, Some("trunkline::telemetry"));

impl Registry {
    /// A registry that knows every row of the table.
    pub fn new() -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Kind::Histogram(buckets) = metric.kind {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
            }
        }
        let recorder = builder.build_recorder();
        for metric in ALL {
            describe(&recorder, metric);
        }
        let handle = recorder.handle();
        Ok(Self {
            recorder: Arc::new(recorder),
            handle,
        })
    }

    /// The counter of this row with these labels.
    pub fn counter(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder
            .register_counter(&key(metric, labels), &METADATA)
    }

    /// The gauge of this row with these labels.
    pub fn gauge(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder
            .register_gauge(&key(metric, labels), &METADATA)
    }

    /// The histogram of this row with these labels.
    pub fn histogram(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder
            .register_histogram(&key(metric, labels), &METADATA)
    }

    /// The text that Prometheus scrapes.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds buffered histogram samples into their buckets. Must run every few
    /// seconds, or the samples pile up until the next scrape.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Registry")
    }
}

fn describe(recorder: &PrometheusRecorder, metric: &Metric) {
    let (name, help) = (metric.name.into(), metric.help.into());
    match metric.kind {
        Kind::Counter => recorder.describe_counter(name, None, help),
        Kind::Gauge => recorder.describe_gauge(name, None, help),
        Kind::Histogram(_) => recorder.describe_histogram(name, Some(Unit::Seconds), help),
    }
}

fn key(metric: &Metric, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(metric.name, labels)
}

#[cfg(test)]
mod tests {
    use super::{ALL, Kind, REQUESTS, Registry, TIME_TO_FIRST_BYTE};

    #[test]
    fn names_are_well_formed_and_unique() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("trunkline_"), "{}", metric.name);
            assert_eq!(
                metric.kind == Kind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn renders_buckets_not_quantiles() {
        let registry = Registry::new().unwrap();
        registry
            .counter(&REQUESTS, &[("model", "a\"b")])
            .increment(2);
        registry.histogram(&TIME_TO_FIRST_BYTE, &[]).record(0.2);
        registry.run_upkeep();
        let text = registry.render();
        assert!(
            text.contains("trunkline_requests_total{model=\"a\\\"b\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("trunkline_time_to_first_byte_seconds_bucket{le=\"0.25\"} 1"),
            "{text}"
        );
    }
}
