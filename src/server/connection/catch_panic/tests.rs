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
use tokio::time::Instant;

use super::rescued;
use crate::app::test_support;
use crate::app::test_support::{BEGINNING, Log, REST, Stub};
use crate::executor::LocalExecutor;
use crate::metering::Meter;
use crate::proxy::{self, Answer, Worker};
use crate::server::connection::state::{Outbound, Vigil};
use crate::telemetry::metric::Registry;
use crate::wire::endpoint::Endpoint;

/// What a connection would get of this work.
async fn answered(
    worker: &Worker,
    work: impl Future<Output = Response<Answer>>,
) -> Response<Answer> {
    let mut work = pin!(work);
    poll_fn(|context| rescued(worker, || work.as_mut().poll(context), Poll::Ready)).await
}

/// Begins a request as a real one does, and fails after a while.
async fn fails(worker: &Worker, id: &str) -> Response<Answer> {
    let id = HeaderValue::from_str(id).unwrap();
    let id = worker.request_ids.for_request(Some(&id));
    let _meter = Meter::start(&worker.desk, Endpoint::ChatCompletions, id);
    let _place = worker.in_flight.take(1).unwrap();
    tokio::task::yield_now().await;
    let _borrowed = worker.rng.borrow_mut();
    panic!("a caller's words");
}

#[tokio::test]
async fn o10_a_panic_is_answered_with_500_and_leaves_the_worker_fit() {
    let registry = Registry::new();
    let worker = test_support::worker(&registry, "");
    let (log, _guard) = Log::keep();
    for id in ["one", "other"] {
        let response = answered(&worker, fails(&worker, id)).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-should-retry"], "false");
        assert_eq!(response.headers()["x-request-id"], id);
        let body = test_support::json(response).await;
        assert_eq!(body["error"]["code"], "internal_error");
        assert!(!body.to_string().contains("words"));
        // Its one line has the same id.
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
async fn a_panic_before_there_is_an_account_has_an_id_of_its_own() {
    let worker = test_support::worker(&Registry::new(), "");
    let (log, _guard) = Log::keep();
    let fails = async { panic!("a caller's words") };
    let response = answered(&worker, fails).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(log.lines(id).len(), 1);
}

#[tokio::test]
async fn an_answer_passes_as_it_is() {
    let worker = test_support::worker(&Registry::new(), "");
    let fine = async { Response::new(Answer::whole("fine".into())) };
    let response = answered(&worker, fine).await;
    assert_eq!(response.status(), StatusCode::OK);
}

fn requests(metrics: &str) -> Vec<&str> {
    let lines = metrics.lines();
    lines
        .filter(|line| line.starts_with("trunkline_requests_total{"))
        .collect()
}

// ===== In the middle of an answer =====

/// Serves as a connection does. Answers to requests that ask for it panic once
/// one piece of theirs has passed.
async fn answer(
    worker: Rc<Worker>,
    request: Request<Incoming>,
) -> Result<Response<Outbound>, Infallible> {
    let fails = request.headers().contains_key("x-fails");
    let vigil = Vigil::new(Instant::now(), Duration::MAX, Duration::MAX);
    let work = proxy::serve(Rc::clone(&worker), Endpoint::ChatCompletions, request);
    let mut response = answered(&worker, work).await;
    if fails && let Answer::Relay(relay) = response.body_mut() {
        relay.fail_after(1);
    }
    let turn = Some(vigil.begin());
    Ok(response.map(|body| Outbound { body, turn }))
}

async fn gateway(registry: &Registry) -> (Rc<Worker>, Stub) {
    let stub = Stub::start().await;
    let text = format!(
        "[providers.up]\nbase_url = \"{}\"\napi_key = \"k\"\n[models.m]\nprovider = \"up\"\n",
        stub.base_url
    );
    (Rc::new(test_support::worker(registry, &text)), stub)
}

#[track_caller]
fn counted(registry: &Registry, outcome: &str, count: usize) {
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

/// Reads until these words have come, or to the end.
async fn read(socket: &mut DuplexStream, until: &str) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let count = socket.read(&mut piece).await.unwrap();
        text.extend_from_slice(&piece[..count]);
        let text = String::from_utf8(text.clone()).unwrap();
        if count == 0 || text.contains(until) {
            return text;
        }
    }
}

#[tokio::test]
async fn o10_a_panic_in_an_answer_breaks_an_http1_connection_off() {
    let work = async {
        let registry = Registry::new();
        let (worker, stub) = gateway(&registry).await;
        let (log, _guard) = Log::keep();
        let (mut client, server) = duplex(64 * 1024);
        let service = service_fn(move |request| answer(Rc::clone(&worker), request));
        let server = http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let server = spawn_local(server);
        let body = r#"{"model":"m","stream":true}"#;
        let ask = |fields: &str| {
            format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n{fields}\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        stub.leave.add_permits(1);
        client.write_all(ask("").as_bytes()).await.unwrap();
        let whole = read(&mut client, "0\r\n\r\n").await;
        assert!(whole.contains(REST), "{whole}");
        let fields = "x-fails: 1\r\nx-request-id: cut\r\n";
        client.write_all(ask(fields).as_bytes()).await.unwrap();
        let begun = read(&mut client, BEGINNING).await;
        stub.leave.add_permits(1);
        let rest = read(&mut client, "never").await;
        assert!(begun.contains("200 OK"), "{begun}");
        assert_eq!(
            rest.replace("\r\n", ""),
            "",
            "it goes on, or looks complete"
        );
        // The connection failed, and not its task.
        server.await.unwrap().unwrap_err();
        counted(&registry, "ok", 1);
        counted(&registry, "internal_error", 1);
        let lines = log.lines("request_id=\"cut\"");
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            "status=200",
            "outcome=\"internal_error\"",
            "code=\"internal_error\"",
        ] {
            assert!(lines[0].contains(part), "{lines:?}");
        }
        assert!(log.lines("words").is_empty());
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn o10_a_panic_in_an_answer_resets_its_http2_stream_alone() {
    let work = async {
        let registry = Registry::new();
        let (worker, stub) = gateway(&registry).await;
        let (client, server) = duplex(64 * 1024);
        let service = service_fn(move |request| answer(Rc::clone(&worker), request));
        let builder = http2::Builder::new(LocalExecutor);
        spawn_local(builder.serve_connection(TokioIo::new(server), service));
        let (mut sender, connection) = conn::http2::handshake(LocalExecutor, TokioIo::new(client))
            .await
            .unwrap();
        spawn_local(connection);
        let fails = test_support::call().header("x-fails", "1");
        let fails = sender.send_request(fails.body(test_support::call_body()).unwrap());
        let mut fails = fails.await.unwrap().into_body();
        let fine = sender.send_request(
            test_support::call()
                .body(test_support::call_body())
                .unwrap(),
        );
        let mut fine = fine.await.unwrap().into_body();
        for body in [&mut fails, &mut fine] {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece, BEGINNING);
        }
        stub.leave.add_permits(2);
        let error = fails.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("error"), "{error}");
        assert_eq!(fine.collect().await.unwrap().to_bytes(), REST);
        // The connection serves on.
        stub.leave.add_permits(1);
        let next = sender.send_request(
            test_support::call()
                .body(test_support::call_body())
                .unwrap(),
        );
        let next = next.await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(next.to_bytes(), format!("{BEGINNING}{REST}"));
        counted(&registry, "ok", 2);
        counted(&registry, "internal_error", 1);
    };
    LocalSet::new().run_until(work).await;
}

#[test]
fn a_panic_is_counted_and_its_place_is_told_but_not_its_words() {
    let registry = Registry::new();
    let (log, _guard) = Log::keep();
    let before = std::panic::take_hook();
    crate::app::count_panics(&registry);
    let caught = std::panic::catch_unwind(|| panic!("a caller's words"));
    std::panic::set_hook(before);
    assert!(caught.is_err());
    let metrics = registry.render();
    assert!(
        metrics.contains("trunkline_panics_total ")
            && !metrics.contains("trunkline_panics_total 0"),
        "{metrics}"
    );
    let lines = log.lines("this is a bug");
    assert!(lines[0].contains("rescue/tests.rs:"), "{lines:?}");
    assert!(log.lines("words").is_empty());
}
