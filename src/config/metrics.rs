//! `[metrics]`, checked.

use std::time::Duration;

use super::Collector;

/// `[metrics]`: the export over OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricExport {
    pub collector: Collector,
    /// Between two exports.
    pub interval: Duration,
}
