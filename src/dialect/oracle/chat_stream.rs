//! Chat streams of OpenAI and of its imitations.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Stream;
use super::plan::{Choices, Order, Part, StreamPlan};

/// How the deltas of a call are marked.
#[derive(Clone, Copy)]
struct Style {
    index: Mark,
    id: Mark,
    name: Mark,
    order: Order,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Never,
    First,
    Last,
    Each,
    /// The same in each call.
    Same,
    /// Another one in each delta, the name only in the first.
    Fresh,
    /// By chance.
    Any,
}

const STYLES: [Style; 13] = [
    // OpenAI.
    style(Mark::Each, Mark::First, Mark::First, Order::InTurns),
    // Each delta is marked in full.
    style(Mark::Each, Mark::Each, Mark::Each, Order::InTurns),
    style(Mark::Each, Mark::Never, Mark::Each, Order::InTurns),
    style(Mark::Each, Mark::Fresh, Mark::First, Order::InTurns),
    style(Mark::Each, Mark::First, Mark::Last, Order::InTurns),
    style(Mark::Each, Mark::Last, Mark::First, Order::InTurns),
    style(Mark::Each, Mark::Same, Mark::First, Order::InTurns),
    style(Mark::Never, Mark::Each, Mark::First, Order::InTurns),
    style(Mark::Same, Mark::Each, Mark::First, Order::InTurns),
    style(Mark::Same, Mark::First, Mark::First, Order::CallByCall),
    // Gemini.
    style(Mark::Never, Mark::First, Mark::First, Order::CallByCall),
    style(Mark::Never, Mark::Never, Mark::Each, Order::CallByCall),
    style(Mark::Any, Mark::Any, Mark::Any, Order::InTurns),
];

const fn style(index: Mark, id: Mark, name: Mark, order: Order) -> Style {
    Style {
        index,
        id,
        name,
        order,
    }
}

pub(super) fn build(choices: &mut Choices<'_>) -> Stream {
    let style = STYLES[choices.below(STYLES.len())];
    let is_named = style.index == Mark::Each || style.index == Mark::Any;
    let mut plan = StreamPlan::new(choices, style.order, is_named);
    let has_late_name = matches!(style.name, Mark::Last | Mark::Any);
    let is_cut = !has_late_name && choices.one_in(6);
    if is_cut {
        plan.cut(choices);
    }
    if !matches!(style.id, Mark::Last | Mark::Same | Mark::Never | Mark::Any) {
        for (number, call) in plan.content.calls.iter_mut().enumerate() {
            call.id = Some(id_of(number));
        }
    }
    let mut events = String::new();
    add_noise(&mut events, choices);
    let mut calls = Vec::new();
    let parts = plan.parts.iter().enumerate().peekable();
    for (position, part) in parts {
        let delta = match part {
            Part::Text(text) => json!({ "content": text }),
            Part::Thinking(text) => {
                json!({ choices.pick(&["reasoning", "reasoning_content"]): text })
            }
            Part::Call { .. } => {
                calls.push(style.delta(part, &plan, position, choices));
                let next = plan.parts.get(position + 1);
                // Without an index, two deltas of one chunk are two calls.
                let may_join = is_named && matches!(next, Some(Part::Call { .. }));
                if may_join && choices.one_in(3) {
                    continue;
                }
                json!({ "tool_calls": std::mem::take(&mut calls) })
            }
        };
        add_chunk(&mut events, &delta, None, choices);
        add_noise(&mut events, choices);
    }
    let reason = if is_cut {
        "length"
    } else {
        choices.pick(&["stop", "tool_calls"])
    };
    add_chunk(&mut events, &json!({}), Some(reason), choices);
    add_noise(&mut events, choices);
    if choices.one_in(2) {
        events.push_str("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5}}\n\n");
    }
    if choices.one_in(2) {
        events.push_str("data: [DONE]\n\n");
    }
    Stream {
        events,
        content: plan.content,
        is_cut,
        may_be_unclear: style.name == Mark::Any,
    }
}

fn id_of(number: usize) -> String {
    format!("call_{number}")
}

fn add_chunk(
    events: &mut String,
    delta: &Value,
    finish_reason: Option<&str>,
    choices: &mut Choices<'_>,
) {
    let mut choice = json!({ "index": 0, "delta": delta });
    match finish_reason {
        Some(reason) => choice["finish_reason"] = json!(reason),
        None => set_nothing(choice.as_object_mut(), "finish_reason", choices),
    }
    let mut chunk = json!({ "id": "c1", "choices": [choice] });
    set_nothing(chunk.as_object_mut(), "error", choices);
    writeln!(events, "data: {chunk}\n").expect("a string");
}

/// Leaves the member out, or writes a value that says nothing.
fn set_nothing(members: Option<&mut Map<String, Value>>, name: &str, choices: &mut Choices<'_>) {
    let nothing = [Value::Null, json!(""), json!({}), json!([]), json!(false)];
    let value = nothing.into_iter().nth(choices.below(8));
    if let (Some(value), Some(members)) = (value, members) {
        members.insert(name.to_owned(), value);
    }
}

fn add_noise(events: &mut String, choices: &mut Choices<'_>) {
    events.push_str(match choices.below(16) {
        1 => ": keep-alive\n\n",
        2 => "data: {\"id\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n",
        3 => "data: {\"choices\":null,\"usage\":null}\n\n",
        4 => "data: {\"choices\":[{\"index\":0,\"finish_reason\":null}]}\n\n",
        5 => "data: {\"choices\":[{\"delta\":{\"tool_calls\":[]}}],\"usage\":{}}\n\n",
        6 => {
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"\",\"function\":null}]}}]}\n\n"
        }
        7 => "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}}]}\n\n",
        _ => "",
    });
}

impl Style {
    fn delta(
        self,
        part: &Part,
        plan: &StreamPlan,
        position: usize,
        choices: &mut Choices<'_>,
    ) -> Value {
        let Part::Call {
            number,
            arguments,
            is_first,
            is_last,
        } = part
        else {
            return Value::Null;
        };
        let mut has = |mark| match mark {
            Mark::Never => false,
            Mark::First => *is_first,
            Mark::Last => *is_last,
            Mark::Each | Mark::Same | Mark::Fresh => true,
            Mark::Any => choices.one_in(2),
        };
        let (has_index, has_id, has_name) = (has(self.index), has(self.id), has(self.name));
        let mut call = Map::new();
        if has_index {
            let index = if self.index == Mark::Same { 0 } else { *number };
            call.insert("index".to_owned(), json!(index));
        }
        if has_id {
            let id = match self.id {
                Mark::Same => "same".to_owned(),
                Mark::Fresh if !is_first => format!("fresh_{position}"),
                _ => id_of(*number),
            };
            call.insert("id".to_owned(), json!(id));
        } else {
            set_nothing(Some(&mut call), "id", choices);
        }
        let mut function = json!({ "arguments": arguments });
        if has_name {
            function["name"] = json!(plan.content.calls[*number].name);
        } else {
            set_nothing(function.as_object_mut(), "name", choices);
        }
        call.insert("function".to_owned(), function);
        Value::Object(call)
    }
}
