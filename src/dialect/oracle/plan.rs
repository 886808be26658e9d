//! What a stream contains, and in which order its parts are sent.

use crate::dialect::tool_id;

/// Decisions, taken from bytes.
pub(super) struct Choices<'b>(std::slice::Iter<'b, u8>);

#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) calls: Vec<Call>,
    pub(super) text: String,
    pub(super) thinking: String,
    /// The protocol's end was sent.
    pub(super) is_complete: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// `None` if the gateway may give it another one.
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// A part of a stream.
pub(super) enum Part {
    Text(&'static str),
    Thinking(&'static str),
    /// Some of a call's arguments, possibly none.
    Call {
        number: usize,
        arguments: String,
        is_first: bool,
        is_last: bool,
    },
}

pub(super) struct StreamPlan {
    pub(super) content: Content,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing comes between the parts of a call.
    OneByOne,
    /// No other call does.
    CallByCall,
    InTurns,
}

const NAMES: [&str; 3] = ["f", "g", "f"];
const TEXTS: [&str; 4] = ["Hi", "\n", " ", "{\"x\":1}"];
/// The last two only where each part names its call.
const ARGUMENTS: [&str; 7] = [
    "{}",
    r#"{"x":1}"#,
    r#"{"a":{"b":[1,{"c":"}\"{\\"}]},"d":"é \n 😀"}"#,
    r#"{ "e" : [ ] , "f":" {" }"#,
    r#"{"data":{"id":0,"name":"","index":1}}"#,
    "",
    " {\"x\": \" \"}\n",
];

impl<'b> Choices<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes.iter())
    }

    /// A number below `count`; 0 when the bytes are used up.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % count
    }

    pub(super) fn pick<'v, T: ?Sized>(&mut self, values: &[&'v T]) -> &'v T {
        values[self.below(values.len())]
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }
}

impl Content {
    /// Where clients parse arguments as JSON, none are an empty object.
    pub(super) fn fill_arguments(&mut self) {
        for call in &mut self.calls {
            if call.arguments.trim().is_empty() {
                "{}".clone_into(&mut call.arguments);
            }
        }
    }

    pub(super) fn assert_same(&self, found: &Self, events: &str) {
        assert_eq!(self.text, found.text, "text of\n{events}");
        assert_eq!(self.thinking, found.thinking, "thinking of\n{events}");
        let of = |call: &Call| (call.name.clone(), call.arguments.trim().to_owned());
        let expected: Vec<_> = self.calls.iter().map(of).collect();
        let calls: Vec<_> = found.calls.iter().map(of).collect();
        assert_eq!(expected, calls, "calls of\n{events}");
        for (expected, call) in self.calls.iter().zip(&found.calls) {
            let own = call.id.as_deref().map(tool_id::original);
            let is_same = expected.id.is_none() || expected.id == own;
            assert!(is_same, "{:?} of\n{events}", call.id);
        }
    }
}

impl StreamPlan {
    /// `is_named`: each part of a call names its call.
    pub(super) fn new(choices: &mut Choices<'_>, order: Order, is_named: bool) -> Self {
        let count = choices.below(4);
        let mut waiting: Vec<(usize, Vec<String>)> = (0..count)
            .map(|number| (number, Self::arguments(choices, is_named)))
            .collect();
        let mut plan = Self {
            content: Content::default(),
            parts: Vec::new(),
        };
        // By number, the calls in the order of their first parts.
        let mut started: Vec<usize> = Vec::new();
        while !waiting.is_empty() {
            let at = match order {
                Order::InTurns => choices.below(waiting.len()),
                _ => 0,
            };
            if order != Order::OneByOne || !started.contains(&waiting[at].0) {
                plan.add_text(choices);
            }
            let (call, parts) = &mut waiting[at];
            let is_first = !started.contains(call);
            if is_first {
                started.push(*call);
                plan.content.calls.push(Call {
                    name: NAMES[*call].to_owned(),
                    ..Call::default()
                });
            }
            let number = started.iter().position(|it| it == call).expect("started");
            let arguments = parts.remove(0);
            let is_last = parts.is_empty();
            plan.content.calls[number].arguments.push_str(&arguments);
            plan.parts.push(Part::Call {
                number,
                arguments,
                is_first,
                is_last,
            });
            if is_last {
                waiting.remove(at);
            }
        }
        plan.add_text(choices);
        plan
    }

    /// Keeps only some of the parts, as if a limit had been reached.
    pub(super) fn cut(&mut self, choices: &mut Choices<'_>) {
        let len = choices.below(self.parts.len() + 1);
        self.parts.truncate(len);
        let calls = std::mem::take(&mut self.content).calls;
        for part in &self.parts {
            match part {
                Part::Text(text) => self.content.text.push_str(text),
                Part::Thinking(text) => self.content.thinking.push_str(text),
                Part::Call {
                    number, arguments, ..
                } => {
                    if *number == self.content.calls.len() {
                        self.content.calls.push(Call {
                            arguments: String::new(),
                            ..calls[*number].clone()
                        });
                    }
                    self.content.calls[*number].arguments.push_str(arguments);
                }
            }
        }
    }

    fn add_text(&mut self, choices: &mut Choices<'_>) {
        let text = choices.pick(&TEXTS);
        match choices.below(6) {
            1 => {
                self.content.text.push_str(text);
                self.parts.push(Part::Text(text));
            }
            2 => {
                self.content.thinking.push_str(text);
                self.parts.push(Part::Thinking(text));
            }
            _ => {}
        }
    }

    /// Arguments, cut into parts.
    fn arguments(choices: &mut Choices<'_>, is_named: bool) -> Vec<String> {
        let count = ARGUMENTS.len() - if is_named { 0 } else { 2 };
        let mut rest = choices.pick(&ARGUMENTS[..count]);
        let mut parts = Vec::new();
        if is_named && choices.one_in(2) {
            parts.push(String::new());
        }
        for _ in 0..choices.below(4) {
            let ends: Vec<_> = rest.char_indices().skip(1).map(|(at, _)| at).collect();
            if ends.is_empty() {
                break;
            }
            let (first, second) = rest.split_at(ends[choices.below(ends.len())]);
            parts.push(first.to_owned());
            rest = second;
        }
        parts.push(rest.to_owned());
        if is_named && choices.one_in(4) {
            parts.push(String::new());
        }
        parts
    }
}
