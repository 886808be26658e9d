//! Metrics: their table, the handles that count, and the text of a scrape.
//!
//! The code counts through the handles of the crate `metrics`. They are created with a
//! snapshot, or when a worker first counts in a series, and kept: a request looks
//! nothing up.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString};

mod cells;
pub mod label;
mod process;
#[cfg(feature = "protobuf")]
mod protobuf;
mod store;
mod table;
mod text;

pub use cells::HistogramValue;
pub use store::{FamilySnapshot, Sample, SampleValue};
pub use table::*;

use crate::wall_clock;
use label::LabelValues;
use store::{HandleKind, Store, StoreRecorder};
use text::FamilyWriter;

/// In bytes.
const WRITE_SIZE: usize = 16 * 1024;
const METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, None);

/// Metrics that are computed at each scrape, and have no handles.
pub trait ComputedMetrics: Send + Sync {
    /// In any order.
    fn compute(&self) -> Vec<FamilySnapshot>;
}

/// Creates handles. One for the process, or for a test.
#[derive(Clone)]
pub struct Registry {
    store: Arc<Store>,
    computed: Arc<Mutex<Option<Arc<dyn ComputedMetrics>>>>,
    recorder: Arc<dyn Recorder + Send + Sync>,
    local_recorder: Arc<dyn Recorder + Send + Sync>,
    created: SystemTime,
    #[cfg(feature = "protobuf")]
    native: Arc<protobuf::Native>,
}

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        let store = Arc::new(Store::new());
        let recorder = |handles| {
            let store = Arc::clone(&store);
            Arc::new(StoreRecorder { store, handles })
        };
        Self {
            computed: Arc::default(),
            recorder: recorder(HandleKind::Shared),
            local_recorder: recorder(HandleKind::Local),
            store,
            created: wall_clock::now(),
            #[cfg(feature = "protobuf")]
            native: protobuf::Native::start(),
        }
    }

    /// Counts in `recorder`, and renders nothing.
    #[must_use]
    pub fn with_recorder(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        table::describe(&recorder);
        let recorder = Arc::new(recorder);
        Self {
            store: Arc::new(Store::new()),
            computed: Arc::default(),
            local_recorder: Arc::clone(&recorder) as _,
            recorder,
            created: wall_clock::now(),
            #[cfg(feature = "protobuf")]
            native: protobuf::Native::start(),
        }
    }

    /// Creates handles that must each have a single writer: those of a worker.
    #[must_use]
    pub fn local(&self) -> Self {
        Self {
            recorder: Arc::clone(&self.local_recorder),
            ..self.clone()
        }
    }

    pub fn counter(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder
            .register_counter(&key(metric, labels), &METADATA)
    }

    pub fn gauge(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder
            .register_gauge(&key(metric, labels), &METADATA)
    }

    pub fn histogram(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Histogram {
        let key = key(metric, labels);
        let histogram = self.recorder.register_histogram(&key, &METADATA);
        #[cfg(feature = "protobuf")]
        let histogram = self.native.with(histogram, &key);
        histogram
    }

    /// When counting began: at the start of the process.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// Reads the metrics of the process from the operating system.
    pub fn collect_process(&self) {
        process::collect(self);
    }

    /// Replaces those of before.
    pub fn set_computed(&self, metrics: Arc<dyn ComputedMetrics>) {
        let mut computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner);
        *computed = Some(metrics);
    }

    /// Ends the series of a metric whose first label has a value for which `is_kept` is
    /// false. What their handles count from now on is not shown.
    pub fn retain(&self, metric: &Metric, is_kept: impl Fn(&str) -> bool) {
        self.store.retain(metric, |key| {
            let first = key.labels().next();
            first.is_none_or(|label| is_kept(label.value()))
        });
    }

    /// The metrics that have series, in the order of the table. Each is read when the
    /// iterator reaches it; the computed ones, at once.
    pub fn snapshots(&self) -> impl Iterator<Item = FamilySnapshot> {
        let computed = {
            let computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner);
            computed.clone()
        };
        let computed = computed.map(|it| it.compute());
        self.store.snapshots(computed.unwrap_or_default())
    }

    /// The labels and the count of each series of a counter; of a counter of parts, in
    /// parts.
    #[must_use]
    pub fn counts(&self, metric: &Metric) -> Vec<(Key, u64)> {
        self.store.counts(metric)
    }

    /// Writes all series, and those of the process, in the Prometheus text format.
    ///
    /// # Errors
    ///
    /// Those of `output`.
    pub fn write_text(&self, output: &mut impl Write) -> io::Result<()> {
        self.collect_process();
        let mut text = String::new();
        for family in self.snapshots() {
            let mut writer = FamilyWriter::start(&mut text, family.metric);
            for sample in &family.samples {
                writer.write(&mut text, sample);
                if text.len() >= WRITE_SIZE {
                    output.write_all(text.as_bytes())?;
                    text.clear();
                }
            }
        }
        output.write_all(text.as_bytes())
    }

    /// As [`Self::write_text`].
    #[cfg(test)]
    pub(crate) fn render(&self) -> String {
        let mut text = Vec::new();
        self.write_text(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Registry")
    }
}

fn key(metric: &Metric, labels: &[(&'static str, &str)]) -> Key {
    debug_assert!(
        metric.labels.len() == labels.len(),
        "{} with undeclared labels {labels:?}",
        metric.name
    );
    let labels = metric.labels.iter().zip(labels);
    let labels = labels.map(|(declared, (name, value))| {
        debug_assert_eq!(declared.name, *name, "undeclared label of {}", metric.name);
        Label::new(*name, label_value(declared, value))
    });
    Key::from_parts(metric.name, labels.collect::<Vec<_>>())
}

/// The table's own string where the label has one, so that it is not copied.
fn label_value(label: &label::Label, value: &str) -> SharedString {
    if let LabelValues::OneOf(values) = label.values {
        let known = values.iter().find(|(known, _)| *known == value);
        debug_assert!(
            known.is_some(),
            "undeclared value of {}: {value}",
            label.name
        );
        if let Some((known, _)) = known {
            return SharedString::const_str(known);
        }
    }
    value.to_owned().into()
}

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;
