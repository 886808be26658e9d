//! Metrics in the JSON encoding of OTLP (`opentelemetry/proto/metrics/v1/metrics.proto`).

use std::time::SystemTime;

use serde::Serialize;

use super::names::{self, PointAttribute};
use crate::telemetry::metric::{FamilySnapshot, HistogramValue, MetricKind, SampleValue};
use crate::telemetry::otlp::{Int64, Resource, Scope, UnixTime};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: u8 = 2;

/// The time that cumulative values cover.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    start: SystemTime,
    end: SystemTime,
}

/// `ExportMetricsServiceRequest`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricsRequest<'a> {
    resource_metrics: [ResourceMetrics<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics<'a> {
    resource: &'a Resource,
    scope_metrics: [ScopeMetrics<'a>; 1],
}

#[derive(Debug, Serialize)]
struct ScopeMetrics<'a> {
    scope: Scope,
    metrics: Vec<MetricData<'a>>,
}

#[derive(Debug, Serialize)]
struct MetricData<'a> {
    name: &'static str,
    description: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'static str,
    #[serde(flatten)]
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Data<'a> {
    Sum(Sum<'a>),
    Gauge(GaugeData<'a>),
    Histogram(HistogramData<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sum<'a> {
    data_points: Vec<NumberPoint<'a>>,
    aggregation_temporality: u8,
    is_monotonic: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GaugeData<'a> {
    data_points: Vec<NumberPoint<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HistogramData<'a> {
    data_points: Vec<HistogramPoint<'a>>,
    aggregation_temporality: u8,
}

#[derive(Debug, Serialize)]
struct NumberPoint<'a> {
    attributes: Vec<PointAttribute<'a>>,
    #[serde(flatten)]
    window: PointWindow,
    #[serde(flatten)]
    value: Number,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Number {
    AsInt(Int64),
    AsDouble(f64),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HistogramPoint<'a> {
    attributes: Vec<PointAttribute<'a>>,
    #[serde(flatten)]
    window: PointWindow,
    count: Int64,
    sum: f64,
    /// By bucket, then the values above the last bound; not cumulative.
    bucket_counts: Vec<Int64>,
    /// Inclusive upper bounds.
    explicit_bounds: &'static [f64],
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct PointWindow {
    /// None for gauges, which cover no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_unix_nano: Option<UnixTime>,
    time_unix_nano: UnixTime,
}

// === impl Window ===

impl Window {
    /// Not before the start, even if the clock was set back.
    pub(super) fn until_now(start: SystemTime, now: SystemTime) -> Self {
        let end = now.max(start);
        Self { start, end }
    }

    fn cumulative(self) -> PointWindow {
        PointWindow {
            start_time_unix_nano: Some(UnixTime(self.start)),
            time_unix_nano: UnixTime(self.end),
        }
    }

    fn instant(self) -> PointWindow {
        PointWindow {
            start_time_unix_nano: None,
            time_unix_nano: UnixTime(self.end),
        }
    }
}

// === impl MetricsRequest ===

impl<'a> MetricsRequest<'a> {
    pub(super) fn new(
        resource: &'a Resource,
        families: &'a [FamilySnapshot],
        window: Window,
    ) -> Self {
        let metrics = families.iter().map(|family| MetricData {
            name: names::name(family.metric),
            description: family.metric.help,
            unit: names::unit(family.metric),
            data: Data::new(family, window),
        });
        let scope_metrics = ScopeMetrics {
            scope: Scope::TRUNKLINE,
            metrics: metrics.collect(),
        };
        Self {
            resource_metrics: [ResourceMetrics {
                resource,
                scope_metrics: [scope_metrics],
            }],
        }
    }
}

// === impl Data ===

impl<'a> Data<'a> {
    fn new(family: &'a FamilySnapshot, window: Window) -> Self {
        match family.metric.kind {
            MetricKind::Counter | MetricKind::CounterOfParts(_) => Self::Sum(Sum {
                data_points: numbers(family, window.cumulative()),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            MetricKind::Gauge => Self::Gauge(GaugeData {
                data_points: numbers(family, window.instant()),
            }),
            MetricKind::Histogram(bounds) => Self::Histogram(HistogramData {
                data_points: histograms(family, window.cumulative(), bounds),
                aggregation_temporality: CUMULATIVE,
            }),
        }
    }
}

fn numbers(family: &FamilySnapshot, window: PointWindow) -> Vec<NumberPoint<'_>> {
    let points = family.samples.iter().filter_map(|sample| {
        let value = match sample.value {
            SampleValue::Integer(value) => Number::AsInt(int(value)),
            SampleValue::Float(value) => Number::AsDouble(value),
            SampleValue::Histogram(_) => return None,
        };
        Some(NumberPoint {
            attributes: names::attributes(family.metric, &sample.key),
            window,
            value,
        })
    });
    points.collect()
}

/// OTLP's integers are signed.
fn int(value: u64) -> Int64 {
    Int64(value.min(i64::MAX.unsigned_abs()))
}

fn histograms<'a>(
    family: &'a FamilySnapshot,
    window: PointWindow,
    bounds: &'static [f64],
) -> Vec<HistogramPoint<'a>> {
    let points = family.samples.iter().filter_map(|sample| {
        let SampleValue::Histogram(value) = &sample.value else {
            return None;
        };
        let attributes = names::attributes(family.metric, &sample.key);
        Some(histogram(attributes, window, value, bounds))
    });
    points.collect()
}

fn histogram<'a>(
    attributes: Vec<PointAttribute<'a>>,
    window: PointWindow,
    value: &HistogramValue,
    bounds: &'static [f64],
) -> HistogramPoint<'a> {
    HistogramPoint {
        attributes,
        window,
        count: Int64(value.counts.iter().sum()),
        sum: value.sum,
        bucket_counts: value.counts.iter().copied().map(Int64).collect(),
        explicit_bounds: bounds,
    }
}
