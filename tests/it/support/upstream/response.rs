//! Responses of upstreams, as bytes.

use std::fmt::Write as _;

/// A head without framing headers.
pub fn head(status: &str, headers: &[&str]) -> String {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for header in headers {
        write!(head, "{header}\r\n").unwrap();
    }
    head + "\r\n"
}

/// A response with a `Content-Length`.
pub fn with_body(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("Content-Length: {}", body.len());
    let headers: Vec<&str> = headers.iter().copied().chain([length.as_str()]).collect();
    [head(status, &headers).as_bytes(), body].concat()
}

pub fn json(status: &str, body: &str) -> Vec<u8> {
    with_body(status, &["Content-Type: application/json"], body)
}

/// A chat completion with this content and usage 11 in, 7 out.
pub fn completion(content: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"id":"c1","object":"chat.completion","created":1,"model":"real-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}}}"#
    );
    json("200 OK", &body)
}

/// The head of a chunked event stream.
pub fn stream_head() -> String {
    head(
        "200 OK",
        &[
            "Content-Type: text/event-stream",
            "Transfer-Encoding: chunked",
        ],
    )
}

pub fn chunk(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The event that ends a stream of completions.
pub const DONE: &str = "data: [DONE]\n\n";

pub fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// A chat chunk whose delta is `content`.
pub fn delta(content: &str) -> String {
    event(&format!(
        r#"{{"id":"c1","object":"chat.completion.chunk","created":1,"model":"real-model","choices":[{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":null}}]}}"#
    ))
}

/// The chat chunk with the finish reason.
pub fn finish() -> String {
    event(
        r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"real-model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    )
}

/// The extra chunk sent for `include_usage`.
pub fn usage(input: u32, output: u32) -> String {
    event(&format!(
        r#"{{"id":"c1","object":"chat.completion.chunk","created":1,"model":"real-model","choices":[],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{}}}}}"#,
        input + output
    ))
}

/// A complete event stream, one HTTP chunk per event.
pub fn stream(events: &[impl AsRef<str>]) -> Vec<u8> {
    let mut bytes = stream_head().into_bytes();
    for event in events {
        bytes.extend(chunk(event.as_ref()));
    }
    bytes.extend(LAST_CHUNK);
    bytes
}

/// A complete stream of two deltas.
pub fn good_stream() -> Vec<u8> {
    stream(&[delta("one"), delta("two"), finish(), DONE.to_owned()])
}
