//! Which dialect a provider is called in, and what happens where it lacks a call.

mod choice;
mod missing_calls;
mod passed_over;
mod responses_client;
mod responses_upstream;
mod websocket_usage;
mod websockets;

use serde_json::{Value, json};

use crate::support::request::Request;
use crate::support::upstream::{Upstream, response};

pub const CHAT: &str = "dialects = [\"chat\"]";
pub const MESSAGES: &str = "dialects = [\"messages\"]";
pub const RESPONSES: &str = "dialects = [\"responses\"]";

pub const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":7}}"#;
pub const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"x","output":[{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":18}}"#;

/// How servers that know no such path respond.
pub const NO_SUCH_CALL: [(&str, &str, &str); 5] = [
    (
        "404 Not Found",
        "application/json",
        r#"{"detail":"Not Found"}"#,
    ),
    (
        "405 Method Not Allowed",
        "application/json",
        r#"{"detail":"Method Not Allowed"}"#,
    ),
    ("404 Not Found", "text/plain", "404 page not found"),
    (
        "404 Not Found",
        "text/html",
        "<html><title>404</title></html>",
    ),
    ("501 Not Implemented", "text/plain", ""),
];

/// A server with these paths, which responds to all else as this row of [`NO_SUCH_CALL`].
pub fn server(paths: &'static [&'static str], row: usize) -> Upstream {
    let (status, kind, body) = NO_SUCH_CALL[row];
    let kind = format!("Content-Type: {kind}");
    Upstream::start(move |exchange| {
        exchange.read_body();
        let target = exchange.request().target.clone();
        let path = paths.iter().find(|path| target.starts_with(**path));
        exchange.send(match path {
            Some(&"/v1/chat/completions") => response::completion("hello"),
            Some(&"/v1/messages") => response::json("200 OK", MESSAGE),
            Some(&"/v1/responses") => response::json("200 OK", RESPONSE),
            Some(_) => response::json("200 OK", "{\"data\":[]}"),
            None => response::with_body(status, &[&kind], body),
        });
    })
}

/// The paths of the requests that an upstream got.
pub fn targets(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.requests().into_iter();
    requests.map(|seen| seen.target).collect()
}

pub fn chat() -> Request {
    Request::chat("m")
}

pub fn messages() -> Request {
    let body = json!({"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}]});
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

pub fn responses() -> Request {
    Request::post(
        "/v1/responses",
        r#"{"model":"m","input":"hi","store":false}"#,
    )
}

/// The text of a complete response of any dialect.
#[track_caller]
pub fn text(body: &Value) -> &str {
    let found = [
        &body["choices"][0]["message"]["content"],
        &body["content"][0]["text"],
        &body["output"][0]["content"][0]["text"],
    ];
    let text = found.into_iter().find_map(Value::as_str);
    text.unwrap_or_else(|| panic!("no text: {body}"))
}
