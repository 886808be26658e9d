//! Reads a chat stream as OpenAI's SDK does, and checks its protocol.

use serde_json::Value;

use super::plan::{Call, Content};

#[derive(Default)]
struct Reader {
    content: Content,
    finish_reason: Option<String>,
    has_usage: bool,
}

pub(super) fn read(out: &str) -> Content {
    let mut reader = Reader::default();
    for event in out.split_terminator("\n\n") {
        let data = event.strip_prefix("data: ").expect("an event");
        assert!(!reader.content.is_complete, "an event behind the end");
        if data == "[DONE]" {
            assert!(reader.finish_reason.is_some() && reader.has_usage);
            reader.content.is_complete = true;
        } else {
            reader.on_chunk(&serde_json::from_str(data).expect("JSON"));
        }
    }
    reader.content
}

impl Reader {
    fn on_chunk(&mut self, chunk: &Value) {
        let Some(choice) = chunk["choices"].get(0) else {
            assert!(chunk["usage"].is_object() && self.finish_reason.is_some());
            self.has_usage = true;
            return;
        };
        assert!(self.finish_reason.is_none() && chunk["usage"].is_null());
        let delta = &choice["delta"];
        let text = |name: &str| delta[name].as_str().unwrap_or_default();
        self.content.text.push_str(text("content"));
        self.content.thinking.push_str(text("reasoning_content"));
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.on_call(call);
        }
        self.finish_reason = choice["finish_reason"].as_str().map(ToOwned::to_owned);
        if let Some(reason) = &self.finish_reason {
            let has_calls = !self.content.calls.is_empty();
            assert!(reason == "length" || !has_calls || reason == "tool_calls");
        }
    }

    fn on_call(&mut self, call: &Value) {
        let calls = &mut self.content.calls;
        let index = call["index"].as_u64().expect("an index");
        let index = usize::try_from(index).expect("an index");
        if index == calls.len() {
            let text = |value: &Value| value.as_str().expect("a string").to_owned();
            calls.push(Call {
                id: Some(text(&call["id"])),
                name: text(&call["function"]["name"]),
                arguments: String::new(),
            });
        } else {
            assert!(call["id"].is_null() && call["function"]["name"].is_null());
        }
        let arguments = call["function"]["arguments"].as_str();
        calls[index]
            .arguments
            .push_str(arguments.expect("a string"));
    }
}
