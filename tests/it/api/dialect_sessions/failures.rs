//! Errors of upstreams, as the client expects them.

use serde_json::{Value, json};

use super::{MESSAGE, chat, chat_gateway, claude_gateway, messages, messages_error};
use crate::support::assert_response;
use crate::support::upstream::{Upstream, response};

/// What providers say when the prompt is too long.
const TOO_LONG: [&str; 7] = [
    r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
    r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
    r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}"#,
    r#"{"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","code":400}}"#,
    r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
    r#"{"error":{"message":"Slow.","code":"context_length_exceeded"}}"#,
    r#"{"error":"prompt is too long: 9 > 8"}"#,
];

#[test]
fn wt07_a_prompt_that_is_too_long_is_named_as_the_client_expects() {
    for body in TOO_LONG {
        let words = words(body);
        let upstream = Upstream::with_response(response::json("400 Bad Request", body));
        let gateway = chat_gateway(&upstream);
        for streams in [false, true] {
            let response = gateway.send(&messages("m", json!({"stream":streams})));
            let message = messages_error(&response, 400, "invalid_request_error");
            assert!(
                message.starts_with("prompt is too long: ") && message.ends_with(&words),
                "{message}"
            );
            assert_eq!(
                message.matches("prompt is too long").count(),
                1,
                "{message}"
            );
        }
    }
    let named = r#"{"error":{"message":"Too large.","code":"context_length_exceeded"}}"#;
    let upstream = Upstream::with_response(response::json("413 Content Too Large", named));
    let response = chat_gateway(&upstream).send(&messages("m", json!({})));
    let message = messages_error(&response, 400, "invalid_request_error");
    assert_eq!(message, "prompt is too long: Too large.");
    // Other errors keep their words, whatever is in them.
    for (status, body) in [
        (
            "413 Content Too Large",
            r#"{"error":{"message":"The context length exceeded the limit."}}"#,
        ),
        (
            "429 Too Many Requests",
            r#"{"error":{"message":"Too many tokens: maximum context length per minute."}}"#,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"The context is odd."}}"#,
        ),
    ] {
        let upstream = Upstream::with_response(response::json(status, body));
        let response = chat_gateway(&upstream).send(&messages("m", json!({})));
        assert_eq!(response.json()["error"]["message"], words(body));
    }
}

#[test]
fn wt07_a_stream_that_starts_with_the_error_names_it_too() {
    for body in &TOO_LONG[..4] {
        let events = [response::event(body), response::DONE.to_owned()];
        let upstream = Upstream::with_response(response::stream(&events));
        let response = chat_gateway(&upstream).send(&messages("m", json!({"stream":true})));
        let text = response.text();
        let expected = format!("prompt is too long: {}", words(body));
        assert!(text.contains(r#""type":"invalid_request_error""#), "{text}");
        assert!(
            text.contains(&expected) && !text.contains("message_stop"),
            "{text}"
        );
    }
}

#[test]
fn wt07_both_of_anthropics_sentences_are_known_to_chat_clients() {
    for words in [
        "prompt is too long: 200001 tokens > 200000 maximum",
        "messages: prompt is too long",
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again",
    ] {
        let error =
            json!({"type":"error","error":{"type":"invalid_request_error","message":words}});
        let upstream =
            Upstream::with_response(response::json("400 Bad Request", &error.to_string()));
        let response = claude_gateway(&upstream).send(&chat("c", json!({})));
        assert_response::error(&response, 400, "context_length_exceeded", None);
        assert_eq!(response.json()["error"]["message"], words);
    }
}

/// The provider's words in an error.
fn words(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let error = body.get(0).unwrap_or(&body);
    let error = error.get("error").unwrap_or(error);
    error["message"]
        .as_str()
        .or(error.as_str())
        .unwrap()
        .to_owned()
}

#[test]
fn wu04_failures_under_a_good_status_have_the_clients_format() {
    let send_messages = |body: &str| {
        let upstream = Upstream::with_response(response::json("200 OK", body));
        chat_gateway(&upstream).send(&messages("m", json!({})))
    };
    for (body, status, kind, words) in [
        (
            r#"{"id":null,"choices":null,"error":{"message":"Provider returned error","code":429}}"#,
            429,
            "rate_limit_error",
            "Provider returned error",
        ),
        (
            r#"{"id":"g1","error":{"message":"Upstream overloaded","code":502}}"#,
            502,
            "api_error",
            "Upstream overloaded",
        ),
        (
            r#"{"error":{"message":"Busy","code":"503"}}"#,
            529,
            "overloaded_error",
            "Busy",
        ),
        (
            r#"{"object":"error","message":"Wrong.","type":"BadRequestError","code":400}"#,
            400,
            "invalid_request_error",
            "Wrong.",
        ),
        (
            r#"{"error":"maximum context length is 8"}"#,
            400,
            "invalid_request_error",
            "prompt is too long: maximum context length is 8",
        ),
        (
            r#"{"error":{"message":"Key sk-secret","code":401}}"#,
            502,
            "api_error",
            "The upstream rejected the gateway's credential for this model. The gateway's operator must renew it.",
        ),
    ] {
        assert_eq!(messages_error(&send_messages(body), status, kind), words);
    }
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", overloaded));
    let response = claude_gateway(&upstream).send(&chat("c", json!({})));
    assert_response::error(&response, 503, "overloaded", None);
    assert_eq!(response.json()["error"]["message"], "Overloaded");
}

#[test]
fn wu04_a_complete_response_becomes_the_stream_that_was_requested() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let response = chat_gateway(&upstream).send(&messages("m", json!({"stream":true})));
    let text = response.text();
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert!(
        response.complete && text.contains(r#""text":"hello""#),
        "{text}"
    );
    assert!(
        text.contains(r#""output_tokens":7"#) && text.ends_with("{\"type\":\"message_stop\"}\n\n"),
        "{text}"
    );
    let upstream = Upstream::with_response(response::json("200 OK", MESSAGE));
    let request = chat(
        "c",
        json!({"stream":true,"stream_options":{"include_usage":true}}),
    );
    let response = claude_gateway(&upstream).send(&request);
    let text = response.text();
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert!(
        response.complete && text.contains(r#""content":"hello""#),
        "{text}"
    );
    assert!(
        text.contains(r#""completion_tokens":4"#) && text.ends_with(response::DONE),
        "{text}"
    );
}
