//! Reads a Responses stream as OpenAI's SDK does, and checks its protocol.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::plan::{Call, Content};

#[derive(Default)]
struct Reader {
    content: Content,
    events: u64,
    is_started: bool,
    /// The item that is open, as it would be if it ended now.
    open: Option<Value>,
    finished: Vec<Value>,
    ids: HashSet<String>,
    /// Items begun.
    items: u64,
}

pub(super) fn read(out: &str) -> Content {
    let mut reader = Reader::default();
    for event in out.split_terminator("\n\n") {
        let (kind, data) = event.split_once("\ndata: ").expect("an event");
        let kind = kind.strip_prefix("event: ").expect("a type");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["type"], kind);
        assert_eq!(data["sequence_number"], reader.events);
        reader.events += 1;
        assert!(!reader.content.is_complete, "an event behind the end");
        reader.on_event(kind, &data);
    }
    reader.content
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {value}"))
}

impl Reader {
    fn on_event(&mut self, kind: &str, data: &Value) {
        let kind = kind.strip_prefix("response.").expect("an event");
        let is_first = matches!(kind, "created" | "in_progress");
        assert_eq!(is_first, self.events <= 2, "{data}");
        self.is_started |= is_first;
        assert!(self.is_started);
        match kind {
            "created" | "in_progress" => {
                assert_eq!(data["response"]["status"], "in_progress");
                assert_eq!(data["response"]["output"], json!([]));
            }
            "completed" | "incomplete" => self.finish(kind, &data["response"]),
            "output_item.added" => self.start(data),
            "output_item.done" => self.end(data),
            "content_part.added" => {
                assert_eq!(data["content_index"], self.parts("content").len());
                self.parts("content").push(data["part"].clone());
                self.check_key(data);
            }
            "reasoning_summary_part.added" => {
                assert_eq!(data["summary_index"], self.parts("summary").len());
                self.parts("summary").push(data["part"].clone());
                self.check_key(data);
            }
            _ => self.on_text(kind, data),
        }
    }

    fn parts(&mut self, name: &str) -> &mut Vec<Value> {
        let open = self.open.as_mut().expect("an open item");
        open[name].as_array_mut().expect("parts")
    }

    fn check_key(&self, data: &Value) {
        let open = self.open.as_ref().expect("an open item");
        assert_eq!(data["item_id"], open["id"]);
        assert_eq!(data["output_index"], self.items - 1);
    }

    fn start(&mut self, data: &Value) {
        self.drop_cut_call();
        assert!(self.open.is_none(), "two open items");
        assert_eq!(data["output_index"], self.items);
        self.items += 1;
        let item = &data["item"];
        assert!(self.ids.insert(text(item, "id").to_owned()));
        self.open = Some(item.clone());
        if item["type"] == "function_call" {
            self.content.calls.push(Call {
                id: Some(text(item, "call_id").to_owned()),
                name: text(item, "name").to_owned(),
                arguments: String::new(),
            });
        }
    }

    /// It has no end.
    fn drop_cut_call(&mut self) {
        let is_call = |item: &mut Value| item["type"] == "function_call";
        drop(self.open.take_if(is_call));
    }

    fn end(&mut self, data: &Value) {
        let mut open = self.open.take().expect("an open item");
        assert_eq!(data["output_index"], self.items - 1);
        if open["status"].is_string() {
            open["status"] = data["item"]["status"].clone();
        }
        assert_eq!(open, data["item"]);
        self.finished.push(open);
    }

    /// A delta, or the whole.
    fn on_text(&mut self, kind: &str, data: &Value) {
        self.check_key(data);
        let (name, is_delta) = match kind.rsplit_once('.').expect("a name") {
            (name, "delta") => (name, true),
            (name, end) => {
                assert_eq!(end, "done");
                (name, false)
            }
        };
        let delta = data["delta"].as_str().unwrap_or_default();
        assert_eq!(delta.is_empty(), !is_delta, "{data}");
        let last = |parts: &mut Vec<Value>| parts.len() - 1;
        let (item, member) = match name {
            "function_call_arguments" => {
                let call = self.content.calls.last_mut().expect("a call");
                call.arguments.push_str(delta);
                (self.open.as_mut().expect("an open item"), "arguments")
            }
            "output_text" | "refusal" | "content_part" => {
                assert_eq!(data["content_index"], last(self.parts("content")));
                let part = self.parts("content").last_mut().expect("a part");
                (part, if name == "refusal" { name } else { "text" })
            }
            _ => {
                assert!(name.starts_with("reasoning_summary_"), "{name}");
                assert_eq!(data["summary_index"], last(self.parts("summary")));
                (self.parts("summary").last_mut().expect("a part"), "text")
            }
        };
        if is_delta {
            item[member] = json!([text(item, member), delta].concat());
        } else if name.ends_with("_part") {
            assert_eq!(data["part"], *item);
        } else {
            assert_eq!(data[member], item[member]);
        }
        if is_delta && name == "output_text" {
            self.content.text.push_str(delta);
        } else if name == "reasoning_summary_text" {
            self.content.thinking.push_str(delta);
        }
    }

    fn finish(&mut self, kind: &str, response: &Value) {
        self.drop_cut_call();
        assert!(self.open.is_none(), "an open item at the end");
        assert_eq!(response["status"], kind);
        assert_eq!(
            response["output"],
            Value::from(std::mem::take(&mut self.finished))
        );
        assert_eq!(
            response["incomplete_details"].is_null(),
            kind == "completed"
        );
        self.content.is_complete = true;
    }
}
