use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Full};
use metrics::Unit;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::{RequestKind, Worker, serve};
use crate::config::{self, Sources};
use crate::snapshot;
use crate::telemetry::metric::Registry;
use crate::wire::endpoint::Endpoint;

/// The future is copied to the heap at each request, and it grows unnoticed: with
/// everything that is moved into it, or awaited in it.
#[test]
fn the_future_of_a_request_is_small() {
    const MAX: usize = 2048;
    let directory = tempfile::tempdir().unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    let snapshot = snapshot::build(&config, &Registry::new(), None, None, None).unwrap();
    let worker = Rc::new(Worker::new(snapshot));
    let body = Empty::<Bytes>::new().map_err(|never: Infallible| match never {});
    let future = serve(
        worker,
        RequestKind::Json(Endpoint::ChatCompletions),
        Request::new(body),
    );
    let size = size_of_val(&future);
    assert!(size <= MAX, "{size} bytes");
}

const CONFIG: &str = r#"
[providers.up]
base_url = "BASE_URL"
api_key = "k"
[models.m]
provider = "up"
[prices."up/m"]
input = "1"
output = "2"
"#;
const RESPONSE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;

/// Serves one request with a recorder of the crate `metrics-util`.
#[tokio::test]
async fn a_request_counts_through_the_facade() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", upstream.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trunkline.toml");
    std::fs::write(file, CONFIG.replace("BASE_URL", &base_url)).unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    let recorder = DebuggingRecorder::new();
    let counted = recorder.snapshotter();
    let registry = Registry::with_recorder(recorder);
    let snapshot = snapshot::build(&config, &registry, None, None, None).unwrap();
    let body = Full::new(Bytes::from_static(br#"{"model":"m","messages":[]}"#));
    let body = body.map_err(|never: Infallible| match never {});
    let serving = async {
        let worker = Rc::new(Worker::new(snapshot));
        let kind = RequestKind::Json(Endpoint::ChatCompletions);
        let response = serve(
            worker,
            kind,
            Request::post("/v1/chat/completions").body(body).unwrap(),
        );
        response
            .await
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
    };
    let local = LocalSet::new();
    let (body, ()) = tokio::join!(local.run_until(serving), respond(upstream));
    assert_eq!(body, RESPONSE);
    drop(local);
    assert_eq!(
        non_zero(&counted),
        BTreeMap::from(
            [
                ("trunkline_attempts_total{model=m,provider=up,result=responded}", 1),
                ("trunkline_cost_usd_total{model=m,provider=up}", 9_000_000),
                ("trunkline_overhead_seconds{}", 1),
                ("trunkline_request_bytes_total{}", 27),
                ("trunkline_request_duration_seconds{model=m,provider=up}", 1),
                (
                    "trunkline_requests_total{endpoint=chat_completions,model=m,provider=up,status=2xx,outcome=ok}",
                    1
                ),
                ("trunkline_response_bytes_total{}", RESPONSE.len() as u64),
                ("trunkline_time_to_first_byte_seconds{model=m,provider=up}", 1),
                ("trunkline_tokens_total{model=m,provider=up,kind=input}", 5),
                ("trunkline_tokens_total{model=m,provider=up,kind=output}", 2),
                ("trunkline_upstream_connects_total{provider=up,result=ok}", 1),
            ]
            .map(|(series, value)| (series.to_owned(), value))
        )
    );
}

/// Accepts one connection and responds to one request.
async fn respond(upstream: TcpListener) {
    let (mut socket, _) = upstream.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"[]}") {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0);
    }
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{RESPONSE}",
        RESPONSE.len()
    );
    socket.write_all(response.as_bytes()).await.unwrap();
}

/// What was counted: the values of counters and gauges, the number of a histogram's
/// values. Every metric must be described.
fn non_zero(counted: &Snapshotter) -> BTreeMap<String, u64> {
    let series = counted.snapshot().into_vec().into_iter();
    let series = series.map(|(key, unit, description, value)| {
        let (_, key) = key.into_parts();
        let described = description.is_some_and(|text| text.ends_with('.'));
        assert!(described && unit.is_some(), "{key}");
        if key.name().ends_with("_seconds") {
            assert_eq!(unit, Some(Unit::Seconds), "{key}");
        }
        let labels = key.labels();
        let labels = labels.map(|label| format!("{}={}", label.key(), label.value()));
        let name = format!("{}{{{}}}", key.name(), labels.collect::<Vec<_>>().join(","));
        let value = match value {
            DebugValue::Counter(value) => value,
            DebugValue::Gauge(value) if value == 0.0 => 0,
            DebugValue::Gauge(_) => 1,
            DebugValue::Histogram(values) => values.len() as u64,
        };
        (name, value)
    });
    series.filter(|(_, value)| *value > 0).collect()
}
