use std::time::Duration;

use super::{
    ALL, CONNECTIONS, COST, MetricKind, OVERHEAD, REQUESTS, REQUESTS_IN_FLIGHT, Registry,
    TIME_TO_FIRST_BYTE,
};

#[test]
fn names_are_well_formed_and_unique() {
    let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        assert!(metric.name.starts_with("trunkline_"), "{}", metric.name);
        assert_eq!(
            matches!(
                metric.kind,
                MetricKind::Counter | MetricKind::CounterPicodollars
            ),
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        assert!(metric.help.ends_with('.'), "{}", metric.name);
        if let MetricKind::Histogram(bounds) = metric.kind {
            assert!(bounds.is_sorted(), "{}", metric.name);
        }
    }
}

#[test]
fn renders_buckets_not_quantiles() {
    let registry = Registry::new();
    registry
        .counter(&REQUESTS, &[("model", "a\"b")])
        .increment(2);
    let histogram = registry.histogram(&TIME_TO_FIRST_BYTE, &[]).local();
    for milliseconds in [200, 250, 251, 1_000_000] {
        histogram.record(Duration::from_millis(milliseconds));
    }
    let text = registry.render();
    for line in [
        "# TYPE trunkline_requests_total counter",
        "trunkline_requests_total{model=\"a\\\"b\"} 2",
        "# TYPE trunkline_time_to_first_byte_seconds histogram",
        "trunkline_time_to_first_byte_seconds_bucket{le=\"0.1\"} 0",
        "trunkline_time_to_first_byte_seconds_bucket{le=\"0.25\"} 2",
        "trunkline_time_to_first_byte_seconds_bucket{le=\"0.5\"} 3",
        "trunkline_time_to_first_byte_seconds_bucket{le=\"600\"} 3",
        "trunkline_time_to_first_byte_seconds_bucket{le=\"+Inf\"} 4",
        "trunkline_time_to_first_byte_seconds_sum 1000.701",
        "trunkline_time_to_first_byte_seconds_count 4",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn bucket_bounds_are_rendered_in_seconds() {
    let registry = Registry::new();
    let _local = registry.histogram(&OVERHEAD, &[]).local();
    let text = registry.render();
    assert!(text.contains("{le=\"0.000025\"} 0"), "{text}");
}

#[test]
fn picodollars_are_counted_and_dollars_exposed() {
    let registry = Registry::new();
    let shared = registry.counter(&COST, &[("model", "m")]);
    let (one, other) = (shared.local(), shared.local());
    for _ in 0..1_000_000 {
        one.increment(100_000);
    }
    other.increment(2_000_000_000_000);
    shared.increment(1);
    drop(other);
    let text = registry.render();
    for line in [
        "# TYPE trunkline_cost_usd_total counter",
        "trunkline_cost_usd_total{model=\"m\"} 2.100000000001",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn local_cells_add_up_after_threads_have_ended() {
    let registry = Registry::new();
    let shared = registry.counter(&REQUESTS, &[]);
    let kept = shared.local();
    kept.increment(1);
    let threads = [10, 100].map(|amount| {
        let counter = registry.counter(&REQUESTS, &[]);
        std::thread::spawn(move || counter.local().increment(amount))
    });
    for thread in threads {
        thread.join().unwrap();
    }
    shared.increment(1000);
    kept.increment(1);
    assert!(
        registry
            .render()
            .contains("trunkline_requests_total 1112\n"),
        "{}",
        registry.render()
    );
}

#[test]
fn one_local_handle_may_decrement_what_another_incremented() {
    let registry = Registry::new();
    let gauge = registry.gauge(&REQUESTS_IN_FLIGHT, &[]);
    let (one, other) = (gauge.local(), gauge.local());
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
