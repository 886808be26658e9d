//! Generates `docs/metrics.md` from the table.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{ALL, Metric, MetricKind};

const HEAD: &str = "# Metrics

<!-- Generated from src/telemetry/metric. To update it: TRUNKLINE_BLESS=1 cargo test docs_are_current -->

The admin listener serves `/metrics` in the Prometheus text format. A series appears when it first counts
something: an absent one means zero; an absent cost is unknown. Label values come from the
configuration only, never from input: `model` is an alias, the entry `provider/*` for requests with `provider/model`,
or `unknown` for a name that is not configured.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
";

const TAIL: &str = "
## Label values

| Label | Values |
|---|---|
| `outcome` | `ok`; `client_error`: the request was wrong; `upstream_error`: the provider failed; `cancelled`: the client left; `client_stalled`: the client read nothing of its response for `write_timeout`; `timeout`: a timeout expired; `shed`: a load limit was reached; `internal_error`: a bug of Trunkline |
| `status` | status class: `2xx`, `4xx`, `5xx` and so on |
| `result` of attempts | `responded`; `not_sent`: the provider never got the request; `no_response`: it may have received the request, but did not respond; `throttled`; `unauthorized`: it rejected our key; `rejected`: it rejected the request; `failed`; `cancelled`: another attempt responded first |
| `after` | result of the previous attempt, with the same values |
| `result` of affinity | `hit`: the request went to its affine target; `moved`: that target was unavailable or at its load limit; `no_key`: the request has no affinity key |
| `result` of hedges | `won`: the second attempt responded first; `superseded`: the first one did; `failed`; `abandoned`: the client left; `over_budget`: not started, the retry budget was exhausted |
| `result` of connects | `ok`, `failed` |
| `result` of health checks | `passed`, `failed` |
| `result` of discoveries | `found`, `failed` |
| `result` of reloads | `applied`, `rejected`, `unchanged` |
| `kind` of tokens | `input`, `output`, `cached` (part of the input), `reasoning` (part of the output) |
| `kind` of connection errors | `header_timeout`, `idle_timeout`, `malformed`, `header_too_large`; `tls_handshake`: it failed, timed out, or the client did not send TLS; `write_timeout`: the client read nothing of a response for too long, counted for a connection or, over HTTP/2, for a stream |
| `reason` of shedding | `connections`, `requests_in_flight`, `buffered_bytes`, `spooled_bytes`; `provider_in_flight`: the limit of a provider |
| `reason` of ejections | `failed`, `throttled`, `unauthorized`, `rate_limited` (by the rate limit headers of its responses) |

Rules, alerts and a dashboard on these metrics are in [deploy/prometheus](../deploy/prometheus) and
[deploy/grafana](../deploy/grafana).
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for metric in ALL {
        let Metric { name, help, .. } = metric;
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} | {help} |",
            kind(metric),
            labels(metric)
        );
    }
    page + TAIL
}

fn kind(metric: &Metric) -> String {
    match metric.kind {
        MetricKind::Counter | MetricKind::CounterPicodollars => "counter".to_owned(),
        MetricKind::Gauge => "gauge".to_owned(),
        MetricKind::Histogram(bounds) => {
            let seconds = |bound: Option<&u64>| *bound.unwrap() as f64 / 1e6;
            let (first, last) = (seconds(bounds.first()), seconds(bounds.last()));
            format!("histogram, {first} to {last} s")
        }
    }
}

fn labels(metric: &Metric) -> String {
    let names: Vec<_> = metric
        .labels
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    names.join(", ")
}

#[test]
fn docs_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("TRUNKLINE_BLESS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page(),
        "docs/metrics.md is not current; run TRUNKLINE_BLESS=1 cargo test docs_are_current"
    );
}
