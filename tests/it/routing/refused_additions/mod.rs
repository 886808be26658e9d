//! What the gateway adds to a request is never what makes it fail: the option that asks
//! for usage is left out where it is not taken, and a limit takes the name that is.

mod attempts;
mod stream_options;
mod translated;

use serde_json::json;

use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::upstream::{Upstream, response};

pub const REFUSAL: &str = r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error","param":null,"code":null}}"#;

/// Whether the request has the option.
pub fn asks(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("include_usage")
}

pub fn stream_with_usage() -> Vec<u8> {
    response::stream(&[
        response::delta("one"),
        response::finish(),
        response::usage(11, 7),
        response::DONE.to_owned(),
    ])
}

/// Answers the option with `refusal`, and the rest with a stream without usage.
pub fn strict(refusal: Vec<u8>) -> Upstream {
    Upstream::start(move |exchange| {
        let refuses = asks(&exchange.read_body());
        exchange.send(if refuses {
            refusal.clone()
        } else {
            response::good_stream()
        });
    })
}

/// For each request that an upstream got: whether it had the option.
pub fn asked(upstream: &Upstream) -> Vec<bool> {
    let requests = upstream.requests();
    requests
        .iter()
        .map(|it| asks(it.text().as_bytes()))
        .collect()
}

pub fn messages() -> Request {
    let body = json!({
        "model": "m", "max_tokens": 64, "stream": true,
        "messages": [{"role": "user", "content": "hi"}],
    });
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

pub fn with_member(member: &str) -> Request {
    let body = format!(r#"{{"model":"m","stream":true,{member},"messages":[]}}"#);
    Request::post("/v1/chat/completions", body)
}

#[track_caller]
pub fn assert_streams(gateway: &Gateway, request: &Request) {
    let response = gateway.send(request);
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.complete && response.text().contains("one"));
    assert!(!response.text().contains("error"), "{}", response.text());
}
