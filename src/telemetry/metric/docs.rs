//! Generates `docs/metrics.md` from the table.

use std::fs;
use std::path::Path;

use super::label::{Label, LabelValues};
use super::{ALL, Metric, MetricKind};
use crate::wire::endpoint::Endpoint;

const HEAD: &str = "# Metrics

<!-- Generated from src/telemetry/metric. To update it: TRUNKLINE_BLESS=1 cargo test docs_are_current -->

The admin listener serves `/metrics` for Prometheus:

```yaml
scrape_configs:
  - job_name: trunkline
    static_configs:
      - targets: [\"127.0.0.1:8081\"]
```

Rules, alerts and a dashboard are in [deploy/prometheus](../deploy/prometheus) and [deploy/grafana](../deploy/grafana).
The format is Prometheus' text format 0.0.4, also for a scraper that prefers another, with gzip where it is accepted. To
send metrics to an OpenTelemetry collector, see [traces](traces.md#send-metrics-to-a-collector).

For native histograms, build Trunkline with `--features protobuf` (which needs `protoc`) and enable them in Prometheus: it
then asks for the protobuf format, whose histograms are native ones only. The rules, alerts and dashboard use `_bucket`
series and have to be adapted. This costs more: each value of a histogram is kept for up to a second, in memory that all
workers write to.

Label values come from the configuration only, never from input: `model` is an alias, the entry `provider/*` for requests
with `provider/model`, or `unknown` for a name that is not configured; `key` is the name of a client key, `team` that of its
team or `none`. The series that the alerts need exist from the start. Another appears when it first counts something: an
absent one means zero, and an absent cost is unknown.

Of [limits](limits.md), `rule` is the name of a rule, and `subject` whose amount it is, such as `key alice`, `team search,
model fast`, or `all` if it is everyone's. Names that clients choose are in no label: the users of a rule, and models that
are not in the configuration, are together as `other`. So are, of each rule, all but the 1,000 subjects that have used the
largest share. Of `other`, the ratio is that of the fullest, the remaining amount that of the one with the least, and the
reserved amount the sum. An amount of 0, which blocks, has no series. The series of a rule end when a reload removes it.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
";

const LABELS: &str = "
## Label values

| Label | Of | Values |
|---|---|---|
";

fn page() -> String {
    let metrics = ALL.iter().map(|metric| {
        let Metric { name, help, .. } = metric;
        let labels = metric
            .labels
            .iter()
            .map(|label| format!("`{}`", label.name));
        let labels = labels.collect::<Vec<_>>().join(", ");
        format!("| `{name}` | {} | {labels} | {help} |\n", kind(metric))
    });
    let labels = enumerated().into_iter().map(|(label, metrics)| {
        let metrics = metrics.iter().map(|metric| format!("`{}`", metric.name));
        let metrics = metrics.collect::<Vec<_>>().join(", ");
        format!("| `{}` | {metrics} | {} |\n", label.name, values(label))
    });
    let (metrics, labels) = (metrics.collect::<String>(), labels.collect::<String>());
    [HEAD, &metrics, LABELS, &labels].concat()
}

/// The labels whose values the table has, each with its metrics.
fn enumerated() -> Vec<(&'static Label, Vec<&'static Metric>)> {
    let mut found: Vec<(&Label, Vec<&Metric>)> = Vec::new();
    for metric in ALL {
        for label in metric.labels {
            let is_same = |known: &Label| known.name == label.name && known.values == label.values;
            if label.values == LabelValues::Configured {
                continue;
            }
            match found.iter_mut().find(|(known, _)| is_same(known)) {
                Some((_, metrics)) => metrics.push(metric),
                None => found.push((label, vec![metric])),
            }
        }
    }
    found
}

fn values(label: &Label) -> String {
    let described = match label.values {
        LabelValues::Configured => Vec::new(),
        LabelValues::Endpoints => {
            let endpoints = Endpoint::ALL.iter();
            endpoints.map(|it| format!("`{}`", it.label())).collect()
        }
        LabelValues::OneOf(values) => {
            let describe = |(value, meaning): &(&str, &str)| match *meaning {
                "" => format!("`{value}`"),
                meaning => format!("`{value}`: {meaning}"),
            };
            values.iter().map(describe).collect()
        }
    };
    described.join("; ")
}

fn kind(metric: &Metric) -> String {
    match metric.kind {
        MetricKind::Counter | MetricKind::CounterOfParts(_) => "counter".to_owned(),
        MetricKind::Gauge => "gauge".to_owned(),
        MetricKind::Histogram(bounds) => {
            let unit = metric.unit.as_canonical_label();
            let (first, last) = (bounds.first().unwrap(), bounds.last().unwrap());
            format!("histogram, {first} to {last} {unit}")
                .trim_end()
                .to_owned()
        }
    }
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
