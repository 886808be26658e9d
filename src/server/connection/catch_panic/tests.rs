use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{LocalSet, spawn_local};

use super::catch_panic;
use crate::app::test_support::{self, CapturedLog, FIRST_EVENT, LAST_EVENT, StubUpstream};
use crate::executor::LocalExecutor;
use crate::limits::LimitClock;
use crate::metering::Meter;
use crate::proxy::{self, RequestKind, ResponseBody, Worker};
use crate::server::connection::state::ConnState;
use crate::server::connection::tracked_body::TrackedBody;
use crate::telemetry::metric::Registry;
use crate::wire::endpoint::Endpoint;

/// The response that a connection sends for `future`.
async fn run(
    worker: &Worker,
    future: impl Future<Output = Response<ResponseBody>>,
) -> Response<ResponseBody> {
    let mut future = pin!(future);
    poll_fn(|context| catch_panic(worker, || future.as_mut().poll(context), Poll::Ready)).await
}

/// Starts a request as the pipeline does, and panics after the first poll.
async fn panics(worker: &Worker, id: &str) -> Response<ResponseBody> {
    let id = HeaderValue::from_str(id).unwrap();
    let id = worker.request_ids.for_request(Some(&id));
    let _meter = Meter::start(&worker.metrics, Endpoint::ChatCompletions, id);
    let _permit = worker.in_flight.acquire(1).unwrap();
    tokio::task::yield_now().await;
    let _borrowed = worker.rng.borrow_mut();
    panic!("client data");
}

#[tokio::test]
async fn o10_a_panic_is_a_500_and_leaves_the_worker_usable() {
    let registry = Registry::new();
    let worker = test_support::worker(&registry, "");
    let (log, _guard) = CapturedLog::capture();
    for id in ["one", "other"] {
        let response = run(&worker, panics(&worker, id)).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-should-retry"], "false");
        assert_eq!(response.headers()["x-request-id"], id);
        let body = test_support::json(response).await;
        assert_eq!(body["error"]["code"], "internal_error");
        assert!(!body.to_string().contains("client data"));
        // The access log line has the same id.
        let lines = log.lines(&format!("request_id=\"{id}\""));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("outcome=\"internal_error\""), "{lines:?}");
        assert!(lines[0].contains("status=500"), "{lines:?}");
    }
    assert!(worker.rng.try_borrow_mut().is_ok());
    let metrics = registry.render();
    assert!(
        metrics.contains("trunkline_requests_in_flight 0\n"),
        "{metrics}"
    );
    let [line] = requests(&metrics)[..] else {
        panic!("{metrics}");
    };
    assert!(line.contains("outcome=\"internal_error\""), "{line}");
    assert!(
        line.contains("status=\"5xx\"") && line.ends_with(" 2"),
        "{line}"
    );
}

#[tokio::test]
async fn a_panic_before_metering_has_a_new_request_id() {
    let worker = test_support::worker(&Registry::new(), "");
    let (log, _guard) = CapturedLog::capture();
    let panics = async { panic!("client data") };
    let response = run(&worker, panics).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(log.lines(id).len(), 1);
}

#[tokio::test]
async fn a_response_passes_unchanged() {
    let worker = test_support::worker(&Registry::new(), "");
    let fine = async { Response::new(ResponseBody::full("fine".into())) };
    let response = run(&worker, fine).await;
    assert_eq!(response.status(), StatusCode::OK);
}

fn requests(metrics: &str) -> Vec<&str> {
    let lines = metrics.lines();
    lines
        .filter(|line| line.starts_with("trunkline_requests_total{") && !line.ends_with(" 0"))
        .collect()
}

// === panics while a body is relayed ===

/// Serves as a connection does. The response body of a request with `x-fails`
/// panics after its first frame.
async fn serve(
    worker: Rc<Worker>,
    request: Request<Incoming>,
) -> Result<Response<TrackedBody>, Infallible> {
    let fails = request.headers().contains_key("x-fails");
    let state = ConnState::new(worker.drain.watch(), Duration::MAX, Duration::MAX);
    let future = proxy::serve(
        Rc::clone(&worker),
        RequestKind::Json(Endpoint::ChatCompletions),
        request,
    );
    let mut response = run(&worker, future).await;
    if fails && let ResponseBody::Relay(relay) = response.body_mut() {
        relay.fail_after(1);
    }
    let request = Some(state.start_request());
    Ok(response.map(|body| TrackedBody { body, request }))
}

async fn gateway(registry: &Registry) -> (Rc<Worker>, StubUpstream) {
    let stub = StubUpstream::start().await;
    let text = format!(
        "[providers.up]\nbase_url = \"{}\"\napi_key = \"k\"\n[models.m]\nprovider = \"up\"\n\
         [limits.all]\nrequests = [\"9/total\"]\ntokens = [\"99999/total\"]\nconcurrent = 3\n",
        stub.base_url
    );
    (Rc::new(test_support::worker(registry, &text)), stub)
}

#[track_caller]
fn assert_counted(registry: &Registry, outcome: &str, count: usize) {
    let metrics = registry.render();
    let outcome = format!("outcome=\"{outcome}\"");
    let lines = requests(&metrics);
    let line = lines.iter().find(|line| line.contains(&outcome));
    let line = line.unwrap_or_else(|| panic!("{outcome}: {lines:?}"));
    assert!(line.ends_with(&format!(" {count}")), "{line}");
    for gauge in ["requests", "streams"] {
        let none = format!("trunkline_{gauge}_in_flight 0\n");
        assert!(metrics.contains(&none), "{metrics}");
    }
}

/// So many requests were counted, and none holds anything any more.
#[track_caller]
fn assert_limits(worker: &Worker, requests: u64) {
    let limits = worker.snapshot.client_limits.caller(None);
    let reports = limits.report(LimitClock::now());
    let quotas: Vec<_> = reports.iter().flat_map(|it| &it.quotas).collect();
    let [counted, tokens, permits] = quotas[..] else {
        panic!("{quotas:?}");
    };
    assert_eq!((counted.used, counted.reserved), (requests, Some(0)));
    assert_eq!(tokens.reserved, Some(0));
    assert!(tokens.used > 0);
    assert_eq!(permits.used, 0);
}

/// Reads until `until` has arrived, or to the end.
async fn read(socket: &mut DuplexStream, until: &str) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let count = socket.read(&mut buffer).await.unwrap();
        text.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8(text.clone()).unwrap();
        if count == 0 || text.contains(until) {
            return text;
        }
    }
}

#[tokio::test]
async fn o10_a_panic_in_a_body_aborts_an_http1_connection() {
    let test = async {
        let registry = Registry::new();
        let (worker, stub) = gateway(&registry).await;
        let (log, _guard) = CapturedLog::capture();
        let (mut client, server) = duplex(64 * 1024);
        let serving = Rc::clone(&worker);
        let service = service_fn(move |request| serve(Rc::clone(&serving), request));
        let server = http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let server = spawn_local(server);
        let body = r#"{"model":"m","stream":true}"#;
        let request = |fields: &str| {
            format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n{fields}\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        stub.releases.add_permits(1);
        client.write_all(request("").as_bytes()).await.unwrap();
        let complete = read(&mut client, "0\r\n\r\n").await;
        assert!(complete.contains(LAST_EVENT), "{complete}");
        let fields = "x-fails: 1\r\nx-request-id: cut\r\n";
        client.write_all(request(fields).as_bytes()).await.unwrap();
        let first = read(&mut client, FIRST_EVENT).await;
        stub.releases.add_permits(1);
        let remaining = read(&mut client, "never").await;
        assert!(first.contains("200 OK"), "{first}");
        assert_eq!(
            remaining.replace("\r\n", ""),
            "",
            "the body continues or looks complete"
        );
        // The connection failed; its task did not panic.
        server.await.unwrap().unwrap_err();
        assert_counted(&registry, "ok", 1);
        assert_counted(&registry, "internal_error", 1);
        assert_limits(&worker, 2);
        let lines = log.lines("request_id=\"cut\"");
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            "status=200",
            "outcome=\"internal_error\"",
            "code=\"internal_error\"",
        ] {
            assert!(lines[0].contains(part), "{lines:?}");
        }
        assert!(log.lines("client data").is_empty());
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn o10_a_panic_in_a_body_resets_only_its_http2_stream() {
    let test = async {
        let registry = Registry::new();
        let (worker, stub) = gateway(&registry).await;
        let (client, server) = duplex(64 * 1024);
        let serving = Rc::clone(&worker);
        let service = service_fn(move |request| serve(Rc::clone(&serving), request));
        let builder = http2::Builder::new(LocalExecutor);
        spawn_local(builder.serve_connection(TokioIo::new(server), service));
        let (mut sender, connection) = conn::http2::handshake(LocalExecutor, TokioIo::new(client))
            .await
            .unwrap();
        spawn_local(connection);
        let fails = test_support::request().header("x-fails", "1");
        let fails = sender.send_request(fails.body(test_support::request_body()).unwrap());
        let mut fails = fails.await.unwrap().into_body();
        let fine = sender.send_request(
            test_support::request()
                .body(test_support::request_body())
                .unwrap(),
        );
        let mut fine = fine.await.unwrap().into_body();
        for body in [&mut fails, &mut fine] {
            let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(data, FIRST_EVENT);
        }
        stub.releases.add_permits(2);
        let error = fails.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("error"), "{error}");
        assert_eq!(fine.collect().await.unwrap().to_bytes(), LAST_EVENT);
        // The connection stays usable.
        stub.releases.add_permits(1);
        let next = sender.send_request(
            test_support::request()
                .body(test_support::request_body())
                .unwrap(),
        );
        let next = next.await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(next.to_bytes(), format!("{FIRST_EVENT}{LAST_EVENT}"));
        assert_counted(&registry, "ok", 2);
        assert_counted(&registry, "internal_error", 1);
        assert_limits(&worker, 3);
    };
    LocalSet::new().run_until(test).await;
}

#[test]
fn a_panic_is_counted_and_logged_with_its_location_but_not_its_message() {
    let registry = Registry::new();
    let (log, _guard) = CapturedLog::capture();
    let before = std::panic::take_hook();
    crate::app::install_panic_hook(&registry);
    let caught = std::panic::catch_unwind(|| panic!("client data"));
    std::panic::set_hook(before);
    assert!(caught.is_err());
    let metrics = registry.render();
    assert!(
        metrics.contains("trunkline_panics_total ")
            && !metrics.contains("trunkline_panics_total 0"),
        "{metrics}"
    );
    let lines = log.lines("panic");
    assert!(lines[0].contains("catch_panic/tests.rs:"), "{lines:?}");
    assert!(log.lines("client data").is_empty());
}
