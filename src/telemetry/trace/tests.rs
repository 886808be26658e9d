use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, channel};
use url::Url;

use super::metric::Registry;
use super::{ExportCommand, Span, Tracer, metric, threshold};
use crate::config::{Collector, Traces};

const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";

/// A tracer, and the queue of its exporter.
fn tracer(ratio: f64, capacity: usize) -> (Tracer, Receiver<ExportCommand>, Registry) {
    let (queue, commands) = channel(capacity);
    let registry = Registry::new();
    let tracer = Tracer {
        queue,
        dropped: registry.counter(&metric::SPANS_DROPPED, &[]),
        threshold: threshold(ratio),
        seed: 7,
        config: Traces {
            collector: Collector {
                endpoint: Url::parse("http://127.0.0.1:4318/v1/traces").unwrap(),
                service_name: "trunkline".to_owned(),
                authorities: Vec::new(),
                headers: HeaderMap::new(),
            },
            ratio,
        },
    };
    (tracer, commands, registry)
}

fn traceparents(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(super::TRACEPARENT, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_valid_traceparent_decides_the_sampling() {
    for ratio in [0.0, 1.0] {
        let (tracer, ..) = tracer(ratio, 1);
        assert!(
            tracer
                .sample(&traceparents(&[&format!("{CLIENT}00")]))
                .is_none()
        );
        let origin = tracer
            .sample(&traceparents(&[&format!("{CLIENT}03")]))
            .unwrap();
        let own = origin.own.to_string();
        assert_eq!(own[..36], CLIENT[..36]);
        assert_ne!(own[36..52], CLIENT[36..52]);
        assert!(own.ends_with("-03"), "{own}");
        assert_eq!(origin.parent.unwrap().to_string(), "b7ad6b7169203331");
    }
}

#[test]
fn the_ratio_decides_for_other_requests() {
    let two = [&*format!("{CLIENT}01"), &*format!("{CLIENT}01")];
    for headers in [
        traceparents(&[]),
        traceparents(&["nonsense"]),
        traceparents(&two),
    ] {
        assert!(tracer(0.0, 1).0.sample(&headers).is_none());
        let origin = tracer(1.0, 1).0.sample(&headers).unwrap();
        assert!(origin.parent.is_none());
        assert!(origin.own.is_sampled());
        assert_ne!(origin.own.to_string()[3..35], CLIENT[3..35]);
    }
    let (tracer, ..) = tracer(0.25, 1);
    let none = HeaderMap::new();
    let sampled = (0..10_000)
        .filter(|_| tracer.sample(&none).is_some())
        .count();
    assert!((2_000..3_000).contains(&sampled), "{sampled}");
}

#[test]
fn ids_do_not_repeat() {
    let (tracer, ..) = tracer(1.0, 1);
    let ids = (0..1000).map(|_| tracer.trace_id().to_string());
    assert_eq!(ids.collect::<std::collections::HashSet<_>>().len(), 1000);
}

fn span(tracer: &Tracer) -> Span {
    let mut attributes = super::Attributes::default();
    attributes.add("text", Some("a"));
    attributes.add("integer", Some(1_u64 << 60));
    attributes.add("double", Some(0.5));
    attributes.add("boolean", Some(true));
    attributes.add("none", None::<bool>);
    let start = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_544_712_660_000_000_001);
    Span {
        trace_id: tracer.trace_id(),
        span_id: tracer.span_id(),
        parent_span_id: None,
        name: "chat".to_owned(),
        kind: super::SpanKind::Client,
        start,
        end: start,
        attributes,
        events: Vec::new(),
        status: super::SpanStatus::failed(true),
    }
}

#[test]
fn a_full_queue_drops_spans_and_counts_them() {
    let (tracer, _commands, registry) = tracer(1.0, 1);
    tracer.export(vec![span(&tracer)]);
    assert!(registry.render().contains("spans_dropped_total 0"));
    tracer.export(vec![span(&tracer), span(&tracer)]);
    assert!(registry.render().contains("spans_dropped_total 2"));
}

#[test]
fn spans_are_encoded_as_otlp_json() {
    let (tracer, ..) = tracer(1.0, 1);
    let written: Value = serde_json::to_value(span(&tracer)).unwrap();
    assert_eq!(written["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(written["spanId"].as_str().unwrap().len(), 16);
    assert_eq!(written["kind"], 3);
    assert_eq!(written["startTimeUnixNano"], "1544712660000000001");
    assert_eq!(written["status"]["code"], 2);
    assert_eq!(written.get("parentSpanId"), None);
    let expected = serde_json::json!([
        { "key": "text", "value": { "stringValue": "a" } },
        { "key": "integer", "value": { "intValue": "1152921504606846976" } },
        { "key": "double", "value": { "doubleValue": 0.5 } },
        { "key": "boolean", "value": { "boolValue": true } },
    ]);
    assert_eq!(written["attributes"], expected);
}
