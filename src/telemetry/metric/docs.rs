//! The page of the metrics, written from the table so that it cannot fall
//! behind.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{ALL, Kind, Metric};

const HEAD: &str = "# Metrics

<!-- Written from src/telemetry/metric.rs. To renew it: TRUNKLINE_BLESS=1 cargo test docs_are_current -->

The admin listener serves them at `/metrics` in Prometheus' text format. A series is made when it first
counts something, so one that is absent stands for zero, save a cost, which is then not known. Labels
come from the configuration alone, never from input: `model` is an alias or, where a caller wrote `provider/model`, the provider's entry for such
names, and `unknown` for a name that nobody configured.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
";

const TAIL: &str = "
## Values of labels

| Label | Values |
|---|---|
| `outcome` | `ok`; `client_error`: the request was at fault; `upstream_error`: the provider was; `cancelled`: the caller went away; `client_stalled`: the caller took nothing of its answer for `write_timeout`; `timeout`: a limit in time was reached; `shed`: a limit on load was reached; `internal_error`: we were at fault |
| `status` | class of the status: `2xx`, `4xx`, `5xx` and so on |
| `result` of attempts | `answered`; `unsent`: the provider never got it; `lost`: it may have got it and did not answer; `throttled`; `denied`: our key was refused; `refused`: the request was; `failed` |
| `after` | how the attempt before had ended, in the same words |
| `result` of affinity | `kept` where the request belongs; `moved` on, as that target was left out or had its share; `unknown`: it said nothing to go by |
| `result` of connects | `ok`, `failed` |
| `result` of health checks | `passed`, `failed` |
| `kind` of tokens | `input`, `output`, `cached` (part of the input), `reasoning` (part of the output) |
| `kind` of connection errors | `header_timeout`, `idle_timeout`, `malformed`, `head_too_large`; `tls_handshake`: it failed, was not over in time, or what came was no TLS; `write_timeout`: a caller took nothing of an answer for too long, counted for a connection or, over HTTP/2, for a stream |
| `reason` of shedding | `connections`, `requests_in_flight`, `buffered_bytes`; `provider_in_flight`: no place at a provider |
| `reason` of ejections | `failed`, `throttled`, `denied`, `exhausted` (its rate limit, by the headers of its answers) |

Rules, alerts and a dashboard that build on these are in [deploy/prometheus](../deploy/prometheus) and
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
        Kind::Counter | Kind::Dollars => "counter".to_owned(),
        Kind::Gauge => "gauge".to_owned(),
        Kind::Histogram(bounds) => {
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
