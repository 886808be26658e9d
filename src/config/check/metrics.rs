//! `[metrics]`.

use std::time::Duration;

use super::{Checker, traces};
use crate::config::error::KeyPath;
use crate::config::{Collector, MetricExport, Traces, raw};

const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// None when metrics are not exported. `traces` has the collector.
pub fn resolve(
    checker: &mut Checker<'_>,
    raw: &raw::Metrics,
    traces: Option<&Traces>,
) -> Option<MetricExport> {
    let key = |key| KeyPath::new(["metrics", key]);
    let interval = raw.otlp_interval.get();
    if interval < MIN_INTERVAL {
        checker.error(&key("otlp_interval"), "must be at least \"1s\"");
    }
    if !raw.otlp {
        return None;
    }
    let Some(traces) = traces else {
        if !checker.is_pruned(&KeyPath::new(["traces"])) {
            let text = "no collector is named; set traces.endpoint, such as \"http://127.0.0.1:4318\", or the variable that traces.endpoint_env names";
            checker.error(&key("otlp"), text);
        }
        return None;
    };
    Some(MetricExport {
        collector: Collector {
            endpoint: traces::metrics_endpoint(&traces.collector.endpoint),
            ..traces.collector.clone()
        },
        interval,
    })
}
