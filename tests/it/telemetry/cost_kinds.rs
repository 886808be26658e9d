//! What has a price of its own: exact, or no cost.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

/// Tokens written to the cache for an hour.
const WRITTEN: &str = r#"{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_input_tokens":3904,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":3904}}"#;

/// A provider of Messages with the prices of `anthropic`, and its model `c`; one of
/// chat with the prices of `openai`, and its model `m`.
fn gateway(upstream: &Upstream) -> Gateway {
    let messages = "dialects = [\"messages\"]\nprices = \"anthropic\"";
    Setup::new()
        .provider("ant", &upstream.base_url(), messages)
        .provider("up", &upstream.base_url(), "prices = \"openai\"")
        .model("c", "ant", "claude-opus-5")
        .model("m", "up", "gpt-5")
        .start()
}

fn messages(stream: bool) -> Request {
    let body = json!({"model":"c","max_tokens":64,"stream":stream,"messages":[{"role":"user","content":"hi"}]});
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

fn message(usage: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{{"type":"text","text":"hi"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{usage}}}"#
    )
}

fn message_events(usage: &str) -> Vec<String> {
    let start = format!(
        r#"{{"type":"message_start","message":{{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"usage":{usage}}}}}"#
    );
    let events = [
        ("message_start", start.as_str()),
        (
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}"#,
        ),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ];
    let event = |(kind, data)| format!("event: {kind}\ndata: {data}\n\n");
    events.map(event).to_vec()
}

fn chat(usage: &str, outer: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}]{outer},"usage":{usage}}}"#
    )
}

#[track_caller]
fn assert_cost(gateway: &Gateway, dollars: Option<&str>) -> Value {
    let line = gateway.access_lines(1).remove(0);
    let cost = line.get("cost_usd").and_then(Value::as_str);
    assert_eq!(cost, dollars, "{line}");
    wait::until("the cost in the status", || {
        let status = gateway.send(&Request::get("/trunkline/status")).json();
        let unknown = u64::from(dollars.is_none());
        (status["cost"] == json!({ "usd": dollars, "unknown": unknown })).then_some(())
    });
    line
}

#[test]
fn wm03_messages_price_what_is_written_to_the_cache() {
    let upstream = Upstream::with_response(response::json("200 OK", &message(WRITTEN)));
    let gateway = gateway(&upstream);
    gateway.send(&messages(false));
    let line = assert_cost(&gateway, Some("0.039215"));
    assert_eq!(value(&line, "input_tokens"), 3914);
    assert_eq!(value(&line, "cache_write_tokens"), 3904);
    let labels = [("model", "c"), ("kind", "cache_write")];
    gateway.await_metric("trunkline_tokens_total", &labels, 3904.0);
}

#[test]
fn wm03_a_stream_of_messages_prices_what_is_written_to_the_cache() {
    let upstream = Upstream::with_response(response::stream(&message_events(WRITTEN)));
    let gateway = gateway(&upstream);
    gateway.send(&messages(true));
    assert_cost(&gateway, Some("0.039215"));
}

#[test]
fn wm03_translated_chat_keeps_the_kinds_and_the_cost() {
    for stream in [false, true] {
        let upstream = Upstream::with_response(if stream {
            response::stream(&message_events(WRITTEN))
        } else {
            response::json("200 OK", &message(WRITTEN))
        });
        let gateway = gateway(&upstream);
        let body = json!({"model":"c","stream":stream,"stream_options":stream.then_some(json!({"include_usage":true})),"messages":[{"role":"user","content":"hi"}]});
        let response = gateway.send(&Request::post("/v1/chat/completions", body.to_string()));
        assert!(
            response.text().contains(r#""cache_write_tokens":3904"#),
            "{}",
            response.text()
        );
        assert_cost(&gateway, Some("0.039215"));
    }
}

#[test]
fn wm03_chat_has_no_cost_without_a_price_of_cache_writes() {
    let usage = r#"{"prompt_tokens":3914,"completion_tokens":5,"total_tokens":3919,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":3904}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", &chat(usage, "")));
    let gateway = gateway(&upstream);
    gateway.send(&Request::chat("m"));
    assert_cost(&gateway, None);
}

#[test]
fn wm03_other_tiers_and_tools_are_priced_or_have_no_cost() {
    let plain = r#"{"input_tokens":10,"output_tokens":5"#;
    for (rest, dollars) in [
        (r#","service_tier":"standard""#, Some("0.000175")),
        (r#","service_tier":"priority""#, None),
        (r#","service_tier":"batch""#, Some("0.0000875")),
        (r#","speed":"fast""#, Some("0.00035")),
        (
            r#","server_tool_use":{"web_search_requests":2}"#,
            Some("0.020175"),
        ),
    ] {
        let upstream = Upstream::with_response(response::json(
            "200 OK",
            &message(&format!("{plain}{rest}}}")),
        ));
        let gateway = gateway(&upstream);
        gateway.send(&messages(false));
        assert_cost(&gateway, dollars);
    }
}

#[test]
fn wm03_the_tier_of_a_chat_is_that_of_its_response() {
    let usage = r#"{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}"#;
    let asked = |tier: &str| {
        let body =
            json!({"model":"m","service_tier":tier,"messages":[{"role":"user","content":"hi"}]});
        Request::post("/v1/chat/completions", body.to_string())
    };
    for (request, outer, dollars) in [
        (Request::chat("m"), "", Some("0.00225")),
        (
            Request::chat("m"),
            r#","service_tier":"default""#,
            Some("0.00225"),
        ),
        (
            Request::chat("m"),
            r#","service_tier":"priority""#,
            Some("0.0045"),
        ),
        (Request::chat("m"), r#","service_tier":"flex""#, None),
        // It may have been served in another one than was asked for.
        (
            asked("priority"),
            r#","service_tier":"default""#,
            Some("0.00225"),
        ),
        (asked("auto"), "", Some("0.00225")),
        (asked("priority"), "", None),
        (asked("flex"), r#","service_tier":null"#, None),
    ] {
        let upstream = Upstream::with_response(response::json("200 OK", &chat(usage, outer)));
        let gateway = gateway(&upstream);
        gateway.send(&request);
        assert_cost(&gateway, dollars);
    }
}

#[test]
fn wm03_a_search_of_the_responses_api_has_no_cost_without_a_price() {
    let body = |output: &str| {
        format!(
            r#"{{"id":"r","object":"response","status":"completed","output":[{output}],"service_tier":"default","usage":{{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}}}"#
        )
    };
    for (output, dollars) in [
        ("", Some("0.00225")),
        (r#"{"type":"web_search_call","status":"completed"}"#, None),
    ] {
        let event = format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{}}}\n\n",
            body(output)
        );
        for (stream, response) in [
            (false, response::json("200 OK", &body(output))),
            (true, response::stream(&[event])),
        ] {
            let upstream = Upstream::with_response(response);
            let gateway = gateway(&upstream);
            let request = json!({"model":"m","input":"hi","stream":stream});
            gateway.send(&Request::post("/v1/responses", request.to_string()));
            assert_cost(&gateway, dollars);
        }
    }
}

/// A chunk with the total so far.
fn total(output: u64) -> String {
    format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"x\"}},\"finish_reason\":null}}],\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":{output},\"total_tokens\":{}}}}}\n\n",
        10 + output
    )
}

#[test]
fn wm02_running_totals_are_not_added_up() {
    let zeros = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}\n\n";
    for behind in [None, Some(zeros)] {
        let mut events = vec![total(1), total(20), total(50), response::finish()];
        events.extend(behind.map(str::to_owned));
        events.push(response::DONE.to_owned());
        let upstream = Upstream::with_response(response::stream(&events));
        let gateway = gateway(&upstream);
        let response = gateway.send(&Request::stream("m"));
        assert_eq!(response.text(), events.concat());
        let line = assert_cost(&gateway, Some("0.0005125"));
        assert_eq!(value(&line, "input_tokens"), 10);
        assert_eq!(value(&line, "output_tokens"), 50);
    }
}

#[test]
fn wm02_a_total_so_far_is_counted_but_has_no_cost() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for output in [1, 20] {
            exchange.send(response::chunk(total(output)));
        }
        exchange.wait_for_disconnect();
    });
    let gateway = gateway(&upstream);
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.read_exact(total(1).len() + total(20).len());
    drop(client);
    let line = assert_cost(&gateway, None);
    assert_eq!(text(&line, "outcome"), "cancelled");
    assert_eq!(value(&line, "input_tokens"), 10);
    assert_eq!(value(&line, "output_tokens"), 20);
}

#[test]
fn wm02_usage_of_zeros_is_unknown_rather_than_zero() {
    let usage = r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let upstream = Upstream::with_response(response::json("200 OK", &chat(usage, "")));
    let gateway = gateway(&upstream);
    gateway.send(&Request::chat("m"));
    let line = assert_cost(&gateway, None);
    assert_eq!(line.get("input_tokens"), None, "{line}");
}
