//! Messages streams of Anthropic and of its imitations.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Stream;
use super::plan::{Choices, Order, Part, StreamPlan};

struct Builder<'c, 'b> {
    choices: &'c mut Choices<'b>,
    events: String,
    style: Style,
    blocks: u64,
    /// The index of the open block of text or thinking, and its type.
    open: Option<(u64, &'static str)>,
}

#[derive(Clone, Copy)]
struct Style {
    has_index: bool,
    index_is_text: bool,
    has_stops: bool,
}

pub(super) fn build(choices: &mut Choices<'_>) -> Stream {
    let has_index = !choices.one_in(4);
    let style = Style {
        has_index,
        index_is_text: choices.one_in(4),
        has_stops: !choices.one_in(4),
    };
    let order = if has_index {
        Order::InTurns
    } else {
        Order::OneByOne
    };
    let mut plan = StreamPlan::new(choices, order, has_index);
    let is_cut = choices.one_in(6);
    if is_cut {
        plan.cut(choices);
    }
    let mut builder = Builder {
        choices,
        events: String::new(),
        style,
        blocks: 0,
        open: None,
    };
    builder.add(json!({"type": "message_start", "message": {"id": "msg_1", "usage": null}}));
    let mut indexes = vec![0; plan.content.calls.len()];
    for part in &plan.parts {
        builder.add_part(part, &plan, &mut indexes);
    }
    builder.close();
    let reason = if is_cut { "max_tokens" } else { "tool_use" };
    let empty = builder.choices.pick(&["", reason]);
    for reason in [empty, reason] {
        builder.add(json!({"type": "message_delta", "delta": {"stop_reason": reason}}));
    }
    builder.add(json!({"type": "message_stop"}));
    // Clients parse the arguments as JSON.
    for (number, call) in plan.content.calls.iter_mut().enumerate() {
        call.id = Some(format!("toolu_{number}"));
        if call.arguments.trim().is_empty() {
            "{}".clone_into(&mut call.arguments);
        }
    }
    Stream {
        events: builder.events,
        content: plan.content,
        is_cut,
        may_be_unclear: false,
    }
}

impl Builder<'_, '_> {
    fn add(&mut self, mut event: Value) {
        if self.choices.one_in(8) {
            event["error"] = json!(self.choices.pick(&["", " "]));
        }
        if self.choices.one_in(2) {
            let kind = event["type"].as_str().expect("a type").to_owned();
            writeln!(self.events, "event: {kind}").expect("a string");
        }
        writeln!(self.events, "data: {event}\n").expect("a string");
        self.events.push_str(match self.choices.below(16) {
            1 => ": keep-alive\n\n",
            2 => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            3 => "data: {\"type\":\"new\",\"delta\":{\"text\":\"no\"}}\n\n",
            _ => "",
        });
    }

    fn add_of_block(&mut self, index: u64, mut event: Value) {
        if self.style.has_index {
            event["index"] = if self.style.index_is_text {
                json!(index.to_string())
            } else {
                json!(index)
            };
        }
        self.add(event);
    }

    fn start(&mut self, block: &Value) -> u64 {
        let index = self.blocks;
        self.blocks += 1;
        self.add_of_block(
            index,
            json!({"type": "content_block_start", "content_block": block}),
        );
        index
    }

    fn stop(&mut self, index: u64) {
        if self.style.has_stops {
            self.add_of_block(index, json!({"type": "content_block_stop"}));
        }
    }

    fn close(&mut self) {
        if let Some((index, _)) = self.open.take() {
            self.stop(index);
        }
    }

    fn add_part(&mut self, part: &Part, plan: &StreamPlan, indexes: &mut [u64]) {
        match part {
            Part::Text(text) => self.add_text("text", text),
            Part::Thinking(text) => self.add_text("thinking", text),
            Part::Call {
                number,
                arguments,
                is_first,
                is_last,
            } => {
                self.close();
                if *is_first {
                    let name = &plan.content.calls[*number].name;
                    let id = format!("toolu_{number}");
                    indexes[*number] = self
                        .start(&json!({"type": "tool_use", "id": id, "name": name, "input": {}}));
                }
                let index = indexes[*number];
                self.add_of_block(
                    index,
                    json!({"type": "content_block_delta", "delta": {"partial_json": arguments}}),
                );
                if *is_last {
                    self.stop(index);
                }
            }
        }
    }

    fn add_text(&mut self, kind: &'static str, text: &str) {
        let index = match self.open {
            Some((index, open)) if open == kind => index,
            _ => {
                self.close();
                self.start(&json!({"type": kind, kind: ""}))
            }
        };
        self.open = Some((index, kind));
        let delta = json!({ kind: text });
        self.add_of_block(
            index,
            json!({"type": "content_block_delta", "delta": delta}),
        );
    }
}
