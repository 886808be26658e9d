//! The byte work of the hot path: scanning and splicing a request, inspecting a
//! stream. Figures of one run compare with each other, not with those of another
//! machine.

#[allow(clippy::indexing_slicing, reason = "a benchmark may panic")]
mod corpus;

use std::fmt;
use std::hint::black_box;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::BytesCount;
use trunkline::internals::frames::Frames;
use trunkline::internals::scan::{ScanMode, Scanner, affinity, scan};
use trunkline::internals::splice::{StreamUsage, encode_model, splice};
use trunkline::internals::sse_relay::{FinishRule, StreamInspector};

use corpus::Content;

/// A read of a large body from a socket.
const FRAME: usize = 64 << 10;

/// A body of the corpus.
#[derive(Clone, Copy)]
struct Sample(&'static str, Content, usize);

const CORPUS: [Sample; 8] = [
    Sample("prose, 1 KiB", Content::Prose, 1 << 10),
    Sample("agent, 62 KB", Content::Agent, 62_000),
    Sample("agent, 421 KB", Content::Agent, 421_000),
    Sample("agent, 1.5 MB", Content::Agent, 1_500_000),
    Sample("picture, 2 MB", Content::Picture, 2_000_000),
    Sample("4,000 short messages", Content::ShortMessages, 253_000),
    Sample("prose, 256 KiB", Content::Prose, 256 << 10),
    Sample("prose, 8 MiB", Content::Prose, 8 << 20),
];

impl Sample {
    fn body(self) -> Bytes {
        let Self(_, content, bytes) = self;
        content.body(bytes, "fast", true).into()
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

fn main() {
    divan::main();
}

#[divan::bench(args = CORPUS)]
fn corpus_scan(bencher: Bencher<'_, '_>, sample: Sample) {
    let body = sample.body();
    assert!(scan(&body).is_ok(), "{sample} is a valid body");
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| scan(black_box(&body)));
}

#[divan::bench(args = CORPUS)]
fn corpus_scan_in_frames(bencher: Bencher<'_, '_>, sample: Sample) {
    let body = sample.body();
    bencher.counter(BytesCount::new(body.len())).bench(|| {
        let mut scanner = Scanner::new(ScanMode::ModelRequired);
        for frame in black_box(&body).chunks(FRAME) {
            scanner.feed(frame);
        }
        scanner.finish()
    });
}

/// A baseline: `serde_json` validates the same body.
#[divan::bench(args = CORPUS)]
fn corpus_serde_json(bencher: Bencher<'_, '_>, sample: Sample) {
    let body = sample.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&body)));
}

/// A baseline: `sonic_rs` validates the same body.
#[divan::bench(args = CORPUS)]
fn corpus_sonic_rs(bencher: Bencher<'_, '_>, sample: Sample) {
    let body = sample.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| sonic_rs::from_slice::<serde::de::IgnoredAny>(black_box(&body)));
}

/// A chat request of about `bytes` bytes, with `model` after the messages, as the
/// official Python SDK writes it.
fn body(bytes: usize) -> Bytes {
    let text = "Tell me about the sea, in the words of one who never saw it. ";
    let content = text.repeat(bytes / text.len());
    format!(
        r#"{{"messages":[{{"role":"user","content":"{content}"}}],"model":"fast","stream":true}}"#
    )
    .into()
}

/// The content of a body of 1 MiB.
#[derive(Debug, Clone, Copy)]
enum Shape {
    ModelFirst,
    ModelLast,
    /// Text in which about every eighth byte begins an escape.
    Escapes,
    /// Many short messages.
    ManyMessages,
}

impl Shape {
    const ALL: [Self; 4] = [
        Self::ModelFirst,
        Self::ModelLast,
        Self::Escapes,
        Self::ManyMessages,
    ];

    fn body(self) -> Bytes {
        let (message, content) = match self {
            Self::Escapes => (
                String::new(),
                r#"\"the\" \u00e9t\u00e9\n\tsea "#.repeat(30_000),
            ),
            Self::ManyMessages => {
                let message = r#"{"role":"user","content":"And then?"},"#;
                (message.repeat((1 << 20) / message.len()), String::new())
            }
            _ => return self.plain(),
        };
        format!(
            r#"{{"messages":[{message}{{"role":"user","content":"{content}"}}],"model":"fast"}}"#
        )
        .into()
    }

    fn plain(self) -> Bytes {
        let last = body(1 << 20);
        if matches!(self, Self::ModelLast) {
            return last;
        }
        let text = String::from_utf8_lossy(&last).replacen(r#","model":"fast""#, "", 1);
        text.replacen('{', r#"{"model":"fast","#, 1).into()
    }
}

#[divan::bench(args = Shape::ALL)]
fn scan_shape(bencher: Bencher<'_, '_>, shape: Shape) {
    let body = shape.body();
    assert!(scan(&body).is_ok(), "{shape:?} is a valid body");
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| scan(black_box(&body)));
}

#[divan::bench(args = [1 << 10, 32 << 10, 1 << 20, 8 << 20])]
fn scan_body(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = body(bytes);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| scan(black_box(&body)));
}

/// The second scan for models with affinity: by user, which may be anywhere in the
/// body, and by prompt, which ends with the first message.
#[divan::bench(args = Shape::ALL)]
fn find_session_key(bencher: Bencher<'_, '_>, shape: Shape) {
    let body = shape.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| affinity::session_key(black_box(&body)));
}

#[divan::bench(args = Shape::ALL)]
fn find_prompt_prefix(bencher: Bencher<'_, '_>, shape: Shape) {
    let body = shape.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| affinity::prompt_prefix(black_box(&body), false));
}

/// The baseline: the JSON library validating the same body.
#[divan::bench(args = [1 << 10, 32 << 10, 1 << 20, 8 << 20])]
fn check_with_serde_json(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = body(bytes);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&body)));
}

#[divan::bench(args = [StreamUsage::Observe, StreamUsage::Inject])]
fn splice_body(bencher: Bencher<'_, '_>, usage: StreamUsage) {
    let body = body(32 << 10);
    let Ok(found) = scan(&body) else { return };
    let body = Frames::from(body);
    let model = encode_model("llama-3.3-70b-versatile");
    bencher.bench(|| splice(black_box(&body), &found, &model, usage));
}

#[divan::bench(args = [false, true])]
fn inspect_chunk(bencher: Bencher<'_, '_>, hide_usage: bool) {
    let chunk = Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
          \"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" sea\"},\
          \"logprobs\":null,\"finish_reason\":null}]}\n\n",
    );
    let mut inspector = StreamInspector::new(FinishRule::Chat, hide_usage);
    bencher
        .counter(BytesCount::new(chunk.len()))
        .bench_local(|| inspector.feed(black_box(chunk.clone())));
}
