//! `POST /chat/stream`: the events of a stream, and errors.

use serde_json::{Value, json};

use super::{
    assert_error, assert_page_may_read, clone_with, dotenv, events, post, post_body, with_dotenv,
};
use crate::support::client::BodyFrame;
use crate::support::upstream::{Upstream, response};

#[test]
fn s7_the_page_gets_its_stream() {
    let (upstream, gateway) = clone_with(response::good_stream());
    let streamed = gateway.send(&post("llama3-8b-groq"));
    assert_eq!(streamed.status, 200);
    assert_page_may_read(&streamed);
    let events = events(&streamed);
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let texts: Vec<_> = chunks.iter().map(|it| it["content"].as_str()).collect();
    assert_eq!(texts, [Some("one"), Some("two"), Some("")]);
    // A page that reads the chunks of OpenAI's API works as well.
    assert_eq!(chunks[0]["choices"][0]["delta"]["content"], "one");
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");

    let seen = upstream.only_request();
    assert_eq!(seen.target, "/v1/chat/completions");
    assert_eq!(seen.header("authorization"), Some("Bearer gsk_clone-0002"));
    let body: Value = serde_json::from_str(&seen.text()).unwrap();
    assert_eq!(body["model"], "openai/gpt-oss-20b");
    assert_eq!(body["stream"], true);
    assert_eq!(body["messages"][2]["content"], "h\u{e9}");
    gateway.await_metric(
        "trunkline_requests_total",
        &[("model", "llama3-8b-groq"), ("outcome", "ok")],
        1.0,
    );
    gateway.wait_until_idle();
}

#[test]
fn s7_a_stream_is_forced_and_other_members_are_dropped() {
    let (upstream, gateway) = clone_with(response::good_stream());
    let body = r#"{"model":"gpt-4o","stream":false,"temperature":2,"messages":[{"role":"user","content":"x","name":"n"}]}"#;
    let streamed = gateway.send(&post_body(body));
    assert_eq!(events(&streamed).len(), 4);
    let seen: Value = serde_json::from_str(&upstream.only_request().text()).unwrap();
    assert_eq!(seen["stream"], true);
    assert_eq!(
        seen["messages"],
        json!([{ "role": "user", "content": "x" }])
    );
    assert_eq!(seen.get("temperature"), None);
}

#[test]
fn s7_events_leave_as_they_arrive() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        assert!(exchange.wait_for_disconnect());
    });
    let gateway = with_dotenv(&dotenv(&upstream)).start();
    let mut client = gateway.client();
    client.send(&post("gpt-4o").bytes());
    assert_eq!(client.head().status, 200);
    let BodyFrame::Data(first) = client.next_frame() else {
        panic!("no event arrived");
    };
    assert!(
        first.starts_with(b"data: {\"content\":\"one\""),
        "{first:?}"
    );
    // The page's "stop": the request to the provider ends with it.
    drop(client);
    upstream.wait_for_finished(1);
    gateway.await_metric(
        "trunkline_requests_total",
        &[("model", "gpt-4o"), ("outcome", "cancelled")],
        1.0,
    );
}

#[test]
fn s7_faulty_settings_are_one_event_with_their_status() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = with_dotenv("OPENAI_API_KEY=x\nFRONTEND_URL=http://localhost:5173\n").start();
    let unknown = gateway.send(&post("gpt-9"));
    assert_error(&unknown, 400, "ConfigurationError");
    assert_page_may_read(&unknown);
    let unset = gateway.send(&post("llama3-8b-groq"));
    let message = assert_error(&unset, 500, "ConfigurationError");
    assert!(message.contains("GROQ_API_KEY"), "{message}");
    assert_error(&gateway.send(&post("")), 400, "ConfigurationError");
    assert!(upstream.requests().is_empty());
}

#[test]
fn s7_other_messages_are_refused_as_by_pydantic() {
    let (upstream, gateway) = clone_with(response::good_stream());
    for (body, location) in [
        ("", json!(["body"])),
        ("{}", json!(["body", "model"])),
        (r#"{"model":"gpt-4o"}"#, json!(["body", "messages"])),
        (
            r#"{"model":"gpt-4o","messages":[{"role":"tool","content":"x"}]}"#,
            json!(["body", "messages", 0, "role"]),
        ),
        (
            r#"{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#,
            json!(["body", "messages", 0, "content"]),
        ),
    ] {
        let refused = gateway.send(&post_body(body));
        assert_eq!(refused.status, 422, "{body}");
        assert_eq!(refused.header("content-type"), Some("application/json"));
        assert_eq!(refused.json()["detail"][0]["loc"], location, "{body}");
        assert_page_may_read(&refused);
    }
    // No form or text of another page gets in.
    let text = post("gpt-4o").without("Content-Type");
    let refused = gateway.send(&text.header("Content-Type", "text/plain"));
    assert_eq!(refused.status, 415);
    assert!(upstream.requests().is_empty());
}

#[test]
fn s7_errors_of_the_provider_are_one_event_with_their_status() {
    let error =
        r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#;
    for (status, kind) in [
        ("429 Too Many Requests", "RateLimitError"),
        ("400 Bad Request", "BadRequestError"),
        ("500 Internal Server Error", "InternalServerError"),
    ] {
        let (_upstream, gateway) = clone_with(response::json(status, error));
        let refused = gateway.send(&post("gpt-4o"));
        let message = assert_error(&refused, status[..3].parse().unwrap(), kind);
        assert_eq!(message, "slow down");
    }
    // The gateway's key was refused, not the client's.
    let (_upstream, gateway) = clone_with(response::json("401 Unauthorized", error));
    assert_error(&gateway.send(&post("gpt-4o")), 502, "InternalServerError");
}

#[test]
fn s7_a_stream_that_breaks_ends_with_an_error_and_is_not_done() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        exchange.close();
    });
    let gateway = with_dotenv(&dotenv(&upstream)).start();
    let broken = gateway.send(&post("gpt-4o"));
    let events = events(&broken);
    assert_eq!(events.len(), 2, "{events:?}");
    let error: Value = serde_json::from_str(&events[1]).unwrap();
    assert_eq!(error["error"]["code"], 502);
    assert_eq!(error["error"]["type"], "APIError");
}
