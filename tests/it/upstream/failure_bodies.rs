//! A good status whose body is no result: it reports a failure, is empty, or ends too
//! early. It never counts as a success.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

pub const RATE_LIMITED: &str = r#"{"id":null,"choices":null,"created":null,"model":null,"object":null,"usage":null,"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"Too Many Requests"}}}"#;
pub const OVERLOADED: &str = r#"{"id":"g1","error":{"message":"Upstream overloaded","code":502}}"#;

/// Reports of failures, as providers write them.
pub const FAILURES: [&str; 10] = [
    RATE_LIMITED,
    OVERLOADED,
    r#"{"error":"Upstream overloaded"}"#,
    r#"[{"error":{"code":503,"message":"Upstream overloaded"}}]"#,
    r#"{"object":"error","message":"Upstream overloaded","type":"server_error","code":50001}"#,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    r#"{"object":"response","id":"resp_1","status":"failed","error":{"code":"server_error","message":"x"},"output":[],"usage":{"input_tokens":0,"output_tokens":0}}"#,
    r#"{"choices":[{"index":0,"finish_reason":"error","error":{"code":502,"message":"x"},"message":{"content":""}}],"usage":{"prompt_tokens":0,"completion_tokens":0}}"#,
    r#"{"code":500,"msg":"404 NOT_FOUND","success":false}"#,
    r#"{"detail":"Upstream overloaded"}"#,
];

/// The model `m` of a chat provider and `c` of a Messages provider, at one upstream.
pub fn setup(upstream: &Upstream) -> Setup {
    let base = upstream.base_url();
    Setup::with_upstream(upstream)
        .provider("ant", &base, "dialects = [\"messages\"]")
        .model("c", "ant", "claude-opus-4-1")
}

pub fn messages(model: &str, stream: bool) -> Request {
    let body = json!({"model":model,"max_tokens":64,"stream":stream,"messages":[{"role":"user","content":"hi"}]});
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

/// A request to each endpoint that has a result, in the upstream's own protocol.
pub fn native_requests() -> Vec<Request> {
    let mut requests = vec![
        Request::chat("m"),
        Request::stream("m"),
        messages("c", false),
        messages("c", true),
    ];
    for path in ["completions", "responses", "embeddings"] {
        let body = json!({"model":"m","input":"hi","prompt":"hi"});
        requests.push(Request::post(&format!("/v1/{path}"), body.to_string()));
    }
    requests
}

#[track_caller]
fn send(upstream: &Upstream, request: &Request) -> (Response, Value) {
    send_to(&setup(upstream).start(), request)
}

#[track_caller]
fn send_to(gateway: &Gateway, request: &Request) -> (Response, Value) {
    let response = gateway.send(request);
    let line = gateway.access_line(&response.request_id());
    (response, line)
}

/// Asserts an error of this status and code, or of this type where the API is
/// Anthropic's; returns its message.
#[track_caller]
fn assert_error(request: &Request, response: &Response, status: u16, names: [&str; 2]) -> String {
    if !request.target.starts_with("/v1/messages") {
        return assert_response::error(response, status, names[0], None);
    }
    let body = response.json();
    assert_eq!((response.status, &body["type"]), (status, &json!("error")));
    assert_eq!(body["error"]["type"], names[1], "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn wu04_a_failure_under_a_good_status_is_passed_on_and_is_no_success() {
    for body in FAILURES {
        let upstream = Upstream::with_response(response::json("200 OK", body));
        let gateway = setup(&upstream).start();
        for request in native_requests() {
            let (response, line) = send_to(&gateway, &request);
            let case = format!("{} {body}", request.target);
            assert_eq!((response.status, &*response.text()), (200, body), "{case}");
            assert!(response.complete);
            assert_eq!(text(&line, "outcome"), "upstream_error", "{case}");
            for field in ["input_tokens", "output_tokens", "cost_usd"] {
                assert_eq!(value(&line, field), Value::Null, "{case}");
            }
        }
    }
}

#[test]
fn wu04_a_translated_failure_has_its_words_and_its_status() {
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let object =
        r#"{"object":"error","message":"Slow down","type":"rate_limit_error","code":null}"#;
    for (body, model, status, names, words) in [
        (
            RATE_LIMITED,
            "m",
            429,
            ["", "rate_limit_error"],
            "Provider returned error",
        ),
        (
            OVERLOADED,
            "m",
            502,
            ["", "api_error"],
            "Upstream overloaded",
        ),
        (object, "m", 429, ["", "rate_limit_error"], "Slow down"),
        (overloaded, "c", 503, ["overloaded", ""], "Overloaded"),
    ] {
        let upstream = Upstream::with_response(response::json("200 OK", body));
        for stream in [false, true] {
            let request = match (model, stream) {
                ("m", stream) => messages("m", stream),
                (_, false) => Request::chat("c"),
                (_, true) => Request::stream("c"),
            };
            let (response, line) = send(&upstream, &request);
            let message = assert_error(&request, &response, status, names);
            assert_eq!(message, words, "{body}");
            assert_eq!(text(&line, "outcome"), "upstream_error", "{body}");
        }
    }
}

#[test]
fn wu04_words_about_credentials_are_not_translated() {
    let body = r#"{"error":{"message":"Bad key upstream-secret-5f3a","code":401}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", body));
    let (response, _) = send(&upstream, &messages("m", false));
    assert_eq!(response.status, 502);
    assert!(!response.text().contains("secret"), "{}", response.text());
}

#[test]
fn wu07_an_empty_response_is_an_error() {
    let json = ["Content-Type: application/json"];
    for bad in [
        response::with_body("200 OK", &json, ""),
        response::with_body("200 OK", &[], ""),
        response::with_body("200 OK", &["Content-Type: text/plain"], ""),
        response::with_body("202 Accepted", &json, ""),
        response::head("204 No Content", &[]).into_bytes(),
    ] {
        let upstream = Upstream::with_response(&bad);
        let gateway = setup(&upstream).start();
        let translated = [
            messages("m", false),
            messages("m", true),
            Request::chat("c"),
        ];
        for request in native_requests().into_iter().chain(translated) {
            let (response, line) = send_to(&gateway, &request);
            let names = ["upstream_empty_response", "api_error"];
            assert_error(&request, &response, 502, names);
            assert_eq!(
                text(&line, "outcome"),
                "upstream_error",
                "{}",
                request.target
            );
        }
    }
}

/// A chunked response, chunk by chunk.
fn chunked(content_type: &str, chunks: &[&str]) -> Vec<u8> {
    let headers = [content_type, "Transfer-Encoding: chunked"];
    let mut bytes = response::head("200 OK", &headers).into_bytes();
    for chunk in chunks {
        bytes.extend(response::chunk(chunk));
    }
    bytes.extend(response::LAST_CHUNK);
    bytes
}

#[test]
fn wu07_a_blank_response_does_not_look_complete() {
    for chunks in [&[][..], &["\n"; 5], &["\r\n", " \t"]] {
        for kind in ["Content-Type: application/json", "Content-Type: text/plain"] {
            let upstream = Upstream::with_response(chunked(kind, chunks));
            let gateway = setup(&upstream).start();
            for request in native_requests() {
                let (response, line) = send_to(&gateway, &request);
                assert!(
                    response.status == 502 || !response.complete,
                    "{} {kind} {chunks:?}: {response:?}",
                    request.target
                );
                assert_eq!(text(&line, "outcome"), "upstream_error");
                assert_eq!(text(&line, "code"), "upstream_empty_response");
            }
            for request in [messages("m", false), Request::chat("c")] {
                let (response, _) = send_to(&gateway, &request);
                let names = ["upstream_empty_response", "api_error"];
                assert_error(&request, &response, 502, names);
            }
        }
    }
}

#[test]
fn wu07_line_feeds_before_the_result_leave_as_they_come() {
    const RESULT: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"real-m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
    for kind in ["application/json", "text/plain"] {
        let gate = Arc::new(Semaphore::default());
        let passed = Arc::clone(&gate);
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            let kind = format!("Content-Type: {kind}");
            exchange.send(response::head(
                "200 OK",
                &[&kind, "Transfer-Encoding: chunked"],
            ));
            for _ in 0..5 {
                exchange.send(response::chunk("\n"));
                passed.acquire();
            }
            exchange.send(response::chunk(RESULT));
            exchange.send(response::LAST_CHUNK);
        });
        let gateway = setup(&upstream).start();
        for request in [Request::chat("m"), Request::stream("m")] {
            let mut client = gateway.client();
            client.send(&request.bytes());
            let head = client.head();
            assert_eq!((head.status, head.text("content-type")), (200, Some(kind)));
            for _ in 0..5 {
                assert_eq!(client.read_exact(1), b"\n");
                gate.release();
            }
            let (rest, complete) = client.read_body();
            assert_eq!((&*String::from_utf8_lossy(&rest), complete), (RESULT, true));
            let line = gateway.access_line(head.text("x-trunkline-request-id").unwrap());
            let tokens = ["input_tokens", "output_tokens"].map(|field| value(&line, field));
            assert_eq!(tokens, [json!(3), json!(1)], "{kind}");
            assert_eq!(text(&line, "outcome"), "ok");
        }
        gate.release_all();
        let (response, _) = send_to(&gateway, &messages("m", false));
        assert_eq!(response.json()["content"][0]["text"], "ok");
    }
}

#[test]
fn what_is_no_object_is_no_result() {
    for body in ["null", "\"busy\"", "Too many requests", "<html>busy</html>"] {
        let upstream = Upstream::with_response(response::json("200 OK", body));
        let gateway = setup(&upstream).start();
        for request in native_requests() {
            let (response, line) = send_to(&gateway, &request);
            assert_eq!((response.status, &*response.text()), (200, body));
            let case = format!("{} {body}", request.target);
            assert_eq!(text(&line, "outcome"), "upstream_error", "{case}");
        }
        let (response, _) = send_to(&gateway, &messages("m", false));
        assert_eq!(response.status, 502, "{body}");
    }
}

#[test]
fn an_empty_success_of_other_endpoints_is_one() {
    let empty = response::with_body("200 OK", &["Content-Type: audio/mpeg"], "");
    let no_content = response::head("204 No Content", &[]).into_bytes();
    let speech = Request::post(
        "/v1/audio/speech",
        r#"{"model":"m","input":"","voice":"v"}"#,
    );
    let cancel = Request::post("/v1/batches/batch_1/cancel", "{}");
    for (request, bytes) in [
        (Request::new("DELETE", "/v1/files/file-1"), &no_content),
        (cancel, &no_content),
        (speech, &empty),
    ] {
        let upstream = Upstream::with_response(bytes);
        let gateway = setup(&upstream)
            .top_level("default_provider = \"up\"")
            .start();
        let (response, line) = send_to(&gateway, &request);
        assert!(matches!(response.status, 200 | 204), "{}", response.text());
        assert_eq!(text(&line, "outcome"), "ok", "{}", request.target);
    }
}

/// A stored object that reports a failure is read well.
#[test]
fn a_stored_failure_is_no_failure_of_the_request() {
    let body = r#"{"id":"resp_1","object":"response","status":"failed","error":{"code":"x"}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", body));
    let gateway = setup(&upstream)
        .top_level("default_provider = \"up\"")
        .start();
    let (response, line) = send_to(&gateway, &Request::get("/v1/responses/resp_1"));
    assert_eq!(response.text(), body);
    assert_eq!(text(&line, "outcome"), "ok");
}

#[test]
fn a_result_instead_of_a_stream_is_metered() {
    let upstream = Upstream::with_response(response::completion("hi"));
    for gateway in [setup(&upstream), Setup::injecting_usage(&upstream)] {
        let (response, line) = send_to(&gateway.start(), &Request::stream("m"));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.json()["choices"][0]["message"]["content"], "hi");
        assert_eq!(text(&line, "outcome"), "ok");
        assert_eq!(value(&line, "input_tokens"), json!(11));
    }
}

#[test]
fn a_result_instead_of_a_stream_is_translated_into_one() {
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hello"}],
        "stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":4}}"#;
    for (request, body, words, end, input) in [
        (
            messages("m", true),
            response::completion("hello"),
            r#""text":"hello""#,
            "event: message_stop",
            11,
        ),
        (
            Request::stream("c"),
            response::json("200 OK", message),
            r#""content":"hello""#,
            "data: [DONE]",
            9,
        ),
    ] {
        let head = "Content-Type: application/json";
        // With a type that is wrong, the head has left when the body comes.
        let labelled =
            String::from_utf8_lossy(&body).replace(head, "Content-Type: text/event-stream");
        for bytes in [body, labelled.into_bytes()] {
            let upstream = Upstream::with_response(bytes);
            let (response, line) = send(&upstream, &request);
            assert_eq!(response.header("content-type"), Some("text/event-stream"));
            assert!(response.complete && response.status == 200);
            let text_of = response.text();
            assert!(
                text_of.contains(words) && text_of.contains(end),
                "{text_of}"
            );
            assert_eq!(text(&line, "outcome"), "ok");
            assert_eq!(value(&line, "input_tokens"), json!(input));
        }
    }
}

#[test]
fn a_failure_labelled_as_a_stream_is_translated_into_an_event() {
    let kind = ["Content-Type: text/event-stream"];
    let upstream = Upstream::with_response(response::with_body("200 OK", &kind, OVERLOADED));
    let (response, line) = send(&upstream, &messages("m", true));
    let body = response.text();
    assert!(body.starts_with("event: error\ndata: "), "{body}");
    assert!(body.contains("Upstream overloaded"), "{body}");
    assert_eq!(text(&line, "outcome"), "upstream_error");
    // Chat to chat, the bytes are passed on.
    let (response, line) = send(&upstream, &Request::stream("m"));
    assert_eq!(response.text(), OVERLOADED);
    assert_eq!(text(&line, "outcome"), "upstream_error");
}
