//! The Prometheus text format 0.0.4, written by `metrics-exporter-prometheus`.

use std::fmt::{self, Display, Formatter};

use indexmap::IndexMap;
use metrics::{Key, Unit};
use metrics_exporter_prometheus::LabelSet;
use metrics_exporter_prometheus::formatting::{
    sanitize_label_value, write_help_line, write_metric_line, write_type_line,
};

use super::cells::HistogramValue;
use super::label::LabelValues;
use super::store::{Sample, SampleValue};
use super::table::{Metric, MetricKind};

/// The names have their units already (a test holds it): no suffix has to be looked for
/// in each line.
const NO_UNIT: Option<Unit> = None;

/// Writes the lines of one metric.
///
/// The labels of a series are passed as the one additional label of a line, encoded once:
/// to encode them anew for each bucket takes most of the time of a scrape.
pub(super) struct FamilyWriter<'a> {
    metric: &'a Metric,
    /// Upper bounds of a histogram's buckets, as text.
    bounds: Vec<String>,
    no_labels: LabelSet,
    /// Of the current series: the value of the first label, and the further labels.
    labels: String,
}

/// Labels after the name of the first, without the last quote.
struct Labels<'a> {
    encoded: &'a str,
    /// The last label of a bucket.
    le: Option<&'a str>,
}

impl<'a> FamilyWriter<'a> {
    /// Writes the lines `# HELP` and `# TYPE`.
    pub(super) fn start(buffer: &mut String, metric: &'a Metric) -> Self {
        let (kind, bounds) = match metric.kind {
            MetricKind::Counter | MetricKind::CounterOfParts(_) => ("counter", &[][..]),
            MetricKind::Gauge => ("gauge", &[][..]),
            MetricKind::Histogram(bounds) => ("histogram", bounds),
        };
        write_help_line(buffer, metric.name, NO_UNIT, None, metric.help);
        write_type_line(buffer, metric.name, NO_UNIT, None, kind);
        Self {
            metric,
            bounds: bounds.iter().map(ToString::to_string).collect(),
            no_labels: LabelSet::from_key_and_global(&Key::from_name(""), &IndexMap::new()),
            labels: String::new(),
        }
    }

    /// Writes the lines of one series.
    pub(super) fn write(&mut self, buffer: &mut String, sample: &Sample) {
        self.encode_labels(&sample.key);
        match &sample.value {
            SampleValue::Integer(value) => self.write_line(buffer, None, None, value),
            SampleValue::Float(value) => self.write_line(buffer, None, None, value),
            SampleValue::Histogram(value) => self.write_histogram(buffer, value),
        }
    }

    fn write_histogram(&self, buffer: &mut String, value: &HistogramValue) {
        let mut total = 0;
        let bounds = self.bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, count) in bounds.zip(&value.counts) {
            total += count;
            self.write_line(buffer, Some("bucket"), Some(bound), total);
        }
        self.write_line(buffer, Some("sum"), None, value.sum);
        self.write_line(buffer, Some("count"), None, total);
    }

    fn write_line(
        &self,
        buffer: &mut String,
        suffix: Option<&'static str>,
        le: Option<&str>,
        value: impl Display,
    ) {
        let encoded = &*self.labels;
        let first = self.metric.labels.first().map(|label| label.name);
        let labels = match (first, le) {
            (Some(first), le) => Some((first, Labels { encoded, le })),
            (None, Some(le)) => Some((
                "le",
                Labels {
                    encoded: le,
                    le: None,
                },
            )),
            (None, None) => None,
        };
        write_metric_line(
            buffer,
            self.metric.name,
            suffix,
            &self.no_labels,
            labels,
            value,
            NO_UNIT,
        );
    }

    fn encode_labels(&mut self, key: &Key) {
        self.labels.clear();
        for (index, (label, declared)) in key.labels().zip(self.metric.labels).enumerate() {
            if index > 0 {
                self.labels.extend(["\",", label.key(), "=\""]);
            }
            match declared.values {
                LabelValues::Configured => {
                    self.labels.push_str(&sanitize_label_value(label.value()));
                }
                // Nothing to escape.
                LabelValues::Endpoints | LabelValues::OneOf(_) => {
                    self.labels.push_str(label.value());
                }
            }
        }
    }
}

impl Display for Labels<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.encoded)?;
        if let Some(le) = self.le {
            formatter.write_str("\",le=\"")?;
            formatter.write_str(le)?;
        }
        Ok(())
    }
}
