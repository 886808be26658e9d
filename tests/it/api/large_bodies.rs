//! Bodies that arrive in many frames reach the upstream byte for byte.

use serde_json::json;

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::{Upstream, response};

const PATH: &str = "/v1/chat/completions";
/// Twelve times what is read at a time.
const LONG: usize = 1_500_000;

/// A chat request with the model between two long texts.
fn body(length: usize) -> String {
    let numbers = (0..).map(|number: usize| format!("{number} \\n\\\"ä\\\" "));
    let mut text = String::new();
    for number in numbers {
        if text.len() >= length / 2 {
            break;
        }
        text.push_str(&number);
    }
    let message = |role: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    format!(
        r#"{{"messages":[{},{}],"model":"m","stop":"{text}"}}"#,
        message("system"),
        message("user")
    )
}

fn renamed(body: &str) -> String {
    body.replace(r#""model":"m""#, r#""model":"real-model""#)
}

/// As one write with a length, in chunks of many sizes, and in many writes.
fn send_in_every_way(gateway: &Gateway, body: &str, mut check: impl FnMut()) {
    let request = Request::post(PATH, body);
    let mut client = gateway.client();
    let whole = request.bytes();
    for bytes in [
        whole.clone(),
        request.chunked(&[100_000]),
        request.chunked(&[200_000, 70_000, 9, 70_000, 1, 40_000]),
        request.chunked(&[1_000]),
    ] {
        client.send(&bytes);
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
        check();
    }
    let mut rest = &whole[..];
    for length in [9_000, 100, 64 * 1024, 1, 128 * 1024].into_iter().cycle() {
        let (now, later) = rest.split_at(length.min(rest.len()));
        client.send(now);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let response = client.response();
    assert_eq!(response.status, 200, "{}", response.text());
    check();
    gateway.wait_until_idle();
}

#[test]
fn a_body_in_many_frames_differs_only_in_the_value_of_model() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for length in [20_000, 150_000, LONG] {
        let body = body(length);
        send_in_every_way(&gateway, &body, || {
            let seen = upstream.requests().pop().unwrap();
            // Not `assert_eq`, which would print megabytes.
            assert!(seen.text() == renamed(&body), "{} bytes", seen.body.len());
        });
    }
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("trunkline_buffered_bytes", &[]), Some(0.0));
}

#[test]
fn http2_upstreams_receive_all_frames() {
    let json = "application/json";
    let upstream = Http2Upstream::start(None, json, r#"{"choices":[]}"#);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    let body = body(LONG);
    send_in_every_way(&gateway, &body, || {
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.body == renamed(&body).as_bytes());
    });
}

#[test]
fn a_retry_sends_the_same_frames() {
    let unavailable = response::json("503 Service Unavailable", "{}");
    let failing = Upstream::with_response(unavailable);
    let fine = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::new()
        .provider("failing", &failing.base_url(), "")
        .provider("fine", &fine.base_url(), "")
        .section(
            "[models.m]\ntargets = [\
             { provider = \"failing\", model = \"first\" }, \
             { provider = \"fine\", model = \"real-model\" }]",
        )
        .start();
    let body = body(LONG);
    // Which of both is first is a matter of chance.
    let failed = (0..40).any(|_| {
        let response = gateway.send(&Request::post(PATH, &body));
        assert_eq!(response.status, 200, "{}", response.text());
        !failing.requests().is_empty()
    });
    assert!(failed);
    let expected = body.replace(r#""model":"m""#, r#""model":"first""#);
    let seen = failing.requests().pop().unwrap();
    assert!(seen.text() == expected, "{} bytes", seen.body.len());
    assert!(fine.requests().pop().unwrap().text() == renamed(&body));
}

#[test]
fn a_body_in_many_frames_is_translated() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let text = "word \\ \"ä\" ".repeat(LONG / 12);
    let message = json!({"role":"user","content":text});
    let body = json!({"max_tokens":64,"messages":[message],"model":"m"}).to_string();
    let request = Request::post("/v1/messages", &body).header("anthropic-version", "2023-06-01");
    let mut client = gateway.client();
    for bytes in [request.bytes(), request.chunked(&[90_000, 5])] {
        client.send(&bytes);
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
        let seen = upstream.requests().pop().unwrap();
        let seen: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert!(seen["messages"][0]["content"] == text.as_str());
    }
}

#[test]
fn an_error_in_a_late_frame_has_the_offset_of_the_whole_body() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let invalid = format!("{} x", body(LONG));
    let at = invalid.len() - 1;
    let request = Request::post(PATH, &invalid);
    let mut client = gateway.client();
    for bytes in [request.bytes(), request.chunked(&[100_000, 10])] {
        client.send(&bytes);
        let response = client.response();
        assert_eq!(response.status, 400);
        assert!(
            response.text().contains(&at.to_string()),
            "{}",
            response.text()
        );
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn limits_count_all_frames() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let limits = "max_body = \"1MiB\"\nmax_buffered = \"1MiB\"";
    let gateway = Setup::with_upstream(&upstream).server(limits).start();
    // All of the budget, although the read buffers that it arrives in are larger.
    let fits = body(LONG * 3 / 5);
    assert!(fits.len() <= 1 << 20, "{}", fits.len());
    send_in_every_way(&gateway, &fits, || {});
    for bytes in [
        Request::post(PATH, body(2 << 20)).bytes(),
        Request::post(PATH, body(2 << 20)).chunked(&[100_000]),
    ] {
        let mut client = gateway.client();
        // The response may come before all of it was sent.
        let _ = client.try_send(&bytes);
        assert_eq!(client.response().status, 413);
    }
    gateway.wait_until_idle();
}
