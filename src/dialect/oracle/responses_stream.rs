//! Responses streams of `OpenAI` and of its imitations.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Stream;
use super::plan::{Choices, Order, Part, StreamPlan};

struct Builder<'c, 'b> {
    choices: &'c mut Choices<'b>,
    events: String,
    style: Style,
    sequence: u64,
    /// Those of the response, in order.
    items: Vec<Item>,
    /// What arrives of text and of reasoning.
    text: String,
    thinking: String,
}

#[derive(Clone, Copy)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent properties, set by name"
)]
struct Style {
    has_index: bool,
    index_is_text: bool,
    ids: Ids,
    has_deltas: bool,
    /// Events with the whole of a part.
    has_parts: bool,
    /// Events with the whole of an item.
    has_items: bool,
    /// The last event has all items.
    has_output: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    Stable,
    Changing,
    None,
}

struct Item {
    kind: Kind,
    /// Of a call.
    name: String,
    text: String,
    is_open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    Summary,
    Reasoning,
    /// With its number.
    Call(usize),
}

pub(super) fn build(choices: &mut Choices<'_>) -> Stream {
    let has_index = !choices.one_in(3);
    let ids = match choices.below(3) {
        0 => Ids::Stable,
        1 if has_index => Ids::Changing,
        _ => Ids::None,
    };
    let is_named = has_index || ids == Ids::Stable;
    let has_deltas = !choices.one_in(4);
    let has_items = !is_named || !choices.one_in(3);
    let style = Style {
        has_index,
        index_is_text: choices.one_in(4),
        ids,
        has_deltas,
        has_parts: choices.one_in(2),
        has_items,
        has_output: !(has_deltas || has_items) || choices.one_in(2),
    };
    let order = if is_named {
        Order::InTurns
    } else {
        Order::OneByOne
    };
    let mut plan = StreamPlan::new(choices, order, is_named);
    let is_cut = choices.one_in(6);
    if is_cut {
        plan.cut(choices);
    }
    let mut builder = Builder {
        choices,
        events: String::new(),
        style,
        sequence: 0,
        items: Vec::new(),
        text: String::new(),
        thinking: String::new(),
    };
    if !builder.choices.one_in(8) {
        builder
            .add(json!({"type": "response.created", "response": {"id": "resp_1", "usage": null}}));
    }
    for part in &plan.parts {
        builder.add_part(part, &plan);
    }
    builder.finish(is_cut);
    plan.content.text = builder.text;
    plan.content.thinking = builder.thinking;
    // Clients parse the arguments as JSON.
    for (number, call) in plan.content.calls.iter_mut().enumerate() {
        call.id = Some(format!("call_{number}"));
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

impl Item {
    fn to_json(&self, id: Option<String>, is_whole: bool) -> Value {
        let text = if is_whole { self.text.as_str() } else { "" };
        let parts = |kind: &str| {
            if is_whole {
                json!([{"type": kind, "text": text}])
            } else {
                json!([])
            }
        };
        let mut item = match self.kind {
            Kind::Message => json!({"type": "message", "content": parts("output_text")}),
            Kind::Summary => json!({"type": "reasoning", "summary": parts("summary_text")}),
            Kind::Reasoning => {
                let content = parts("reasoning_text");
                json!({"type": "reasoning", "summary": [], "content": content})
            }
            Kind::Call(number) => json!({
                "type": "function_call",
                "call_id": format!("call_{number}"),
                "name": self.name,
                "arguments": text,
            }),
        };
        if let Some(id) = id {
            item["id"] = json!(id);
        }
        item
    }
}

impl Builder<'_, '_> {
    fn add(&mut self, mut event: Value) {
        if self.choices.one_in(8) {
            event["error"] = json!(self.choices.pick(&["", " "]));
        }
        if self.choices.one_in(2) {
            event["sequence_number"] = json!(self.sequence);
            self.sequence += 1;
        }
        if self.choices.one_in(2) {
            let kind = event["type"].as_str().expect("a type").to_owned();
            writeln!(self.events, "event: {kind}").expect("a string");
        }
        writeln!(self.events, "data: {event}\n").expect("a string");
        self.events.push_str(match self.choices.below(16) {
            1 => ": keep-alive\n\n",
            2 => "data: {\"type\":\"response.of_tomorrow\",\"delta\":\"no\"}\n\n",
            3 => "data: [DONE]\n\n",
            _ => "",
        });
    }

    fn id(&self, at: usize) -> Option<String> {
        match self.style.ids {
            Ids::Stable => Some(format!("item_{at}")),
            Ids::Changing => Some(format!("item_{at}_{}", self.events.len())),
            Ids::None => None,
        }
    }

    fn add_of_item(&mut self, at: usize, mut event: Value) {
        if self.style.has_index {
            event["output_index"] = if self.style.index_is_text {
                json!(at.to_string())
            } else {
                json!(at)
            };
        }
        if event.get("item").is_none()
            && let Some(id) = self.id(at)
        {
            event["item_id"] = json!(id);
        }
        self.add(event);
    }

    fn begin(&mut self, kind: Kind, name: &str) -> usize {
        let at = self.items.len();
        let item = Item {
            kind,
            name: name.to_owned(),
            text: String::new(),
            is_open: true,
        };
        let json = item.to_json(self.id(at), false);
        self.items.push(item);
        self.add_of_item(
            at,
            json!({"type": "response.output_item.added", "item": json}),
        );
        at
    }

    fn close(&mut self, at: usize) {
        if !std::mem::replace(&mut self.items[at].is_open, false) {
            return;
        }
        let item = &self.items[at];
        let text = item.text.clone();
        let part = match item.kind {
            Kind::Message => json!({"type": "response.output_text.done", "text": text}),
            Kind::Summary => json!({"type": "response.reasoning_summary_text.done", "text": text}),
            Kind::Reasoning => json!({"type": "response.reasoning_text.done", "text": text}),
            Kind::Call(_) => {
                json!({"type": "response.function_call_arguments.done", "arguments": text})
            }
        };
        let whole = item.to_json(self.id(at), true);
        if self.style.has_parts {
            self.add_of_item(at, part);
        }
        if self.style.has_items {
            self.add_of_item(
                at,
                json!({"type": "response.output_item.done", "item": whole}),
            );
        }
    }

    fn add_part(&mut self, part: &Part, plan: &StreamPlan) {
        match part {
            Part::Text(text) => self.add_text(Kind::Message, text),
            Part::Thinking(text) => {
                let kinds = [Kind::Summary, Kind::Reasoning];
                let kind = kinds[self.choices.below(2)];
                self.add_text(kind, text);
            }
            Part::Call {
                number,
                arguments,
                is_first,
                is_last,
            } => {
                let at = if *is_first {
                    self.begin(Kind::Call(*number), &plan.content.calls[*number].name)
                } else {
                    let is_call = |item: &Item| item.kind == Kind::Call(*number);
                    self.items.iter().position(is_call).expect("a call")
                };
                self.add_delta(at, "response.function_call_arguments.delta", arguments);
                if *is_last {
                    self.close(at);
                }
            }
        }
    }

    /// In the open item, if there is one of this kind, or in a new one.
    fn add_text(&mut self, kind: Kind, text: &str) {
        let is_reasoning = |kind: Kind| matches!(kind, Kind::Summary | Kind::Reasoning);
        let is_alike = |item: &Item| {
            item.is_open && (item.kind == kind || is_reasoning(kind) && is_reasoning(item.kind))
        };
        let mut open = self.items.iter().rposition(is_alike);
        if let Some(at) = open
            && (self.items[at].kind != kind || self.choices.one_in(3))
            // Otherwise nothing says that it ends.
            && (self.style.has_items || self.style.has_index || self.style.ids == Ids::Stable)
        {
            self.close(at);
            open = None;
        }
        let at = open.unwrap_or_else(|| self.begin(kind, ""));
        let arrives = if kind == Kind::Message {
            &mut self.text
        } else {
            &mut self.thinking
        };
        if open.is_none() && !arrives.is_empty() {
            arrives.push_str("\n\n");
        }
        arrives.push_str(text);
        let kind = match self.items[at].kind {
            Kind::Summary => "response.reasoning_summary_text.delta",
            Kind::Reasoning => "response.reasoning_text.delta",
            _ => "response.output_text.delta",
        };
        self.add_delta(at, kind, text);
    }

    fn add_delta(&mut self, at: usize, kind: &str, delta: &str) {
        self.items[at].text.push_str(delta);
        if self.style.has_deltas {
            self.add_of_item(at, json!({"type": kind, "delta": delta}));
        }
    }

    fn finish(&mut self, is_cut: bool) {
        for at in 0..self.items.len() {
            self.close(at);
        }
        let items = self.items.iter().enumerate();
        let items: Vec<_> = items
            .map(|(at, item)| item.to_json(self.id(at), true))
            .collect();
        let (kind, status) = if is_cut {
            ("response.incomplete", "incomplete")
        } else {
            ("response.completed", "completed")
        };
        let mut response = json!({
            "status": status,
            "incomplete_details": is_cut.then(|| json!({"reason": "max_output_tokens"})),
            "usage": {"input_tokens": 1, "output_tokens": 2},
        });
        if self.style.has_output {
            response["output"] = json!(items);
        }
        self.add(json!({"type": kind, "response": response}));
    }
}
