//! Faults of upstreams with another target available: the client gets the healthy
//! target's response where docs/routing.md permits a retry, and otherwise an error.
//!
//! Each case runs for unary responses and for streams, with one and with two faulty
//! targets before the healthy one, and once more with `retry.non_idempotent`.

mod before_response;
mod responses;
mod several_targets;
mod streams;

use crate::support::upstream::{Exchange, response};

const JSON: &str = "Content-Type: application/json";
const EVENTS: &str = "Content-Type: text/event-stream";
const ERROR: &str =
    r#"{"error":{"message":"no","type":"server_error","param":null,"code":"some_code"}}"#;

fn wants_stream(exchange: &mut Exchange<'_>) -> bool {
    String::from_utf8_lossy(&exchange.read_body()).contains("\"stream\":true")
}

/// An error with `Connection: close`: a connection that closed without it could
/// fail the next request.
fn error_with_close(status: &str) -> String {
    let length = format!("Content-Length: {}", ERROR.len());
    let head = response::head(status, &[JSON, "Connection: close", &length]);
    head + ERROR
}

/// A head, and then one event or half an object.
fn begin(exchange: &mut Exchange<'_>) {
    if wants_stream(exchange) {
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
    } else {
        exchange.send(response::head(
            "200 OK",
            &[JSON, "Transfer-Encoding: chunked"],
        ));
        exchange.send(response::chunk("{\"choices\":["));
    }
}
