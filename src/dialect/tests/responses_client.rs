//! What a Responses client gets.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{CONTEXT, RESPONSES_VIA_CHAT, context, stream};
use crate::dialect::{
    Dialect, DialectPair, InvalidUpstreamResponse, ResponseContext, StreamStatus, StreamTranslator,
    failure_event, gateway_error_event, response_events, translate_response,
};
use crate::wire::error::{ApiError, ErrorType};
use crate::wire::failure::ReportedFailure;
use crate::wire::sse::EVENT_LIMIT_BYTES;

/// The data of events.
fn data(events: &[u8]) -> Vec<Value> {
    let events = std::str::from_utf8(events).unwrap();
    let data = events.split_terminator("\n\n").map(|event| {
        let (kind, data) = event.split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(format!("event: {}", data["type"].as_str().unwrap()), kind);
        data
    });
    data.collect()
}

fn chunk(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n")
}

/// The code of `error`, its type and the code of `response.failed`.
fn codes(events: &[u8]) -> (String, String, String) {
    let events = data(events);
    let [error, failed] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!(error["type"], "error");
    assert_eq!(failed["type"], "response.failed");
    let response = &failed["response"];
    assert_eq!(response["status"], "failed");
    assert_eq!(response["output"], serde_json::json!([]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let message = text(&error["message"]);
    assert_eq!(text(&error["error"]["message"]), message);
    assert_eq!(text(&response["error"]["message"]), message);
    assert_eq!(error["code"], error["error"]["code"]);
    (
        text(&error["code"]),
        text(&error["error"]["type"]),
        text(&response["error"]["code"]),
    )
}

/// Members of an upstream's error; the code of `error`, its type, and the code of
/// `response.failed`.
const FAILURES: [(&str, &str, &str, &str); 11] = [
    (
        r#""code":"insufficient_quota","type":"insufficient_quota""#,
        "insufficient_quota",
        "insufficient_quota",
        "insufficient_quota",
    ),
    (
        r#""code":"context_length_exceeded""#,
        "context_length_exceeded",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    (
        r#""message":"prompt is too long: 9 > 8""#,
        "context_length_exceeded",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    (
        r#""type":"billing_error""#,
        "insufficient_quota",
        "insufficient_quota",
        "insufficient_quota",
    ),
    (
        r#""code":429"#,
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_exceeded",
    ),
    (
        r#""code":400"#,
        "invalid_request_error",
        "invalid_request_error",
        "invalid_prompt",
    ),
    (
        r#""type":"not_found_error""#,
        "not_found",
        "invalid_request_error",
        "invalid_prompt",
    ),
    (
        r#""code":"server_is_overloaded","type":"overloaded_error""#,
        "overloaded",
        "server_error",
        "server_error",
    ),
    (
        r#""code":504"#,
        "upstream_timeout",
        "server_error",
        "server_error",
    ),
    (
        r#""type":"its_own_error","code":500"#,
        "its_own_error",
        "server_error",
        "server_error",
    ),
    (
        r#""type":"authentication_error""#,
        "upstream_auth_failed",
        "server_error",
        "server_error",
    ),
];

/// `OpenAI`'s SDKs raise at the first event, Codex acts on the code of the second.
#[test]
fn a_failure_has_the_codes_that_agents_act_on() {
    for (error, code, kind, failed) in FAILURES {
        let body = format!(r#"{{"error":{{{error}}}}}"#);
        let failure = ReportedFailure::find(body.as_bytes()).unwrap();
        let expected = (code.to_owned(), kind.to_owned(), failed.to_owned());
        assert_eq!(
            codes(&failure_event(Dialect::Responses, &failure)),
            expected
        );
        // Within a stream, the response is known.
        let events = format!("data: {body}\n\n");
        let (out, status) = stream(RESPONSES_VIA_CHAT, &context(), [events.as_bytes()]);
        assert_eq!(status, StreamStatus::Failed);
        assert_eq!(codes(&out), expected);
        assert_eq!(data(&out)[1]["response"]["id"], "req_1");
    }
}

#[test]
fn an_error_of_the_gateway_is_a_failure() {
    for (kind, failed) in [
        (ErrorType::InvalidRequestError, "invalid_prompt"),
        (ErrorType::RateLimitError, "rate_limit_exceeded"),
        (ErrorType::InsufficientQuota, "insufficient_quota"),
        (ErrorType::ServerError, "server_error"),
    ] {
        let error = ApiError {
            message: "Say \"why\".".into(),
            kind,
            param: Some("input".into()),
            code: "its_code",
            limit: None,
        };
        let events = gateway_error_event(Dialect::Responses, &error);
        let (code, _, found) = codes(&events);
        assert_eq!((&*code, &*found), ("its_code", failed));
        let error = &data(&events)[0];
        assert_eq!(error["param"], "input");
        assert_eq!(error["error"]["param"], "input");
    }
}

#[test]
fn an_error_of_the_gateway_within_a_stream_continues_it() {
    let error = ApiError {
        message: "Why.".into(),
        kind: ErrorType::ServerError,
        param: None,
        code: "upstream_stalled",
        limit: None,
    };
    for upstream in [Dialect::Chat, Dialect::Messages] {
        let pair = DialectPair {
            client: Dialect::Responses,
            upstream,
        };
        let mut translator = StreamTranslator::new(pair, &context());
        let mut out = Vec::new();
        let begun = match upstream {
            Dialect::Chat => chunk(r#"{"content":"Hi"}"#),
            _ => "data: {\"type\":\"message_start\"}\n\n".to_owned(),
        };
        translator.push(begun.as_bytes(), &mut out);
        let count = data(&out).len();
        assert!(count > 1, "nothing was written");
        let end = translator.error_event(&error);
        assert_eq!(codes(&end).0, "upstream_stalled");
        let end = data(&end);
        assert_eq!(end[0]["sequence_number"], count);
        assert_eq!(end[1]["sequence_number"], count + 1);
        assert_eq!(end[1]["response"]["id"], "req_1");
    }
}

/// What is in the response is what the events said.
#[test]
fn a_complete_response_has_the_items_of_its_stream() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dialects/response_for_responses");
    let files = fs::read_dir(root).unwrap().map(|it| it.unwrap().path());
    let inputs: Vec<_> = files
        .filter(|path| path.to_str().unwrap().contains(".in."))
        .collect();
    assert!(inputs.len() > 4);
    for path in inputs {
        let body = fs::read(&path).unwrap();
        let whole = translate_response(RESPONSES_VIA_CHAT, &body, &context()).unwrap();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let events = response_events(Dialect::Chat, &body).unwrap();
        let (out, status) = stream(RESPONSES_VIA_CHAT, &context(), [&*events]);
        assert_eq!(status, StreamStatus::Complete, "{}", path.display());
        let last = data(&out).pop().unwrap();
        let types = |response: &Value| -> Vec<Value> {
            let items = response["output"].as_array().unwrap().iter();
            items.map(|item| item["type"].clone()).collect()
        };
        assert_eq!(
            types(&last["response"]),
            types(&whole),
            "{}",
            path.display()
        );
        assert_eq!(last["response"]["usage"], whole["usage"]);
        assert_eq!(last["response"]["status"], whole["status"]);
    }
}

#[test]
fn invalid_completions_are_rejected() {
    let call = |arguments: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"tool_calls":[{{"function":{{"name":"apply_patch","arguments":"{arguments}"}}}}]}}}}]}}"#
        )
    };
    for body in [
        String::new(),
        "[]".to_owned(),
        r#"{"choices":[{}]}"#.to_owned(),
        call(r#"{\"input\":\"a"#),
        call(r#"{\"input\":\"\\q\"}"#),
    ] {
        let response = translate_response(RESPONSES_VIA_CHAT, body.as_bytes(), &context());
        assert_eq!(response, Err(InvalidUpstreamResponse), "{body}");
    }
}

/// The last event repeats all items.
#[test]
fn a_response_that_no_event_could_hold_is_broken() {
    let text = "x".repeat(EVENT_LIMIT_BYTES / 8);
    for delta in [
        format!(r#"{{"content":"{text}"}}"#),
        format!(r#"{{"refusal":"{text}"}}"#),
        format!(r#"{{"reasoning":"{text}"}}"#),
        format!(r#"{{"thinking_blocks":[{{"index":0,"signature":"{text}"}}]}}"#),
        format!(
            r#"{{"tool_calls":[{{"id":"a","function":{{"name":"f","arguments":"{{\"x\":\"{text}\"}}"}}}}]}}"#
        ),
    ] {
        let events: Vec<_> = std::iter::repeat_n(chunk(&delta), 9).collect();
        let translate = |count: usize| {
            let chunks = events.iter().take(count).map(String::as_bytes);
            stream(RESPONSES_VIA_CHAT, &CONTEXT, chunks).1
        };
        assert_eq!(translate(7), StreamStatus::Open, "{}", &delta[..40]);
        assert_eq!(translate(9), StreamStatus::Broken, "{}", &delta[..40]);
    }
}

#[test]
fn ids_differ_in_each_response_and_are_short() {
    let long = "r".repeat(64);
    let mut ids = std::collections::HashSet::new();
    let events = [chunk(r#"{"reasoning":"Hm","content":"Hi"}"#)].concat();
    for fallback_id in ["resp_1", "resp_2", &long] {
        let context = ResponseContext {
            fallback_id,
            ..CONTEXT
        };
        let (out, _) = stream(RESPONSES_VIA_CHAT, &context, [events.as_bytes()]);
        let events = data(&out);
        assert_eq!(events[0]["response"]["id"], fallback_id);
        let added = events
            .iter()
            .filter_map(|event| event["item"]["id"].as_str());
        let added: std::collections::HashSet<_> = added.map(ToOwned::to_owned).collect();
        assert_eq!(added.len(), 2);
        for id in added {
            assert!(id.len() < 40 && (id.starts_with("msg_") || id.starts_with("rs_")));
            assert!(ids.insert(id));
        }
    }
}

/// A cut stream of a Messages upstream never looks complete either.
#[test]
fn a_stream_that_was_translated_twice_is_not_complete_when_cut() {
    let pair = DialectPair {
        client: Dialect::Responses,
        upstream: Dialect::Messages,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/dialects/stream_for_chat/thinking_and_tools.in.sse");
    let input = fs::read(path).unwrap();
    let unsplit = stream(pair, &context(), [&*input]);
    assert_eq!(unsplit.1, StreamStatus::Complete);
    let last = data(&unsplit.0).pop().unwrap();
    assert_eq!(last["type"], "response.completed");
    let items = last["response"]["output"].as_array().unwrap();
    assert_eq!(items[0]["type"], "reasoning");
    assert!(
        items[0]["encrypted_content"]
            .as_str()
            .unwrap()
            .starts_with("tlth_")
    );
    for len in (0..input.len()).step_by(9) {
        let (first, second) = input.split_at(len);
        assert_eq!(stream(pair, &context(), [first, second]), unsplit);
        let (out, status) = stream(pair, &context(), [first]);
        let kinds = data(&out);
        let is_complete = kinds.iter().any(|it| it["type"] == "response.completed");
        assert_eq!(is_complete, status == StreamStatus::Complete);
    }
}
