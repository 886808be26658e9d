//! The series of all metrics, and the recorder that registers handles in them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::cells::{Cell, CounterCell, GaugeCell, HistogramCell, HistogramValue, Local, Series};
use super::table::{ALL, Metric, MetricKind};

/// The series of every metric of the table.
#[derive(Debug)]
pub(super) struct Store {
    counters: Families<CounterCell>,
    gauges: Families<GaugeCell>,
    histograms: Families<HistogramCell>,
}

type Families<C> = HashMap<&'static str, Family<C>>;

/// The series of one metric.
#[derive(Debug)]
struct Family<C> {
    metric: &'static Metric,
    series: Mutex<FamilySeries<C>>,
}

/// In the order of creation, so that scrapes have one order.
type FamilySeries<C> = IndexMap<Key, Arc<Series<C>>>;

/// A metric and the values of its series, in the order of their creation.
#[derive(Debug)]
pub struct FamilySnapshot {
    pub metric: &'static Metric,
    pub samples: Vec<Sample>,
}

/// A series' labels and value.
#[derive(Debug)]
pub struct Sample {
    pub key: Key,
    pub value: SampleValue,
}

#[derive(Debug, PartialEq)]
pub enum SampleValue {
    Integer(u64),
    Float(f64),
    Histogram(HistogramValue),
}

/// Registers handles of one kind in a store.
#[derive(Debug)]
pub(super) struct StoreRecorder {
    pub(super) store: Arc<Store>,
    pub(super) handles: HandleKind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum HandleKind {
    /// For any number of threads.
    Shared,
    /// With a single writer each.
    Local,
}

// === impl Sample ===

impl Sample {
    #[must_use]
    pub fn new(metric: &Metric, labels: &[(&'static str, &str)], value: SampleValue) -> Self {
        let key = super::key(metric, labels);
        Self { key, value }
    }
}

// === impl Store ===

impl Store {
    pub(super) fn new() -> Self {
        let is_counter = |kind| matches!(kind, MetricKind::Counter | MetricKind::CounterOfParts(_));
        Self {
            counters: families(is_counter),
            gauges: families(|kind| kind == MetricKind::Gauge),
            histograms: families(|kind| matches!(kind, MetricKind::Histogram(_))),
        }
    }

    /// The metrics that have series, in the order of the table. Each is read when the
    /// iterator reaches it, unless it is among those that were `computed`.
    pub(super) fn snapshots(
        &self,
        mut computed: Vec<FamilySnapshot>,
    ) -> impl Iterator<Item = FamilySnapshot> {
        let snapshots = ALL.iter().filter_map(move |metric| {
            let mut all = computed.iter();
            match all.position(|family| family.metric.name == metric.name) {
                Some(index) => Some(computed.swap_remove(index)),
                None => self.snapshot(metric),
            }
        });
        snapshots.filter(|family| !family.samples.is_empty())
    }

    /// Ends the series of a metric for which `is_kept` is false. What their handles count
    /// from now on is not shown.
    pub(super) fn retain(&self, metric: &Metric, is_kept: impl Fn(&Key) -> bool) {
        if let Some(family) = self.counters.get(metric.name) {
            family.lock().retain(|key, _| is_kept(key));
        } else if let Some(family) = self.gauges.get(metric.name) {
            family.lock().retain(|key, _| is_kept(key));
        } else if let Some(family) = self.histograms.get(metric.name) {
            family.lock().retain(|key, _| is_kept(key));
        }
    }

    pub(super) fn counts(&self, metric: &Metric) -> Vec<(Key, u64)> {
        let family = self.counters.get(metric.name);
        let samples = family.map_or_else(Vec::new, |it| it.samples(SampleValue::Integer));
        let counts = samples.into_iter();
        counts
            .filter_map(|sample| match sample.value {
                SampleValue::Integer(count) => Some((sample.key, count)),
                SampleValue::Float(_) | SampleValue::Histogram(_) => None,
            })
            .collect()
    }

    fn snapshot(&self, metric: &'static Metric) -> Option<FamilySnapshot> {
        let samples = match metric.kind {
            MetricKind::Counter => self
                .counters
                .get(metric.name)?
                .samples(SampleValue::Integer),
            MetricKind::CounterOfParts(parts) => {
                let in_units = |value| SampleValue::Float(value as f64 / parts);
                self.counters.get(metric.name)?.samples(in_units)
            }
            MetricKind::Gauge => self.gauges.get(metric.name)?.samples(SampleValue::Float),
            MetricKind::Histogram(_) => {
                let family = self.histograms.get(metric.name)?;
                family.samples(SampleValue::Histogram)
            }
        };
        Some(FamilySnapshot { metric, samples })
    }

    fn counter(&self, key: &Key) -> Option<Arc<Series<CounterCell>>> {
        let family = self.counters.get(key.name())?;
        Some(family.series(key, CounterCell::default))
    }

    fn gauge(&self, key: &Key) -> Option<Arc<Series<GaugeCell>>> {
        let family = self.gauges.get(key.name())?;
        Some(family.series(key, GaugeCell::default))
    }

    fn histogram(&self, key: &Key) -> Option<Arc<Series<HistogramCell>>> {
        let family = self.histograms.get(key.name())?;
        let MetricKind::Histogram(bounds) = family.metric.kind else {
            return None;
        };
        Some(family.series(key, || HistogramCell::new(bounds)))
    }
}

fn families<C>(is_included: impl Fn(MetricKind) -> bool) -> Families<C> {
    let included = ALL.iter().filter(|metric| is_included(metric.kind));
    let family = |metric: &'static Metric| Family {
        metric,
        series: Mutex::default(),
    };
    included
        .map(|metric| (metric.name, family(metric)))
        .collect()
}

// === impl Family ===

#[allow(
    clippy::mutable_key_type,
    reason = "the hash of a key does not depend on its atomics (`metrics::Key`, \"Safety\")"
)]
impl<C: Cell> Family<C> {
    fn series(&self, key: &Key, cell: impl FnOnce() -> C) -> Arc<Series<C>> {
        let mut series = self.lock();
        if let Some(found) = series.get(key) {
            return Arc::clone(found);
        }
        let new = Arc::new(Series::new(cell()));
        series.insert(key.to_retained(), Arc::clone(&new));
        new
    }

    /// Locks the family only to list its series: a worker that creates one must not wait
    /// for the scrape of ten thousand.
    fn samples(&self, value: impl Fn(C::Value) -> SampleValue) -> Vec<Sample> {
        let listed: Vec<_> = {
            let series = self.lock();
            let pairs = series.iter();
            pairs
                .map(|(key, it)| (key.clone(), Arc::clone(it)))
                .collect()
        };
        let samples = listed.into_iter().map(|(key, series)| Sample {
            key,
            value: value(series.value()),
        });
        samples.collect()
    }

    fn lock(&self) -> MutexGuard<'_, FamilySeries<C>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl StoreRecorder ===

impl StoreRecorder {
    fn handle<C: Cell, H>(&self, series: Arc<Series<C>>) -> H
    where
        H: From<Arc<Series<C>>> + From<Arc<Local<C>>>,
    {
        match self.handles {
            HandleKind::Shared => series.into(),
            HandleKind::Local => series.local().into(),
        }
    }
}

/// The table describes the metrics, so that descriptions are not kept. A metric that is
/// not in the table is not counted.
impl Recorder for StoreRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let series = self.store.counter(key);
        series.map_or_else(Counter::noop, |series| self.handle(series))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let series = self.store.gauge(key);
        series.map_or_else(Gauge::noop, |series| self.handle(series))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let series = self.store.histogram(key);
        series.map_or_else(Histogram::noop, |series| self.handle(series))
    }
}
