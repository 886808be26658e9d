//! Settings and results exchanged by the harness's processes, and the exact bytes
//! of requests and responses, so that each can be checked completely.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::corpus::Content;

pub const PATH: &str = "/v1/chat/completions";

/// Settings of the mock upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MockSettings {
    pub response: ResponseKind,
    pub transport: Transport,
    pub threads: usize,
    /// Required length of every request body; `None` if a gateway may rewrite it.
    pub body: Option<usize>,
    /// Contains [`CERTIFICATE`] and [`KEY`].
    pub directory: PathBuf,
}

/// The mock's certificate, relative to the run's directory.
pub const CERTIFICATE: &str = "mock.pem";
pub const KEY: &str = "mock.key";
/// The authority that signed it.
pub const AUTHORITY: &str = "authority.pem";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseKind {
    /// One JSON object of [`UNARY_BYTES`].
    Unary,
    /// Server-sent events, each one HTTP chunk in its own write.
    Stream { chunks: u32, gap: Duration },
}

impl ResponseKind {
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Stream { .. })
    }
}

/// The protocol between gateway and upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    Plain,
    TlsHttp1,
    TlsHttp2,
}

/// Settings of the load generator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadSettings {
    pub port: u16,
    pub threads: usize,
    pub connections: usize,
    pub body: RequestShape,
    /// Lines of the head that only this gateway needs.
    pub field_lines: String,
    /// The number of aliases and client keys, called in turn.
    pub alias_count: usize,
    pub response: ResponseKind,
    /// Responses must be the mock's own bytes.
    pub exact: bool,
    /// Requests per second over all connections; `None` for full speed.
    pub rate: Option<f64>,
    /// Each connection sends one request; they start evenly over this time.
    pub spread: Option<Duration>,
    /// Time between the last connection's first response and the window.
    pub warm_up: Duration,
    /// The measurement window.
    pub window: Duration,
}

impl LoadSettings {
    pub fn streams(&self) -> bool {
        self.response.is_stream()
    }
}

/// The load generator's results of its window.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct LoadResult {
    pub seconds: f64,
    pub requests: u64,
    /// Events of streams, without `[DONE]`.
    pub chunks: u64,
    /// All events.
    pub events_total: u64,
    /// Reads from the socket that completed an event.
    pub reads: u64,
    /// HTTP chunks that contained events.
    pub frames: u64,
    /// Streams open at the end of the window.
    pub open: u64,
    /// From the request's first byte sent to the response's last byte read.
    pub latency: Percentiles,
    /// From the request's first byte to the first event.
    pub first: Percentiles,
    /// From the timestamp in an event to its arrival.
    pub relay: Percentiles,
}

/// Percentiles, in microseconds.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Percentiles {
    /// Percentiles of samples in nanoseconds.
    pub fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let index = (samples.len() as f64 * share) as usize;
            let sample = samples.get(index.min(samples.len().saturating_sub(1)));
            sample.map_or(0.0, |nanos| *nanos as f64 / 1000.0)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
        }
    }
}

/// Nanoseconds since 1970. Two processes share no monotonic clock in the standard
/// library, so timestamps are wall-clock time; a step of that clock during a run
/// would affect only the relay delays.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// The alias with this index.
pub fn alias(index: usize) -> String {
    format!("bench-{index:05}")
}

/// The upstream's name for it, as long as the alias, so that a forwarded body keeps
/// its length.
pub fn upstream_model(index: usize) -> String {
    format!("model-{index:05}")
}

/// The client key with this index.
pub fn client_key(index: usize) -> String {
    format!("sk-bench-{index:05}")
}

/// The body of a chat request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RequestShape {
    pub length: usize,
    /// A conversation of about `length` bytes, `model` after the messages. Without it,
    /// a text of exactly `length` bytes.
    pub content: Option<Content>,
    /// The member `model` comes before the messages instead of after them.
    pub model_first: bool,
}

impl RequestShape {
    pub fn body(&self, alias: &str, streams: bool) -> Vec<u8> {
        match self.content {
            Some(content) => content.body(self.length, alias, streams),
            None => text_body(self.length, alias, self.model_first, streams),
        }
    }

    /// The length of every body, whichever the alias.
    pub fn body_length(&self, streams: bool) -> usize {
        match self.content {
            Some(_) => self.body(&alias(0), streams).len(),
            None => self.length,
        }
    }
}

/// The body of a chat request, of exactly `length` bytes.
fn text_body(length: usize, alias: &str, model_first: bool, streams: bool) -> Vec<u8> {
    let model = format!("\"model\":\"{alias}\"");
    let stream = format!("\"stream\":{streams}");
    let (head, tail) = if model_first {
        (format!("{{{model},\"messages\":["), format!("],{stream}}}"))
    } else {
        (
            "{\"messages\":[".to_owned(),
            format!("],{model},{stream}}}"),
        )
    };
    let text = r#"Tell me of \"the sea\", in the words of one who never saw it.\n"#;
    let opening = r#"{"role":"user","content":""#;
    let message = format!("{opening}{}\"}},", text.repeat(16));
    let close = "\"}";
    let rest = length - head.len() - tail.len() - opening.len() - close.len();
    let messages = rest / message.len();
    let filling = rest - messages * message.len();
    let last = "x".repeat(filling);
    [
        &*head,
        &message.repeat(messages),
        opening,
        &last,
        close,
        &tail,
    ]
    .concat()
    .into_bytes()
}

/// Length of a unary response body.
pub const UNARY_BYTES: usize = 1024;
const RECEIVED_DIGITS: usize = 10;
const UNARY_HEAD: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"model-00000","system_fingerprint":""#;
const UNARY_TAIL: &str = r#""},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":13,"total_tokens":24}}"#;

/// A unary response body with the number of body bytes that the upstream has read.
pub fn unary_body(received: u64) -> Vec<u8> {
    let mut body = format!(
        "{UNARY_HEAD}{received:0RECEIVED_DIGITS$}\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\""
    );
    while body.len() < UNARY_BYTES - UNARY_TAIL.len() {
        body.push('x');
    }
    body.push_str(UNARY_TAIL);
    body.into_bytes()
}

/// Precedes the timestamp of an event; a gateway that rewrites events keeps at least
/// this.
pub const STAMP_MARK: &str = r#""content":""#;
/// Digits of a timestamp.
pub const STAMP_DIGITS: usize = 19;
const EVENT_HEAD: &str = r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"model-00000","choices":[{"index":0,"delta":{"content":""#;
const EVENT_TAIL: &str = " \"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const LAST_TAIL: &str = " \"},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n";
pub const DONE: &str = "data: [DONE]\n\n";

/// One event with this timestamp.
pub fn event(stamp: u64, is_last: bool) -> String {
    let tail = if is_last { LAST_TAIL } else { EVENT_TAIL };
    format!("{EVENT_HEAD}{stamp:0STAMP_DIGITS$}{tail}")
}

/// Length of a stream of this many events.
pub fn stream_bytes(chunks: u32) -> u64 {
    let event = EVENT_HEAD.len() + STAMP_DIGITS + EVENT_TAIL.len();
    let more = LAST_TAIL.len() - EVENT_TAIL.len() + DONE.len();
    event as u64 * u64::from(chunks) + more as u64
}
