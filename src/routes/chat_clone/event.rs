//! Events as sse-starlette 1.8 writes them: lines end in CRLF, and a ping is a comment.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::wall_clock;

pub const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// The data of the event that ends a stream.
pub const DONE: &[u8] = b"[DONE]";

/// The data of an error.
#[derive(Serialize)]
pub struct StreamError<'a> {
    pub message: &'a str,
    /// The status of the response, or what it would have been.
    pub code: u16,
    #[serde(rename = "type")]
    pub kind: &'a str,
}

#[derive(Serialize)]
struct ErrorData<'a> {
    error: StreamError<'a>,
}

pub fn write(data: &[u8], out: &mut Vec<u8>) {
    for line in data.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

pub fn write_error(error: StreamError<'_>, out: &mut Vec<u8>) {
    // Text and a number cannot fail.
    let data = serde_json::to_vec(&ErrorData { error }).unwrap_or_default();
    write(&data, out);
}

pub fn ping() -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    let now = Timestamp::try_from(wall_clock::now()).unwrap_or_default();
    let now = now.strftime("%Y-%m-%d %H:%M:%S%.6f");
    // Writing to memory cannot fail.
    let _ = write!(out, ": ping - {now}\r\n\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::{StreamError, ping, write, write_error};

    #[test]
    fn lines_end_in_crlf() {
        let mut out = Vec::new();
        write(b"{\r\n}", &mut out);
        write_error(
            StreamError {
                message: "no \"x\"",
                code: 400,
                kind: "ConfigurationError",
            },
            &mut out,
        );
        let expected = "data: {\r\ndata: }\r\n\r\ndata: {\"error\":{\"message\":\"no \\\"x\\\"\",\
                        \"code\":400,\"type\":\"ConfigurationError\"}}\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_ping_has_the_time() {
        let ping = String::from_utf8(ping()).unwrap();
        let shape: String = ping
            .chars()
            .map(|it| if it.is_ascii_digit() { '0' } else { it })
            .collect();
        assert_eq!(shape, ": ping - 0000-00-00 00:00:00.000000\r\n\r\n");
    }
}
