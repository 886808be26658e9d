//! Earlier tool calls: their ids and arguments.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::dialect::field::{JsonField, JsonType};
use crate::dialect::tool_id;
use crate::dialect::translation_error::TranslationError;

/// Some upstreams number the calls of each response (`call_0`), and Anthropic rejects
/// an id that it has seen in an earlier turn.
#[derive(Debug, Default)]
pub(super) struct ToolUseIds {
    uses: HashMap<String, Uses>,
    turn: usize,
}

#[derive(Debug, Default)]
struct Uses {
    /// The turn of the last call.
    turn: usize,
    calls: usize,
    /// Calls that have a result, or never will.
    results: usize,
}

impl ToolUseIds {
    pub(super) fn begin_turn(&mut self) {
        self.turn += 1;
    }

    pub(super) fn of_call(&mut self, id: &str) -> String {
        let uses = self.uses.entry(id.to_owned()).or_default();
        if uses.turn != self.turn {
            uses.turn = self.turn;
            uses.results = uses.calls;
        }
        uses.calls += 1;
        nth(id, uses.calls)
    }

    /// Results have the order of the calls.
    pub(super) fn of_result(&mut self, id: &str) -> String {
        let Some(uses) = self.uses.get_mut(id) else {
            return nth(id, 1);
        };
        if uses.results < uses.calls {
            uses.results += 1;
        }
        nth(id, uses.results)
    }
}

fn nth(id: &str, number: usize) -> String {
    if number <= 1 {
        return tool_id::for_messages_upstream(id).into_owned();
    }
    // A space is in no valid id.
    tool_id::for_messages_upstream(&format!("{id} {number}")).into_owned()
}

/// Some upstreams send no ids; calls and results are then matched by their order.
pub(super) fn id<'a>(field: Option<&JsonField<'a>>) -> Result<Cow<'a, str>, TranslationError> {
    field.map_or(Ok(Cow::Borrowed("")), JsonField::string)
}

/// Arguments are JSON in a string in chat, and an object in Messages. Those that are
/// none, of a call that was truncated, become the text in one.
pub(super) fn input<'a>(
    field: Option<&JsonField<'a>>,
) -> Result<Cow<'a, RawValue>, TranslationError> {
    let Some(field) = field else {
        return Ok(Cow::Owned(empty_object()));
    };
    if field.json_type() == JsonType::Object {
        return Ok(Cow::Borrowed(field.raw()));
    }
    let text = field.string()?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(Cow::Owned(empty_object()));
    }
    let input = RawValue::from_string(text.to_owned()).ok();
    let input = input.filter(|input| input.get().starts_with('{'));
    Ok(input.map_or_else(|| wrapped_input(field), Cow::Owned))
}

/// An object with this value.
pub(super) fn wrapped_input<'a>(field: &JsonField<'a>) -> Cow<'a, RawValue> {
    let json = format!("{{\"input\":{}}}", field.raw());
    Cow::Owned(RawValue::from_string(json).unwrap_or_else(|_| empty_object()))
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::ToolUseIds;

    #[test]
    fn an_id_of_several_turns_names_a_call_of_each() {
        let mut ids = ToolUseIds::default();
        let mut turn = |calls: usize, results: usize| {
            ids.begin_turn();
            let calls: Vec<_> = (0..calls).map(|_| ids.of_call("call_0")).collect();
            let results: Vec<_> = (0..results).map(|_| ids.of_result("call_0")).collect();
            (calls, results)
        };
        let (first, of_first) = turn(1, 1);
        assert_eq!(
            (&first[..], &first),
            (&["call_0".to_owned()][..], &of_first)
        );
        // The call of the second turn has no result.
        let (second, _) = turn(1, 0);
        let (third, of_third) = turn(2, 2);
        assert_eq!(third, of_third);
        let mut all = [first, second, third].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        let mut ids = ToolUseIds::default();
        assert_eq!(ids.of_result("unknown"), "unknown");
    }
}
