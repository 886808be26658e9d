//! What the hot path does to bytes: scanning and splicing a request, following
//! a stream. `cargo bench` runs it; figures from one run are to be compared
//! with each other, not with those of another machine.

use std::hint::black_box;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::BytesCount;
use trunkline::internals::scan::{affinity, scan};
use trunkline::internals::splice::{StreamUsage, encode_model, splice};
use trunkline::internals::sse_relay::{FinishRule, Follower};

fn main() {
    divan::main();
}

/// A chat request of about this many bytes, its `model` behind the messages as
/// the official Python SDK writes it.
fn body(bytes: usize) -> Bytes {
    let text = "Tell me about the sea, in the words of somebody who never saw it. ";
    let content = text.repeat(bytes / text.len());
    format!(
        r#"{{"messages":[{{"role":"user","content":"{content}"}}],"model":"fast","stream":true}}"#
    )
    .into()
}

/// What a body of 1 MiB is made of.
#[derive(Debug, Clone, Copy)]
enum Shape {
    ModelFirst,
    ModelLast,
    /// Text in which every eighth byte or so begins an escape.
    Escapes,
    /// Many messages of a few words each.
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
    assert!(scan(&body).is_ok(), "{shape:?} is a body like any other");
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

/// The second look that models with affinity take: by the user, whose name may
/// stand anywhere, and by the prompt, which ends with the first message.
#[divan::bench(args = Shape::ALL)]
fn find_caller(bencher: Bencher<'_, '_>, shape: Shape) {
    let body = shape.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| affinity::caller(black_box(&body)));
}

#[divan::bench(args = Shape::ALL)]
fn find_opening(bencher: Bencher<'_, '_>, shape: Shape) {
    let body = shape.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| affinity::opening(black_box(&body)));
}

/// The yardstick of the above: the JSON library checking the same body.
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
    let model = encode_model("llama-3.3-70b-versatile");
    bencher.bench(|| splice(black_box(&body), &found, &model, usage));
}

#[divan::bench(args = [false, true])]
fn follow_chunk(bencher: Bencher<'_, '_>, hide_usage: bool) {
    let chunk = Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
          \"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" sea\"},\
          \"logprobs\":null,\"finish_reason\":null}]}\n\n",
    );
    let mut follower = Follower::new(FinishRule::Chat, hide_usage);
    bencher
        .counter(BytesCount::new(chunk.len()))
        .bench_local(|| follower.feed(black_box(chunk.clone())));
}
