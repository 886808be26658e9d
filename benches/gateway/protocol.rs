//! What the processes of one turn have agreed on: their orders, and the very
//! bytes of requests and answers, so that each can be checked to the last one.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The path that every request goes to.
pub const PATH: &str = "/v1/chat/completions";

/// Orders of the mock upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MockOrders {
    pub answer: Answer,
    pub transport: Transport,
    pub threads: usize,
    /// Length that every request's body must have; none where a gateway may
    /// write the body anew.
    pub body: Option<usize>,
    /// Where [`CERTIFICATE`] and [`KEY`] are.
    pub directory: PathBuf,
}

/// The mock's certificate, below the run's directory.
pub const CERTIFICATE: &str = "mock.pem";
/// Its key.
pub const KEY: &str = "mock.key";
/// The authority that signed it.
pub const AUTHORITY: &str = "authority.pem";

/// What the upstream answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// One JSON object of [`UNARY_BYTES`].
    Unary,
    /// Server-sent events, one in each HTTP chunk and in a write of its own.
    Stream { chunks: u32, gap: Duration },
}

/// What lies between gateway and upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    Plain,
    TlsHttp1,
    TlsHttp2,
}

/// Orders of the load generator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadOrders {
    pub port: u16,
    pub threads: usize,
    pub connections: usize,
    /// Length of a request's body.
    pub body: usize,
    /// The member `model` comes before the messages instead of behind them.
    pub model_first: bool,
    /// How many aliases and client keys are called in turn.
    pub names: usize,
    pub answer: Answer,
    /// Answers must be the mock's own bytes.
    pub exact: bool,
    /// Requests a second over all connections; none for as many as will go.
    pub rate: Option<f64>,
    /// Each connection makes one request; they start evenly over this time.
    pub spread: Option<Duration>,
    /// Time between the last connection's first answer and the window.
    pub warm_up: Duration,
    /// Time in which things are counted.
    pub window: Duration,
}

/// What the load generator saw in its window.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Seen {
    pub seconds: f64,
    pub requests: u64,
    /// Events of streams, the last `[DONE]` not among them.
    pub chunks: u64,
    /// The same with the `[DONE]`s and whatever else came.
    pub pieces: u64,
    /// Reads from the socket that brought an event to its end.
    pub reads: u64,
    /// HTTP chunks that events came in.
    pub frames: u64,
    /// Streams that were open at the window's end.
    pub open: u64,
    /// From the request's first byte sent to the answer's last byte read.
    pub latency: Spread,
    /// To the first event of a stream.
    pub first: Spread,
    /// From the time stamped into an event to its arrival.
    pub relay: Spread,
}

/// Percentiles, in microseconds.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Spread {
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

/// Nanoseconds since 1970. Two processes share no monotonic clock that the
/// standard library shows, so stamps are of the wall clock; a step of that
/// clock within a run would show in the relay delays and nowhere else.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Alias number `index`, as callers write it.
pub fn alias(index: usize) -> String {
    format!("bench-{index:05}")
}

/// The upstream's name for it. As long as the alias, so that a body keeps its
/// length on the way.
pub fn upstream_model(index: usize) -> String {
    format!("model-{index:05}")
}

/// Client key number `index`.
pub fn client_key(index: usize) -> String {
    format!("sk-bench-{index:05}")
}

/// The body of a chat request, of exactly `length` bytes.
pub fn request_body(length: usize, alias: &str, model_first: bool, streams: bool) -> Vec<u8> {
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
    let open = r#"{"role":"user","content":""#;
    let turn = format!("{open}{}\"}},", text.repeat(16));
    let close = "\"}";
    let rest = length - head.len() - tail.len() - open.len() - close.len();
    let turns = rest / turn.len();
    let filling = rest - turns * turn.len();
    let last = "x".repeat(filling);
    [&*head, &turn.repeat(turns), open, &last, close, &tail]
        .concat()
        .into_bytes()
}

/// Length of a unary answer.
pub const UNARY_BYTES: usize = 1024;
const RECEIVED_DIGITS: usize = 10;
const UNARY_HEAD: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"model-00000","system_fingerprint":""#;
const UNARY_TAIL: &str = r#""},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":13,"total_tokens":24}}"#;

/// A unary answer that says how many bytes of body the upstream has read.
pub fn unary_answer(received: u64) -> Vec<u8> {
    let mut answer = format!(
        "{UNARY_HEAD}{received:0RECEIVED_DIGITS$}\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\""
    );
    while answer.len() < UNARY_BYTES - UNARY_TAIL.len() {
        answer.push('x');
    }
    answer.push_str(UNARY_TAIL);
    answer.into_bytes()
}

/// What comes before the stamp of an event; a gateway that writes events anew
/// keeps at least this.
pub const STAMP_MARK: &str = r#""content":""#;
/// Digits of a stamp.
pub const STAMP_DIGITS: usize = 19;
const EVENT_HEAD: &str = r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"model-00000","choices":[{"index":0,"delta":{"content":""#;
const EVENT_TAIL: &str = " \"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const LAST_TAIL: &str = " \"},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n";
/// The end of every stream.
pub const DONE: &str = "data: [DONE]\n\n";

/// One event with the present time in it.
pub fn event(stamp: u64, is_last: bool) -> String {
    let tail = if is_last { LAST_TAIL } else { EVENT_TAIL };
    format!("{EVENT_HEAD}{stamp:0STAMP_DIGITS$}{tail}")
}

/// Length of a whole stream of this many events.
pub fn stream_bytes(chunks: u32) -> u64 {
    let event = EVENT_HEAD.len() + STAMP_DIGITS + EVENT_TAIL.len();
    let more = LAST_TAIL.len() - EVENT_TAIL.len() + DONE.len();
    event as u64 * u64::from(chunks) + more as u64
}
