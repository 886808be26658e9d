//! The table of metrics.
//!
//! Names follow Prometheus' conventions (base units, `_total`). Label values come from
//! the configuration and from [`label`] only: no input can create a series.

use metrics::{Recorder, Unit, describe_counter, describe_gauge, describe_histogram};

use super::label::{self, Label};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub unit: Unit,
    pub labels: &'static [Label],
    /// One sentence.
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    Counter,
    /// Counted in this many parts of its unit, since counters hold integers. Wraps at
    /// 2⁶⁴ parts, which Prometheus treats as a restart.
    CounterOfParts(f64),
    Gauge,
    /// With these inclusive upper bounds.
    Histogram(&'static [f64]),
}

/// Of a dollar: 18.4 million dollars fit.
pub const PICODOLLARS: f64 = 1e12;
/// Of a second.
pub const NANOSECONDS: f64 = 1e9;

/// From milliseconds to ten minutes (complete requests).
const LATENCY_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// Between two frames of a stream.
const GAP_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// The gateway's own time.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.000_025, 0.000_05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05,
];
/// Waits for a client's own limit: `wait` is seconds to minutes.
const LIMIT_WAIT_BUCKETS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0,
];
/// Round trips to the store, which requests may wait for, for 250 ms by default.
const STORE_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];
/// What was used of what was expected.
const RATIO_BUCKETS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0,
];
/// Of `gen_ai.client.token.usage` (OpenTelemetry's semantic conventions for generative AI
/// metrics).
const TOKEN_BUCKETS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

macro_rules! table {
    ($($constant:ident = $name:literal, $kind:expr, $unit:ident, $([$($label:expr),*],)? $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: $kind,
                unit: Unit::$unit,
                labels: &[$($($label),*)?],
                help: $help,
            };
        )*
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    REQUESTS = "trunkline_requests_total", MetricKind::Counter, Count, [label::ENDPOINT, label::MODEL, label::PROVIDER, label::status::LABEL, label::outcome::LABEL],
        "Finished API requests.";
    REQUEST_DURATION = "trunkline_request_duration_seconds", MetricKind::Histogram(LATENCY_BUCKETS), Seconds, [label::MODEL, label::PROVIDER],
        "From the request head to the last byte of the response.";
    TIME_TO_FIRST_BYTE = "trunkline_time_to_first_byte_seconds", MetricKind::Histogram(LATENCY_BUCKETS), Seconds, [label::MODEL, label::PROVIDER],
        "From the request head to the upstream's response head.";
    TIME_TO_FIRST_TOKEN = "trunkline_time_to_first_token_seconds", MetricKind::Histogram(LATENCY_BUCKETS), Seconds, [label::MODEL, label::PROVIDER],
        "From the request head to the first data event of a stream; comments do not count.";
    STREAM_GAP = "trunkline_stream_gap_seconds", MetricKind::Histogram(GAP_BUCKETS), Seconds, [label::MODEL, label::PROVIDER],
        "Between two frames of a stream.";
    OVERHEAD = "trunkline_overhead_seconds", MetricKind::Histogram(OVERHEAD_BUCKETS), Seconds,
        "Time of a request in Trunkline itself, without waits for the client and the upstream.";
    TOKENS = "trunkline_tokens_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER, label::token_kind::LABEL],
        "Tokens as reported by the upstream, by kind.";
    REQUEST_TOKENS = "trunkline_request_tokens", MetricKind::Histogram(TOKEN_BUCKETS), Count, [label::MODEL, label::PROVIDER, label::request_token_kind::LABEL],
        "Tokens of a request as reported by the upstream, by kind; only while `metrics.otlp` is on.";
    COST = "trunkline_cost_usd_total", MetricKind::CounterOfParts(PICODOLLARS), Count, [label::MODEL, label::PROVIDER],
        "Cost of requests in US dollars by the price table; requests without a price are not included.";
    KEY_TOKENS = "trunkline_key_tokens_total", MetricKind::Counter, Count, [label::KEY, label::TEAM, label::token_kind::LABEL],
        "Tokens as reported by the upstream, by client key, its team and kind.";
    KEY_COST = "trunkline_key_cost_usd_total", MetricKind::CounterOfParts(PICODOLLARS), Count, [label::KEY, label::TEAM],
        "Cost of requests in US dollars, by client key and its team; requests without a price are not included.";
    LIMIT_USED_RATIO = "trunkline_limit_used_ratio", MetricKind::Gauge, Count, [label::RULE, label::SUBJECT, label::LIMIT_OF, label::LIMIT_PERIOD],
        "Share of a limit's amount that is used or reserved: 1 is all of it, more is a debt.";
    LIMIT_REMAINING = "trunkline_limit_remaining", MetricKind::Gauge, Count, [label::RULE, label::SUBJECT, label::LIMIT_OF, label::LIMIT_PERIOD],
        "What is left of a limit's amount: requests, tokens, or US dollars of a budget.";
    LIMIT_RESERVED = "trunkline_limit_reserved", MetricKind::Gauge, Count, [label::RULE, label::SUBJECT, label::LIMIT_OF, label::LIMIT_PERIOD],
        "What requests in flight have reserved of a limit's amount for a day or longer.";
    LIMIT_DEBT = "trunkline_limit_debt", MetricKind::Gauge, Count, [label::RULE, label::LIMIT_OF, label::LIMIT_PERIOD],
        "What was used beyond a limit's amount, since requests used more than was expected of them; of all its subjects.";
    LIMIT_SUBJECTS = "trunkline_limit_subjects", MetricKind::Gauge, Count, [label::RULE],
        "Subjects that have amounts of their own under a limit.";
    LIMIT_SUBJECTS_DROPPED = "trunkline_limit_subjects_dropped_total", MetricKind::Counter, Count, [label::RULE],
        "Subjects that were forgotten at `max_subjects`, with what they had used.";
    LIMIT_WAITING = "trunkline_limit_waiting", MetricKind::Gauge, Count, [label::RULE],
        "Requests that wait for a limit.";
    LIMIT_WAITS = "trunkline_limit_waits_seconds", MetricKind::Histogram(LIMIT_WAIT_BUCKETS), Seconds, [label::RULE],
        "How long requests that passed have waited for a limit.";
    LIMIT_REFUSED = "trunkline_limit_refused_total", MetricKind::Counter, Count, [label::RULE, label::LIMIT_OF],
        "Requests that a limit refused.";
    LIMIT_OBSERVED = "trunkline_limit_observed_total", MetricKind::Counter, Count, [label::RULE, label::LIMIT_OF],
        "Requests that a limit with `at_limit = \"observe\"` would have refused.";
    LIMIT_FALLBACKS = "trunkline_limit_fallbacks_total", MetricKind::Counter, Count, [label::RULE, label::MODEL],
        "Requests that a limit sent to another model, by that model.";
    LIMIT_ESTIMATED = "trunkline_limit_estimated_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER],
        "Requests that were charged to limits by an estimate, since no usage came.";
    LIMIT_ESTIMATE_RATIO = "trunkline_limit_estimate_ratio", MetricKind::Histogram(RATIO_BUCKETS), Count, [label::ESTIMATE_OF],
        "What a request used of what was expected of it, by limits that count tokens or money.";
    LIMIT_UNCHECKED = "trunkline_limit_unchecked_total", MetricKind::Counter, Count,
        "Requests that passed a limit with `without = \"open\"` unchecked, since the store was away.";
    LIMIT_STORE_UP = "trunkline_limit_store_up", MetricKind::Gauge, Count,
        "1 while the store responds, 0 while it is away; only with a `[store]`.";
    LIMIT_BORROW = "trunkline_limit_borrow_seconds", MetricKind::Histogram(STORE_BUCKETS), Seconds,
        "Time from sending calls to the store, many at once, to their responses.";
    LIMIT_STORE_CALLS = "trunkline_limit_store_calls_total", MetricKind::Counter, Count,
        "Calls to the store.";
    LIMIT_STORE_ERRORS = "trunkline_limit_store_errors_total", MetricKind::Counter, Count,
        "Calls that the store refused, and failures to reach it.";
    STORE_OBJECTS = "trunkline_store_objects_total", MetricKind::Counter, Count, [label::store_object_result::LABEL],
        "Locations of objects that were written to the store, and requests whose objects were looked up there, by result.";
    ATTEMPTS = "trunkline_attempts_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER, label::attempt_result::LABEL],
        "Attempts at a provider, by result.";
    RETRIES = "trunkline_retries_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER, label::AFTER],
        "Retries, by the provider they went to and the result of the previous attempt.";
    FALLBACKS = "trunkline_fallbacks_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER],
        "Responses of a fallback model.";
    AFFINITY = "trunkline_affinity_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER, label::affinity_result::LABEL],
        "First attempts of models with affinity, by the provider they went to and result.";
    HEDGES = "trunkline_hedges_total", MetricKind::Counter, Count, [label::MODEL, label::PROVIDER, label::hedge_result::LABEL],
        "Hedged attempts that were due, by the provider they went to and result.";
    TARGETS_EJECTED = "trunkline_targets_ejected", MetricKind::Gauge, Count, [label::PROVIDER],
        "Targets of a provider that are ejected.";
    PROVIDER_HEALTHY = "trunkline_provider_healthy", MetricKind::Gauge, Count, [label::PROVIDER],
        "1 while the health checks of a provider pass, else 0.";
    HEALTH_CHECKS = "trunkline_health_checks_total", MetricKind::Counter, Count, [label::PROVIDER, label::health_check_result::LABEL],
        "Health checks, by result.";
    DISCOVERIES = "trunkline_discoveries_total", MetricKind::Counter, Count, [label::PROVIDER, label::discovery_result::LABEL],
        "Fetches of a provider's model list, by result.";
    EJECTIONS = "trunkline_ejections_total", MetricKind::Counter, Count, [label::PROVIDER, label::ejection_reason::LABEL],
        "Ejections of targets, by reason.";
    REQUESTS_IN_FLIGHT = "trunkline_requests_in_flight", MetricKind::Gauge, Count,
        "API requests in flight.";
    STREAMS_IN_FLIGHT = "trunkline_streams_in_flight", MetricKind::Gauge, Count,
        "Event streams in flight.";
    WEBSOCKETS_OPEN = "trunkline_websockets_open", MetricKind::Gauge, Count,
        "Open WebSockets.";
    BYTES_IN = "trunkline_request_bytes_total", MetricKind::Counter, Bytes,
        "Bytes of request bodies, and of WebSockets towards the upstream.";
    BYTES_OUT = "trunkline_response_bytes_total", MetricKind::Counter, Bytes,
        "Bytes of response bodies, and of WebSockets towards the client.";
    UPSTREAM_CONNECTIONS = "trunkline_upstream_connections", MetricKind::Gauge, Count, [label::PROVIDER],
        "Open connections to a provider.";
    UPSTREAM_CONNECTS = "trunkline_upstream_connects_total", MetricKind::Counter, Count, [label::PROVIDER, label::connect_result::LABEL],
        "Connection attempts to a provider, by result.";
    CONNECTIONS = "trunkline_connections", MetricKind::Gauge, Count,
        "Open client connections.";
    CONNECTION_ERRORS = "trunkline_connection_errors_total", MetricKind::Counter, Count, [label::connection_error::LABEL],
        "Errors of client connections, by kind.";
    BUFFERED_BYTES = "trunkline_buffered_bytes", MetricKind::Gauge, Bytes,
        "Bytes of request bodies in memory.";
    SHED = "trunkline_shed_total", MetricKind::Counter, Count, [label::shed_reason::LABEL],
        "Requests and connections rejected because a limit was reached, by reason.";
    LOG_LINES_DROPPED = "trunkline_log_lines_dropped_total", MetricKind::Counter, Count,
        "Log lines dropped because standard output did not keep up.";
    SPANS_DROPPED = "trunkline_spans_dropped_total", MetricKind::Counter, Count,
        "Spans dropped because no collector accepted them in time.";
    METRIC_EXPORTS = "trunkline_metric_exports_total", MetricKind::Counter, Count, [label::metric_export_result::LABEL],
        "Exports of all metrics to a collector, by result.";
    LEDGER_UP = "trunkline_ledger_up", MetricKind::Gauge, Count,
        "1 while the ledger is written, 0 while it cannot be; only with `ledger.path`.";
    LEDGER_IN_USE = "trunkline_ledger_in_use", MetricKind::Gauge, Count,
        "1 while another process writes the ledger, such as the one that this one takes over from.";
    LEDGER_SET_ASIDE_TIME = "trunkline_ledger_last_set_aside_timestamp_seconds", MetricKind::Gauge, Seconds,
        "When a damaged ledger was set aside last, and a new one begun; 0 for never.";
    LEDGER_ERRORS = "trunkline_ledger_errors_total", MetricKind::Counter, Count,
        "Failures to open or write the ledger, one a second while it lasts.";
    LEDGER_REQUESTS_LOST = "trunkline_ledger_requests_lost_total", MetricKind::Counter, Count,
        "Requests that are missing in the ledger, since it could not be written for too long.";
    PANICS = "trunkline_panics_total", MetricKind::Counter, Count,
        "Panics; each is a bug to report.";
    RELOADS = "trunkline_config_reloads_total", MetricKind::Counter, Count, [label::reload_result::LABEL],
        "Configuration reloads, by result.";
    GENERATION = "trunkline_config_generation", MetricKind::Gauge, Count,
        "Generation of the configuration: 1 at the start, plus 1 for each applied reload.";
    GENERATIONS_HELD = "trunkline_config_generations_held", MetricKind::Gauge, Count,
        "Configurations in memory: the current one, and older ones that requests still use.";
    RELOAD_SUCCESSFUL = "trunkline_config_last_reload_successful", MetricKind::Gauge, Count,
        "1 when the last reload was applied, 0 when it was rejected.";
    RELOAD_TIME = "trunkline_config_last_reload_success_timestamp_seconds", MetricKind::Gauge, Seconds,
        "When the current configuration was applied, in seconds since 1970.";
    BUILD_INFO = "trunkline_build_info", MetricKind::Gauge, Count, [label::VERSION],
        "Always 1; the version is a label.";
    PROCESS_CPU = "process_cpu_seconds_total", MetricKind::CounterOfParts(NANOSECONDS), Seconds,
        "User and system CPU time of the process.";
    PROCESS_MEMORY = "process_resident_memory_bytes", MetricKind::Gauge, Bytes,
        "Resident memory of the process.";
    PROCESS_OPEN_FDS = "process_open_fds", MetricKind::Gauge, Count,
        "Open file descriptors of the process.";
    PROCESS_MAX_FDS = "process_max_fds", MetricKind::Gauge, Count,
        "Limit of open file descriptors.";
    PROCESS_START_TIME = "process_start_time_seconds", MetricKind::Gauge, Seconds,
        "When the process started, in seconds since 1970.";
}

/// Describes every metric of the table to `recorder`.
pub(super) fn describe(recorder: &dyn Recorder) {
    metrics::with_local_recorder(recorder, || {
        for metric in ALL {
            let Metric {
                name, unit, help, ..
            } = *metric;
            match metric.kind {
                MetricKind::Counter | MetricKind::CounterOfParts(_) => {
                    describe_counter!(name, unit, help);
                }
                MetricKind::Gauge => describe_gauge!(name, unit, help),
                MetricKind::Histogram(_) => describe_histogram!(name, unit, help),
            }
        }
    });
}
