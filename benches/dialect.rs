//! Translating streams: nanoseconds for each event of the upstream. Figures of one run
//! compare with each other, not with those of another machine.

use std::fmt;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use trunkline::internals::dialect::{
    Dialect, DialectPair, ResponseContext, StreamStatus, StreamTranslator,
};

/// Events with content in a stream.
const DELTAS: usize = 256;

/// A client and an upstream.
#[derive(Clone, Copy)]
struct Pair(Dialect, Dialect);

const PAIRS: [Pair; 6] = [
    Pair(Dialect::Messages, Dialect::Chat),
    Pair(Dialect::Responses, Dialect::Chat),
    Pair(Dialect::Chat, Dialect::Messages),
    Pair(Dialect::Responses, Dialect::Messages),
    Pair(Dialect::Chat, Dialect::Responses),
    Pair(Dialect::Messages, Dialect::Responses),
];

/// What the stream consists of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Arguments,
}

fn main() {
    divan::main();
}

#[divan::bench(args = PAIRS)]
fn text(bencher: Bencher<'_, '_>, pair: Pair) {
    translate(bencher, pair, Kind::Text);
}

#[divan::bench(args = PAIRS)]
fn arguments(bencher: Bencher<'_, '_>, pair: Pair) {
    translate(bencher, pair, Kind::Arguments);
}

fn translate(bencher: Bencher<'_, '_>, pair: Pair, kind: Kind) {
    let events = pair.events(kind);
    let counter = ItemsCount::new(events.len());
    bencher.counter(counter).bench(|| {
        let context = ResponseContext {
            model: "alias",
            provider: "up",
            fallback_id: "resp_1",
            created: 1_700_000_000,
            include_usage: true,
            echo: None,
        };
        let dialects = DialectPair {
            client: pair.0,
            upstream: pair.1,
        };
        let mut translator = StreamTranslator::new(dialects, &context);
        let mut status = StreamStatus::Open;
        // Each event is sent on by itself.
        for event in black_box(&events) {
            let mut out = Vec::new();
            status = translator.push(event.as_bytes(), &mut out);
            black_box(out);
        }
        assert_eq!(status, StreamStatus::Complete);
    });
}

impl Pair {
    fn events(self, kind: Kind) -> Vec<String> {
        match self.1 {
            Dialect::Chat => chat_events(kind),
            Dialect::Messages => messages_events(kind),
            Dialect::Responses => responses_events(kind),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} client, {:?} upstream", self.0, self.1)
    }
}

fn chat_events(kind: Kind) -> Vec<String> {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-9\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-9\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_9\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let call = |arguments: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{arguments}"}}}}]}}"#)
    };
    let delta = match kind {
        Kind::Text => r#"{"content":" the sea"}"#.to_owned(),
        Kind::Arguments => call(" the sea"),
    };
    let mut events = vec![chunk(r#"{"role":"assistant","content":""}"#, "null")];
    if let Kind::Arguments = kind {
        events.push(chunk(
            r#"{"tool_calls":[{"index":0,"id":"call_0123456789abcdef","type":"function","function":{"name":"f","arguments":"{\"x\":\""}}]}"#,
            "null",
        ));
    }
    events.extend(std::iter::repeat_n(chunk(&delta, "null"), DELTAS));
    if let Kind::Arguments = kind {
        events.push(chunk(&call(r#"\"}"#), "null"));
    }
    events.push(chunk("{}", "\"stop\""));
    events.push("data: {\"id\":\"chatcmpl-9\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":256,\"total_tokens\":265}}\n\n".to_owned());
    events
}

fn messages_events(kind: Kind) -> Vec<String> {
    let event =
        |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let (block, delta, last) = match kind {
        Kind::Text => (
            r#"{"type":"text","text":""}"#,
            r#"{"type":"text_delta","text":" the sea"}"#,
            r#"{"type":"text_delta","text":"."}"#,
        ),
        Kind::Arguments => (
            r#"{"type":"tool_use","id":"toolu_0123456789abcdef","name":"f","input":{}}"#,
            r#"{"type":"input_json_delta","partial_json":" the sea"}"#,
            r#"{"type":"input_json_delta","partial_json":"\"}"}"#,
        ),
    };
    let delta_event = |delta: &str| {
        event(
            "content_block_delta",
            &format!(r#","index":0,"delta":{delta}"#),
        )
    };
    let mut events = vec![
        event(
            "message_start",
            r#","message":{"id":"msg_9","type":"message","role":"assistant","model":"claude-9","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}"#,
        ),
        event(
            "content_block_start",
            &format!(r#","index":0,"content_block":{block}"#),
        ),
    ];
    if let Kind::Arguments = kind {
        events.push(delta_event(
            r#"{"type":"input_json_delta","partial_json":"{\"x\":\""}"#,
        ));
    }
    events.extend(std::iter::repeat_n(delta_event(delta), DELTAS));
    events.push(delta_event(last));
    events.push(event("content_block_stop", r#","index":0"#));
    events.push(event(
        "message_delta",
        r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":256}"#,
    ));
    events.push(event("message_stop", ""));
    events
}

fn responses_events(kind: Kind) -> Vec<String> {
    let event = |kind: &str, rest: &str| {
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":0{rest}}}\n\n")
    };
    let response = |status: &str| {
        format!(
            r#","response":{{"id":"resp_9","object":"response","status":"{status}","output":[],"usage":{{"input_tokens":9,"output_tokens":256,"total_tokens":265}}}}"#
        )
    };
    let (item, name, delta) = match kind {
        Kind::Text => (
            r#"{"type":"message","id":"i_9","status":"in_progress","role":"assistant","content":[]}"#,
            "response.output_text.delta",
            r#","content_index":0,"logprobs":[]"#,
        ),
        Kind::Arguments => (
            r#"{"type":"function_call","id":"i_9","call_id":"call_0123456789abcdef","name":"f","arguments":"","status":"in_progress"}"#,
            "response.function_call_arguments.delta",
            "",
        ),
    };
    let delta = |text: &str| {
        let rest = format!(r#","item_id":"i_9","output_index":0{delta},"delta":"{text}""#);
        event(name, &rest)
    };
    let mut events = vec![
        event("response.created", &response("in_progress")),
        event(
            "response.output_item.added",
            &format!(r#","output_index":0,"item":{item}"#),
        ),
    ];
    if let Kind::Arguments = kind {
        events.push(delta(r#"{\"x\":\""#));
    }
    events.extend(std::iter::repeat_n(delta(" the sea"), DELTAS));
    if let Kind::Arguments = kind {
        events.push(delta(r#"\"}"#));
    }
    events.push(event("response.completed", &response("completed")));
    events
}
