//! Every way a request ends, and what is counted of it. Without usage in the response, the
//! input is estimated, and what has passed of the output is.

use std::sync::Arc;

use super::alice::{ALL_KINDS, KEY, counts, expected_input, send, setup};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, value};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

/// Expected output of the first request.
const DEFAULT_OUTPUT: u64 = 1024;

fn start(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::start(script);
    let gateway = setup(&upstream, ALL_KINDS).start();
    (upstream, gateway)
}

/// Sends one request; what was counted of it, and whether it was marked as an estimate.
#[track_caller]
fn count(gateway: &Gateway, request: Request) -> ([u64; 3], bool) {
    send(gateway, request);
    let counts = counts(gateway);
    let line = gateway.access_lines(1).remove(0);
    (counts, value(&line, "cost_estimated") == true)
}

fn with_response(response: Vec<u8>) -> (Upstream, Gateway) {
    start(move |exchange| {
        exchange.read_body();
        exchange.send(&response);
    })
}

#[test]
fn what_a_response_reports_is_counted() {
    let (_upstream, gateway) = with_response(response::completion("hi"));
    assert_eq!(count(&gateway, Request::chat("m")), ([1, 11, 7], false));
    let events = [
        response::delta("one"),
        response::finish(),
        response::usage(5, 3),
    ];
    let events = [&events[..], &[response::DONE.to_owned()]].concat();
    let (_upstream, gateway) = with_response(response::stream(&events));
    assert_eq!(count(&gateway, Request::stream("m")), ([1, 5, 3], false));
}

/// L#41610, Hi#1080: streams were not counted.
#[test]
fn streams_without_usage_are_counted_by_an_estimate() {
    let (_upstream, gateway) = with_response(response::good_stream());
    let request = Request::stream("m");
    let input = expected_input(&request);
    assert_eq!(count(&gateway, request), ([1, input, DEFAULT_OUTPUT], true));
}

#[test]
fn a_response_without_usage_is_counted_by_an_estimate() {
    let body = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
    let (_upstream, gateway) = with_response(response::json("200 OK", body));
    let request = Request::chat("m");
    let input = expected_input(&request);
    assert_eq!(count(&gateway, request), ([1, input, DEFAULT_OUTPUT], true));
    // A longer response than expected.
    let long = body.replace("hi", &"word ".repeat(4000));
    let (_upstream, gateway) = with_response(response::json("200 OK", &long));
    let counted = count(&gateway, Request::chat("m"));
    assert_eq!(counted, ([1, input, long.len() as u64 / 4], true));
}

/// NA#7062, NA#4168: counted as nothing, or all of it.
#[test]
fn a_client_that_leaves_before_the_response_is_counted_by_its_input() {
    let (upstream, gateway) = start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let request = Request::chat("m").key(KEY);
    let mut client = gateway.client();
    client.send(&request.bytes());
    upstream.wait_for_requests(1);
    drop(client);
    assert_eq!(counts(&gateway), [1, expected_input(&request), 0]);
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(value(&line, "outcome"), "cancelled");
    assert_eq!(value(&line, "cost_estimated"), true);
}

#[test]
fn a_client_that_leaves_within_a_stream_is_counted_by_what_it_got() {
    let (_upstream, gateway) = start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for word in ["one", "two", "six"] {
            exchange.send(response::chunk(response::delta(word)));
        }
        exchange.wait_for_disconnect();
    });
    let request = Request::stream("m").key(KEY);
    let mut client = gateway.client();
    client.send(&request.bytes());
    assert_eq!(client.head().status, 200);
    client.read_exact(3 * response::delta("one").len());
    drop(client);
    // A token in each event.
    assert_eq!(counts(&gateway), [1, expected_input(&request), 3]);
}

#[test]
fn a_client_that_leaves_before_its_request_was_sent_is_not_counted() {
    // It never responds to the TLS handshake.
    let upstream = Upstream::raw("https", |socket| {
        let mut byte = [0];
        let mut socket = socket;
        while std::io::Read::read(&mut socket, &mut byte).is_ok_and(|count| count > 0) {}
    });
    let gateway = setup(&upstream, ALL_KINDS).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").key(KEY).bytes());
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    crate::support::wait::until("a connection", || {
        (upstream.connections() == 1).then_some(())
    });
    drop(client);
    assert_eq!(counts(&gateway), [0, 0, 0]);
}

#[test]
fn a_request_that_the_provider_refuses_uses_nothing() {
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "422 Unprocessable",
        "429 Too Many",
    ] {
        let error = r#"{"error":{"message":"no","type":"x","param":null,"code":"y"}}"#;
        let (_upstream, gateway) = with_response(response::json(status, error));
        let counted = count(&gateway, Request::chat("m"));
        assert_eq!(counted, ([1, 0, 0], false), "{status}");
    }
    // The gateway's own error in its stead.
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let (_upstream, gateway) = with_response(response::json(status, "{}"));
        assert_eq!(count(&gateway, Request::chat("m")).0, [1, 0, 0], "{status}");
    }
}

#[test]
fn a_provider_that_fails_before_a_response_costs_nothing() {
    for status in [
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Unavailable",
    ] {
        let error = r#"{"error":{"message":"no","type":"x","param":null,"code":"y"}}"#;
        let (_upstream, gateway) = with_response(response::json(status, error));
        let counted = count(&gateway, Request::chat("m"));
        assert_eq!(counted, ([0, 0, 0], false), "{status}");
    }
    // Under a good status.
    let error = r#"{"error":{"message":"no","type":"server_error","code":"y"}}"#;
    let (_upstream, gateway) = with_response(response::json("200 OK", error));
    assert_eq!(count(&gateway, Request::chat("m")), ([0, 0, 0], false));
    // Without a response.
    let (_upstream, gateway) = start(|exchange| {
        exchange.read_body();
        exchange.close();
    });
    assert_eq!(count(&gateway, Request::chat("m")), ([0, 0, 0], false));
}

#[test]
fn a_response_that_does_not_come_in_time_is_counted_by_its_input() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let timeouts = "timeouts = { response_header = \"100ms\" }";
    let setup = Setup::new()
        .provider("up", &upstream.base_url(), timeouts)
        .model("m", "up", "real-model")
        .key("alice", KEY, "")
        .section(ALL_KINDS);
    let gateway = super::alice::priced(setup).start();
    let request = Request::chat("m");
    let input = expected_input(&request);
    assert_eq!(count(&gateway, request), ([1, input, 0], true));
}

#[test]
fn a_stream_that_breaks_is_counted_by_what_came() {
    let (_upstream, gateway) = start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        exchange.close();
    });
    let request = Request::stream("m");
    let input = expected_input(&request);
    assert_eq!(count(&gateway, request), ([1, input, 1], true));
}

#[test]
fn what_the_gateway_itself_refuses_is_not_counted() {
    let release = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&release);
    let provider = "pool = { max_in_flight = 1, acquire_timeout = \"0s\" }";
    let setup = Setup::new()
        .provider("up", &upstream.base_url(), provider)
        .model("m", "up", "real-model")
        .key("alice", KEY, "")
        .section(ALL_KINDS);
    let gateway = super::alice::priced(setup).start();
    for (request, status) in [
        (Request::chat("unknown"), 404),
        (Request::post("/v1/chat/completions", "{"), 400),
        (
            Request::post("/v1/chat/completions", r#"{"model":"m","model":"m"}"#),
            400,
        ),
    ] {
        assert_eq!(send(&gateway, request).status, status);
    }
    assert_eq!(counts(&gateway), [0, 0, 0]);
    // Shed: another request has the provider's only permit.
    let mut client = gateway.client();
    client.send(&Request::chat("m").key(KEY).bytes());
    upstream.wait_for_requests(1);
    assert_eq!(send(&gateway, Request::chat("m")).status, 503);
    release.release_all();
    assert_eq!(client.response().status, 200);
    assert_eq!(counts(&gateway), [1, 11, 7]);
}

/// A Messages stream tells its input first.
#[test]
fn an_aborted_messages_stream_knows_its_input() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"real-model","content":[],"stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#;
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        let delta =
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
        let event = |kind: &str, data: &str| format!("event: {kind}\ndata: {data}\n\n");
        exchange.send(response::chunk(event("message_start", start)));
        exchange.send(response::chunk(event("content_block_delta", delta)));
        exchange.wait_for_disconnect();
    });
    let setup = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"messages\"]")
        .model("m", "up", "real-model")
        .key("alice", KEY, "")
        .section(ALL_KINDS);
    let gateway = super::alice::priced(setup).start();
    let body =
        r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut client = gateway.client();
    client.send(&Request::post("/v1/messages", body).key(KEY).bytes());
    assert_eq!(client.head().status, 200);
    let mut text = String::new();
    while !text.contains("text_delta") {
        match client.next_frame() {
            crate::support::client::BodyFrame::Data(data) => {
                text += &String::from_utf8_lossy(&data);
            }
            other => panic!("{other:?}"),
        }
    }
    drop(client);
    let [requests, input, output] = counts(&gateway);
    assert_eq!([requests, input], [1, 25]);
    assert!((1..=40).contains(&output), "{output}");
}
