//! The demo model, which responds without any credential.

use serde_json::Value;

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};

fn send(gateway: &Gateway, stream: bool) -> crate::support::client::Response {
    let body = format!(
        r#"{{"model":"demo","stream":{stream},"messages":[{{"role":"user","content":"Show me everything."}}]}}"#
    );
    gateway.send(&Request::post("/v1/chat/completions", body))
}

/// The events of a stream without its `[DONE]`.
fn events(stream: &str) -> Vec<Value> {
    let data = stream
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn it_gives_the_same_text_unary_and_streamed() {
    let gateway = Setup::new().start();
    let completion = send(&gateway, false).json();
    assert_eq!(completion["object"], "chat.completion");
    assert_eq!(completion["choices"][0]["finish_reason"], "stop");
    assert_eq!(completion["choices"][0]["message"]["role"], "assistant");
    let content = completion["choices"][0]["message"]["content"]
        .as_str()
        .unwrap();
    assert!(!content.is_empty());
    let stream = send(&gateway, true);
    assert!(stream.complete);
    assert_eq!(
        stream
            .header("content-type")
            .map(|kind| kind.starts_with("text/event-stream")),
        Some(true)
    );
    assert!(stream.text().ends_with("data: [DONE]\n\n"));
    let events = events(&stream.text());
    let streamed: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(streamed, content);
    assert!(events.len() > 3, "a stream of {} events", events.len());
    assert_eq!(
        events.last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
    gateway.wait_until_idle();
}

#[test]
fn it_is_deterministic() {
    let content = |gateway: &Gateway| {
        send(gateway, false).json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let [one, other] = [Setup::new().start(), Setup::new().start()];
    assert_eq!(content(&one), content(&one));
    assert_eq!(content(&one), content(&other));
}

#[test]
fn it_reports_usage_and_is_metered_like_any_model() {
    let gateway = Setup::new().start();
    let usage = send(&gateway, false).json()["usage"].clone();
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 0, "{usage}");
    assert_eq!(
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap(),
        usage["total_tokens"].as_u64().unwrap()
    );
    let line = &gateway.access_lines(1)[0];
    assert_eq!(
        (text(line, "model"), text(line, "provider")),
        ("demo".to_owned(), "demo".to_owned())
    );
    assert_eq!(value(line, "input_tokens"), usage["prompt_tokens"]);
    assert_eq!(value(line, "output_tokens"), usage["completion_tokens"]);
    let body =
        r#"{"model":"demo","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let stream = gateway
        .send(&Request::post("/v1/chat/completions", body))
        .text();
    assert!(
        events(&stream).last().unwrap()["usage"]["completion_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[test]
fn it_exists_only_while_nothing_else_is_configured() {
    let listed = |gateway: &Gateway| {
        gateway
            .send(&Request::get("/v1/models"))
            .text()
            .contains("\"demo\"")
    };
    let upstream = Upstream::with_response(response::completion("hi"));
    assert!(listed(&Setup::new().start()));
    assert!(!listed(&Setup::with_upstream(&upstream).start()));
    assert!(listed(
        &Setup::with_upstream(&upstream)
            .top_level("demo = \"on\"")
            .start()
    ));
    let off = Setup::new().top_level("demo = \"off\"").start();
    assert!(!listed(&off));
    assert_response::error(&send(&off, false), 404, "model_not_found", Some("model"));
}

#[test]
fn it_shows_markdown_code_and_a_table() {
    let gateway = Setup::new().start();
    let completion = send(&gateway, false).json();
    let content = completion["choices"][0]["message"]["content"]
        .as_str()
        .unwrap();
    assert!(content.contains("```"), "no code: {content}");
    assert!(
        content.lines().filter(|line| line.starts_with('|')).count() >= 3,
        "no table: {content}"
    );
}

/// The code that it shows is copied: it must lead to this gateway, whatever stands in front.
#[test]
fn its_code_names_the_address_that_was_asked() {
    let gateway = Setup::new().start();
    let code = |headers: &[(&str, &str)]| {
        let body = r#"{"model":"demo","messages":[{"role":"user","content":"curl, please"}]}"#;
        let request = Request::post("/v1/chat/completions", body).without("host");
        let with = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
        let response = gateway.send(&headers.iter().fold(request, with));
        assert_eq!(response.status, 200, "{}", response.text());
        let content = &response.json()["choices"][0]["message"]["content"];
        content.as_str().unwrap().to_owned()
    };
    let host = ("Host", "localhost:1234");
    let origin = ("Origin", "http://localhost:1234");
    assert!(code(&[host, origin]).contains("curl -N http://localhost:1234/v1/chat/completions"));
    let page = ("Referer", "http://localhost:1234/tools/chat/");
    let below = code(&[host, origin, page]);
    assert!(
        below.contains("http://localhost:1234/tools/chat/v1/chat/completions"),
        "{below}"
    );
    // A client that names no page learns where the gateway listens; one cannot say so itself.
    let forged = ("x-trunkline-base-url", "http://elsewhere.example/v1");
    let plain = code(&[host, forged]);
    assert!(plain.contains("curl -N http://127.0.0.1:"), "{plain}");
    assert!(!plain.contains("elsewhere"), "{plain}");
}

/// What the demo is sent of a page goes to no other provider.
#[test]
fn no_provider_learns_of_the_page() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let request = Request::chat("m")
        .without("host")
        .header("Host", "localhost:1234")
        .header("Origin", "http://localhost:1234")
        .header("Referer", "http://localhost:1234/tools/chat/");
    assert_eq!(gateway.send(&request).status, 200);
    let sent = upstream.only_request();
    for name in ["origin", "referer", "x-trunkline-base-url"] {
        assert_eq!(sent.header(name), None, "{name}");
    }
}
