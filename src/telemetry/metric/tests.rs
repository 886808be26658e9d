use std::sync::Arc;
use std::time::Duration;

use metrics::Unit;

use super::store::{HandleKind, Store, StoreRecorder};
use super::{
    ALL, CONNECTIONS, COST, ComputedMetrics, FamilySnapshot, LIMIT_REFUSED, LIMIT_WAITING, Metric,
    MetricKind, OVERHEAD, PANICS, RELOADS, REQUESTS_IN_FLIGHT, Registry, Sample, SampleValue,
    TIME_TO_FIRST_BYTE, TOKENS,
};

#[test]
fn names_are_well_formed_and_unique() {
    let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        let Metric { name, unit, .. } = *metric;
        let is_ours = name.starts_with("trunkline_") || name.starts_with("process_");
        assert!(is_ours, "{name}");
        let is_counter = matches!(
            metric.kind,
            MetricKind::Counter | MetricKind::CounterOfParts(_)
        );
        assert_eq!(is_counter, name.ends_with("_total"), "{name}");
        let stem = name.strip_suffix("_total").unwrap_or(name);
        if unit != Unit::Count {
            assert!(stem.ends_with(unit.as_str()), "{name} in {unit:?}");
        }
        assert!(metric.help.ends_with('.'), "{name}");
        if let MetricKind::Histogram(bounds) = metric.kind {
            assert!(bounds.is_sorted(), "{name}");
        }
    }
}

/// Labels of a series of [`TOKENS`].
const LABELS: [(&str, &str); 3] = [("model", "a\"\\b\n"), ("provider", "p"), ("kind", "input")];

#[test]
fn renders_buckets_not_quantiles() {
    let registry = Registry::new();
    registry.counter(&TOKENS, &LABELS).increment(2);
    let labels = [("model", "a\"b"), ("provider", "p,\"")];
    let histogram = registry.local().histogram(&TIME_TO_FIRST_BYTE, &labels);
    for milliseconds in [200, 250, 251, 1_000_000] {
        histogram.record(Duration::from_millis(milliseconds));
    }
    let text = registry.render();
    for line in [
        "# HELP trunkline_tokens_total Tokens as reported by the upstream, by kind.",
        "# TYPE trunkline_tokens_total counter",
        r#"trunkline_tokens_total{model="a\"\\b\n",provider="p",kind="input"} 2"#,
        "# TYPE trunkline_time_to_first_byte_seconds histogram",
        r#"trunkline_time_to_first_byte_seconds_bucket{model="a\"b",provider="p,\"",le="0.1"} 0"#,
        r#"trunkline_time_to_first_byte_seconds_bucket{model="a\"b",provider="p,\"",le="0.25"} 2"#,
        r#"trunkline_time_to_first_byte_seconds_bucket{model="a\"b",provider="p,\"",le="0.5"} 3"#,
        r#"trunkline_time_to_first_byte_seconds_bucket{model="a\"b",provider="p,\"",le="600"} 3"#,
        r#"trunkline_time_to_first_byte_seconds_bucket{model="a\"b",provider="p,\"",le="+Inf"} 4"#,
        r#"trunkline_time_to_first_byte_seconds_sum{model="a\"b",provider="p,\""} 1000.701"#,
        r#"trunkline_time_to_first_byte_seconds_count{model="a\"b",provider="p,\""} 4"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn bucket_bounds_are_rendered_in_seconds() {
    let registry = Registry::new();
    let _handle = registry.histogram(&OVERHEAD, &[]);
    let text = registry.render();
    assert!(text.contains("{le=\"0.000025\"} 0"), "{text}");
}

#[test]
fn parts_are_counted_and_units_exposed() {
    let registry = Registry::new();
    let labels = [("model", "m"), ("provider", "p")];
    let shared = registry.counter(&COST, &labels);
    let [one, other] = [0; 2].map(|_| registry.local().counter(&COST, &labels));
    for _ in 0..1_000_000 {
        one.increment(100_000);
    }
    other.increment(2_000_000_000_000);
    shared.increment(1);
    drop(other);
    let line = "trunkline_cost_usd_total{model=\"m\",provider=\"p\"} 2.100000000001\n";
    let text = registry.render();
    assert!(text.contains(line), "{text}");
}

#[test]
fn local_cells_add_up_after_threads_have_ended() {
    let registry = Registry::new();
    let (shared, kept) = (
        registry.counter(&PANICS, &[]),
        registry.local().counter(&PANICS, &[]),
    );
    kept.increment(1);
    let threads = [10, 100].map(|amount| {
        let counter = registry.local().counter(&PANICS, &[]);
        std::thread::spawn(move || counter.increment(amount))
    });
    for thread in threads {
        thread.join().unwrap();
    }
    shared.increment(1000);
    for expected in [1111, 1112] {
        let text = registry.render();
        let line = format!("trunkline_panics_total {expected}\n");
        assert!(text.contains(&line), "{text}");
        kept.increment(1);
    }
}

#[test]
fn dropped_histograms_keep_their_values() {
    let registry = Registry::new();
    let (kept, dropped) = (
        registry.local().histogram(&OVERHEAD, &[]),
        registry.local().histogram(&OVERHEAD, &[]),
    );
    kept.record(0.25);
    dropped.record(0.5);
    drop(dropped);
    for _ in 0..2 {
        let text = registry.render();
        assert!(
            text.contains("trunkline_overhead_seconds_sum 0.75\n"),
            "{text}"
        );
        assert!(
            text.contains("trunkline_overhead_seconds_count 2\n"),
            "{text}"
        );
    }
}

#[test]
fn one_local_handle_may_decrement_what_another_incremented() {
    let registry = Registry::new();
    let [one, other] = [0; 2].map(|_| registry.local().gauge(&REQUESTS_IN_FLIGHT, &[]));
    one.increment(3);
    other.decrement(1);
    let shared = registry.gauge(&CONNECTIONS, &[]);
    shared.decrement(1);
    let text = registry.render();
    assert!(text.contains("trunkline_requests_in_flight 2\n"), "{text}");
    assert!(text.contains("trunkline_connections -1\n"), "{text}");
    drop(one);
    other.decrement(2);
    let text = registry.render();
    assert!(text.contains("trunkline_requests_in_flight 0\n"), "{text}");
}

#[test]
fn metrics_outside_the_table_are_not_counted() {
    let store = Arc::new(Store::new());
    let recorder = StoreRecorder {
        store: Arc::clone(&store),
        handles: HandleKind::Shared,
    };
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("other_total").increment(1);
        metrics::counter!(PANICS.name).increment(1);
    });
    let names = store.snapshots(Vec::new()).map(|family| family.metric.name);
    assert_eq!(names.collect::<Vec<_>>(), [PANICS.name]);
}

/// Requests that wait for these rules.
struct Waiting(&'static [&'static str]);

impl ComputedMetrics for Waiting {
    fn compute(&self) -> Vec<FamilySnapshot> {
        let samples = self.0.iter().map(|rule| {
            let value = SampleValue::Float(2.0);
            Sample::new(&LIMIT_WAITING, &[("rule", rule)], value)
        });
        vec![FamilySnapshot {
            metric: &LIMIT_WAITING,
            samples: samples.collect(),
        }]
    }
}

#[test]
fn computed_metrics_stand_in_the_order_of_the_table() {
    let registry = Registry::new();
    registry.counter(&TOKENS, &LABELS).increment(1);
    registry.counter(&PANICS, &[]).increment(1);
    let names = || {
        let names = registry.snapshots().map(|it| it.metric.name);
        let own = names.filter(|name| name.starts_with("trunkline_"));
        own.collect::<Vec<_>>()
    };
    assert_eq!(names(), [TOKENS.name, PANICS.name]);
    registry.set_computed(Arc::new(Waiting(&["a", "b"])));
    assert_eq!(names(), [TOKENS.name, LIMIT_WAITING.name, PANICS.name]);
    let text = registry.render();
    for rule in ["a", "b"] {
        let line = format!("trunkline_limit_waiting{{rule=\"{rule}\"}} 2\n");
        assert!(text.contains(&line), "{text}");
    }
    // Those of before are replaced.
    registry.set_computed(Arc::new(Waiting(&["b"])));
    assert!(!registry.render().contains("rule=\"a\""));
    registry.set_computed(Arc::new(Waiting(&[])));
    assert_eq!(names(), [TOKENS.name, PANICS.name]);
}

#[test]
fn series_that_are_not_retained_end() {
    let registry = Registry::new();
    let counter = |rule| registry.counter(&LIMIT_REFUSED, &[("rule", rule), ("of", "budget")]);
    let [kept, ended] = ["kept", "ended"].map(counter);
    kept.increment(1);
    ended.increment(1);
    registry.retain(&LIMIT_REFUSED, |rule| rule == "kept");
    ended.increment(1);
    let text = registry.render();
    assert!(text.contains("{rule=\"kept\",of=\"budget\"} 1\n"), "{text}");
    assert!(!text.contains("ended"), "{text}");
    counter("ended").increment(5);
    let text = registry.render();
    assert!(
        text.contains("{rule=\"ended\",of=\"budget\"} 5\n"),
        "{text}"
    );
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "undeclared value")]
fn values_outside_the_table_are_a_bug() {
    let labels = [("result", "surprising")];
    let _handle = Registry::new().counter(&RELOADS, &labels);
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_measured() {
    let text = Registry::new().render();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse::<f64>().unwrap()
    };
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds ") >= 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds "));
    assert!(value("process_start_time_seconds") > 1.7e9);
}
