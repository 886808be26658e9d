//! Shapes of providers. Where they come from: `OpenAI`, Anthropic, Mistral, vLLM,
//! Groq, `OpenRouter`, Gemini, `FastAPI`, `DashScope`, `MiniMax`, Zhipu.

use super::{ReportedFailure, is_suspect};

fn find(data: &str) -> Option<ReportedFailure> {
    let found = ReportedFailure::find(data.as_bytes());
    assert!(found.is_none() || is_suspect(data.as_bytes()), "{data}");
    found
}

/// Message, type, code, status.
type Words<'w> = (
    Option<&'w str>,
    Option<&'w str>,
    Option<&'w str>,
    Option<u16>,
);

fn words(found: &ReportedFailure) -> Words<'_> {
    (
        found.message.as_deref(),
        found.kind.as_deref(),
        found.code.as_deref(),
        found.status,
    )
}

const FAILURES: [(&str, Words<'static>); 31] = [
    (
        r#"{"id":null,"choices":null,"usage":null,"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"Too Many Requests"}}}"#,
        (Some("Provider returned error"), None, None, Some(429)),
    ),
    (
        r#"{"id":"g1","error":{"message":"Upstream overloaded","code":502}}"#,
        (Some("Upstream overloaded"), None, None, Some(502)),
    ),
    (
        r#"{"error":"overloaded"}"#,
        (Some("overloaded"), None, None, None),
    ),
    (
        r#"{"error":"rate_limited","message":"Slow down"}"#,
        (Some("Slow down"), None, Some("rate_limited"), None),
    ),
    (r#"{"error":true}"#, (None, None, None, None)),
    (
        r#"{"error":true,"message":"Down"}"#,
        (Some("Down"), None, None, None),
    ),
    (
        r#"{"error":[{"message":"m","type":"t","code":"c"}]}"#,
        (Some("m"), Some("t"), Some("c"), None),
    ),
    (
        r#"{"error":{"message":"m","code":"429"}}"#,
        (Some("m"), None, None, Some(429)),
    ),
    (
        r#"{"error":{"message":"m","code":1301}}"#,
        (Some("m"), None, Some("1301"), None),
    ),
    (
        r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#,
        (Some("m"), None, None, Some(503)),
    ),
    (
        r#"{"error":{"error":{"message":"deep","code":"c"}}}"#,
        (Some("deep"), None, Some("c"), None),
    ),
    (
        r#"{"choices":[{"index":0}],"error":{"message":"m"}}"#,
        (Some("m"), None, None, None),
    ),
    (
        "\u{feff}[{\"error\":{\"code\":400,\"message\":\"m\"}}]",
        (Some("m"), None, None, Some(400)),
    ),
    (
        r#"{"object":"error","message":"m","type":"invalid_function_call","param":null,"code":"3280"}"#,
        (Some("m"), Some("invalid_function_call"), Some("3280"), None),
    ),
    (
        r#"{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}"#,
        (Some("m"), Some("BadRequestError"), None, Some(400)),
    ),
    (
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        (Some("Overloaded"), Some("overloaded_error"), None, None),
    ),
    (
        r#"{"type":"error","code":"server_error","message":"m","param":null}"#,
        (Some("m"), None, Some("server_error"), None),
    ),
    (
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}"#,
        (Some("m"), None, Some("server_error"), None),
    ),
    (
        r#"{"object":"response","status":"failed","error":{"code":"x","message":"m"}}"#,
        (Some("m"), None, Some("x"), None),
    ),
    (
        r#"{"object":"response","status":"failed","error":null,"output":[{}]}"#,
        (None, None, None, None),
    ),
    (
        r#"{"error_code":336003,"error_msg":"m"}"#,
        (Some("m"), None, Some("336003"), None),
    ),
    (r#"{"error_message":"m"}"#, (Some("m"), None, None, None)),
    (
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#,
        (None, None, None, None),
    ),
    (
        r#"{"choices":[{"index":0,"message":{"content":"A"},"finish_reason":"network_error"}]}"#,
        (
            Some("The model's provider ended the response: network_error."),
            None,
            None,
            None,
        ),
    ),
    (
        r#"{"choices":[{"index":0,"finish_reason":"error","error":{"code":502,"message":"m"}}]}"#,
        (Some("m"), None, None, Some(502)),
    ),
    (
        r#"{"choices":[],"x_groq":{"error":"over capacity"}}"#,
        (Some("over capacity"), None, None, None),
    ),
    (
        r#"{"code":500,"msg":"404 NOT_FOUND","success":false}"#,
        (Some("404 NOT_FOUND"), None, None, Some(500)),
    ),
    (
        r#"{"code":"Throttling","message":"m","request_id":"r"}"#,
        (Some("m"), None, Some("Throttling"), None),
    ),
    (
        r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#,
        (Some("login fail"), None, Some("1004"), None),
    ),
    (
        r#"{"detail":"Not Found"}"#,
        (Some("Not Found"), None, None, None),
    ),
    (
        r#"{"errors":[{"message":"a","code":7000},{"message":"b"}],"result":null}"#,
        (Some("a; b"), None, Some("7000"), None),
    ),
];

#[test]
fn wu04_a_failure_is_found_in_any_shape() {
    for (data, expected) in FAILURES {
        let found = find(data).unwrap_or_else(|| panic!("no failure in {data}"));
        assert_eq!(words(&found), expected, "{data}");
    }
}

#[test]
fn wu01_an_empty_error_is_none() {
    for error in [
        "null",
        "\"\"",
        "\" \"",
        "{}",
        "[]",
        "[{}]",
        "false",
        "0",
        r#"{"message":"","type":"","param":"","code":null}"#,
        r#"{"message":null,"code":0}"#,
    ] {
        for data in [
            format!(r#"{{"id":"c1","choices":[{{"index":0,"delta":{{}}}}],"error":{error}}}"#),
            format!(r#"{{"choices":[{{"index":0,"error":{error},"finish_reason":""}}]}}"#),
            format!(r#"{{"object":"response","status":"completed","error":{error}}}"#),
            format!(r#"{{"choices":[{{}}],"x_groq":{{"id":"r","error":{error}}}}}"#),
            format!(r#"{{"error":{error},"error_msg":"","object":"chat.completion"}}"#),
        ] {
            assert_eq!(find(&data), None, "{data}");
        }
    }
}

#[test]
fn results_and_notices_are_no_failures() {
    for data in [
        r#"{"choices":[{"message":{"content":"\"error\": {\"message\":1}"}}]}"#,
        r#"{"choices":[{"message":{"error":"inside"}}],"message":"m"}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
        r#"{"id":"","choices":[],"prompt_filter_results":[{"error":{"code":"x"}}]}"#,
        r#"{"choices":[{"index":0}],"base_resp":{"status_code":0,"status_msg":""}}"#,
        r#"{"choices":[{"index":0}],"code":500,"message":"m"}"#,
        r#"{"type":"message","content":[{"type":"text","text":"m"}],"stop_reason":"end_turn"}"#,
        r#"{"type":"message_start","message":{"content":[],"usage":{}}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"notice","message":"queued"}"#,
        r#"{"status":"queued","message":"position 3"}"#,
        r#"{"code":200,"message":"ok"}"#,
        r#"{"code":"Success","message":"m"}"#,
        r#"{"object":"response","status":"incomplete","error":null}"#,
        r#"{"object":"list","data":[{"error":"x"}],"message":"m"}"#,
        r#"{"type":"response.output_item.done","item":{"status":"failed"}}"#,
        "{}",
        "[]",
        "[[]]",
        "null",
        "3",
        "",
        "Internal Server Error",
        r#"{"error":{"message":"cut"#,
        r#"{"error":{"message":"m"}} x"#,
    ] {
        assert_eq!(find(data), None, "{data}");
    }
}

#[test]
fn words_are_read_where_the_status_says_that_it_failed() {
    for (body, expected) in [
        (r#"{"message":"m"}"#, Some("m")),
        (r#"{"code":0,"message":"m","object":"x"}"#, Some("m")),
        (r#"{"detail":"d"}"#, Some("d")),
        (
            r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"missing"},{"msg":"b"}]}"#,
            Some("body.messages.0: field required; b"),
        ),
        (
            r#"{"detail":{"error":{"message":"nested"}}}"#,
            Some("nested"),
        ),
        (r#"{"errors":["a"]}"#, Some("a")),
        (r#"{"error":{"message":""},"message":"m"}"#, Some("m")),
        (
            "data: {\"error\":{\"message\":\"m\"}}\n\ndata: [DONE]\n\n",
            Some("m"),
        ),
        (
            "event: error\r\ndata: {\"type\":\"error\",\"error\":{\"message\":\"m\"}}",
            Some("m"),
        ),
        ("{}", None),
        ("Bad Gateway", None),
        ("", None),
    ] {
        let read = ReportedFailure::read(body.as_bytes());
        assert_eq!(read.message.as_deref(), expected, "{body}");
    }
}

#[test]
fn deep_nesting_is_no_failure() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(find(&deep), None);
    assert_eq!(find(&format!(r#"{{"error":{deep}}}"#)), None);
}
