//! The Prometheus protobuf format with native histograms, by the recorder of
//! `metrics-exporter-prometheus`.
//!
//! That recorder keeps each value of a histogram until [`Native::start`]'s thread puts it
//! into a bucket, so this costs more than the text format: it is built only with the
//! feature `protobuf`.

use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::thread::{Builder, sleep};
use std::time::Duration;

use metrics::{Histogram, HistogramFn, Key, Recorder};
use metrics_exporter_prometheus::{
    Matcher, NativeHistogramConfig, PrometheusBuilder, PrometheusRecorder,
};
use metrics_util::MetricKindMask;

use super::store::{FamilySnapshot, SampleValue};
use super::table::{self, ALL, MetricKind};
use super::{METADATA, Registry};

/// Of a bucket's bound to that of the one before.
const BUCKET_FACTOR: f64 = 1.1;
/// Per histogram; above it, buckets are merged.
const MAX_BUCKETS: u32 = 160;
/// Of the values that are not in a bucket yet.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A second recorder, of histograms only; other values are copied at a scrape.
#[derive(Debug)]
pub(super) struct Native(PrometheusRecorder);

/// Records into two histograms.
struct Both(Histogram, Histogram);

impl Native {
    pub(super) fn start() -> Arc<Self> {
        // A value that this scrape has not copied belongs to a series that has ended.
        let copied = MetricKindMask::COUNTER | MetricKindMask::GAUGE;
        let mut builder = PrometheusBuilder::new().idle_timeout(copied, Some(Duration::ZERO));
        for metric in ALL {
            let is_histogram = matches!(metric.kind, MetricKind::Histogram(_));
            let config = NativeHistogramConfig::new(BUCKET_FACTOR, MAX_BUCKETS, 0.0);
            if let (true, Ok(config)) = (is_histogram, config) {
                let matcher = Matcher::Full(metric.name.to_owned());
                builder = builder.set_native_histogram_for_metric(matcher, config);
            }
        }
        let recorder = builder.build_recorder();
        table::describe(&recorder);
        let native = Arc::new(Self(recorder));
        let weak = Arc::downgrade(&native);
        let thread = Builder::new().name("metrics".to_owned());
        // Without the thread, values are put into buckets at each scrape.
        let _ = thread.spawn(move || upkeep(&weak));
        native
    }

    /// A handle that records what `counted` records as well.
    pub(super) fn with(&self, counted: Histogram, key: &Key) -> Histogram {
        let native = self.0.register_histogram(key, &METADATA);
        Histogram::from_arc(Arc::new(Both(counted, native)))
    }

    fn copy(&self, family: &FamilySnapshot) {
        for sample in &family.samples {
            match sample.value {
                SampleValue::Integer(value) => {
                    let counter = self.0.register_counter(&sample.key, &METADATA);
                    counter.absolute(value);
                }
                // The exporter's counters are integers: fractions are sent as gauges,
                // which Prometheus stores alike.
                SampleValue::Float(value) => {
                    self.0.register_gauge(&sample.key, &METADATA).set(value);
                }
                SampleValue::Histogram(_) => {}
            }
        }
    }
}

impl Registry {
    /// Writes all series, and those of the process, as length-delimited protobuf.
    ///
    /// # Errors
    ///
    /// Those of `output`.
    pub fn write_protobuf(&self, output: &mut impl Write) -> io::Result<()> {
        self.collect_process();
        for family in self.snapshots() {
            self.native.copy(&family);
        }
        self.native.0.handle().render_protobuf_to_write(output)
    }
}

impl HistogramFn for Both {
    fn record(&self, value: f64) {
        self.0.record(value);
        self.1.record(value);
    }
}

fn upkeep(native: &Weak<Native>) {
    loop {
        sleep(UPKEEP_INTERVAL);
        let Some(native) = native.upgrade() else {
            return;
        };
        native.0.handle().run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LIMIT_REFUSED, PANICS, Registry};

    #[test]
    fn series_that_have_ended_are_not_written() {
        let registry = Registry::new();
        let ended = [("rule", "ended"), ("of", "budget")];
        registry.counter(&LIMIT_REFUSED, &ended).increment(1);
        registry.counter(&PANICS, &[]).increment(1);
        let written = |text: &str| {
            let mut bytes = Vec::new();
            registry.write_protobuf(&mut bytes).unwrap();
            let mut found = bytes.windows(text.len());
            found.any(|it| it == text.as_bytes())
        };
        for _ in 0..2 {
            assert!(written("ended") && written(PANICS.name));
        }
        registry.retain(&LIMIT_REFUSED, |rule| rule != "ended");
        assert!(!written("ended") && written(PANICS.name));
    }
}
