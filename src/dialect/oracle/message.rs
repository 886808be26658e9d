//! Reads a Messages stream as Anthropic's SDK does, and checks its protocol.

use serde_json::Value;

use super::plan::{Call, Content};

#[derive(Default)]
struct Reader {
    content: Content,
    started: bool,
    /// The type of the open block.
    open: Option<String>,
    blocks: u64,
    stop_reason: Option<String>,
}

pub(super) fn read(out: &str) -> Content {
    let mut reader = Reader::default();
    for event in out.split_terminator("\n\n") {
        let (kind, data) = event.split_once("\ndata: ").expect("an event");
        let kind = kind.strip_prefix("event: ").expect("a type");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["type"], kind);
        assert!(!reader.content.is_complete, "an event behind the end");
        reader.on_event(kind, &data);
    }
    reader.content
}

impl Reader {
    fn on_event(&mut self, kind: &str, data: &Value) {
        assert!(self.started || matches!(kind, "message_start" | "ping"));
        match kind {
            "ping" => {}
            "message_start" => assert!(!std::mem::replace(&mut self.started, true)),
            "content_block_start" => self.start(data),
            "content_block_delta" => self.on_delta(data),
            "content_block_stop" => {
                assert!(self.open.take().is_some() && data["index"] == self.blocks - 1);
            }
            "message_delta" => {
                assert!(self.open.is_none() && self.stop_reason.is_none());
                let reason = data["delta"]["stop_reason"].as_str();
                self.stop_reason = Some(reason.expect("a reason").to_owned());
            }
            "message_stop" => {
                let reason = self.stop_reason.as_deref().expect("a reason");
                let has_calls = !self.content.calls.is_empty();
                assert!(reason == "max_tokens" || !has_calls || reason == "tool_use");
                self.content.is_complete = true;
            }
            _ => panic!("{kind}"),
        }
    }

    fn start(&mut self, data: &Value) {
        assert!(self.open.is_none() && self.stop_reason.is_none() && data["index"] == self.blocks);
        self.blocks += 1;
        let block = &data["content_block"];
        let text = |name: &str| block[name].as_str().expect("a string").to_owned();
        self.open = Some(text("type"));
        if block["type"] == "tool_use" {
            self.content.calls.push(Call {
                id: Some(text("id")),
                name: text("name"),
                arguments: String::new(),
            });
        }
    }

    fn on_delta(&mut self, data: &Value) {
        assert_eq!(data["index"], self.blocks - 1);
        let delta = &data["delta"];
        let text = |name: &str| delta[name].as_str().expect("a string");
        match (self.open.as_deref(), delta["type"].as_str()) {
            (Some("text"), Some("text_delta")) => self.content.text.push_str(text("text")),
            (Some("thinking"), Some("thinking_delta")) => {
                self.content.thinking.push_str(text("thinking"));
            }
            (Some("tool_use"), Some("input_json_delta")) => {
                let call = self.content.calls.last_mut().expect("a call");
                call.arguments.push_str(text("partial_json"));
            }
            other => panic!("{other:?}"),
        }
    }
}
