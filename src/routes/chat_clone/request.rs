//! The body of `POST /chat/stream`: `{model, messages}`, checked as Pydantic does.
//!
//! All other members are ignored, and the request to the provider has none of them.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error_response::{self, ErrorResponse};

const ROLES: [&str; 3] = ["user", "assistant", "system"];
const EXPECTED_ROLES: &str = "'user', 'assistant' or 'system'";

/// A larger body that is not as it should be is not taken apart: it would need a
/// multiple of its size, and so would the response, which quotes it.
const MAX_EXPLAINED: usize = 256 * 1024;
/// Errors in one response.
const MAX_ERRORS: usize = 100;

#[derive(Deserialize)]
struct ChatRequest<'a> {
    #[serde(borrow)]
    model: &'a RawValue,
    #[serde(borrow)]
    messages: Vec<ChatMessage<'a>>,
}

#[derive(Deserialize)]
struct ChatMessage<'a> {
    #[serde(borrow)]
    role: &'a RawValue,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// A request for a streamed chat completion.
pub fn to_chat_completion(body: &[u8]) -> Result<Bytes, ErrorResponse> {
    if let Ok(request) = serde_json::from_slice::<ChatRequest<'_>>(body)
        && request.is_valid()
    {
        return Ok(request.to_completion(body.len()));
    }
    explained(body).map_err(|errors| {
        let detail = json!({ "detail": errors });
        error_response::invalid_fields().with_body("application/json", detail.to_string().into())
    })
}

impl ChatRequest<'_> {
    fn is_valid(&self) -> bool {
        let is_role = |role: &RawValue| ROLES.iter().any(|known| is_text(role, known));
        let mut messages = self.messages.iter();
        is_string(self.model)
            && messages.all(|message| is_role(message.role) && is_string(message.content))
    }

    /// Strings keep the spelling that they came in.
    fn to_completion(&self, read: usize) -> Bytes {
        // No longer than what was read, but for `stream`.
        let mut out = String::with_capacity(read + 16);
        for part in [
            "{\"model\":",
            self.model.get(),
            ",\"stream\":true,\"messages\":[",
        ] {
            out.push_str(part);
        }
        for (index, message) in self.messages.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let (role, content) = (message.role.get(), message.content.get());
            for part in [separator, "{\"role\":", role, ",\"content\":", content, "}"] {
                out.push_str(part);
            }
        }
        out.push_str("]}");
        out.into()
    }
}

fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Whether this is the string, spelt without escapes.
fn is_text(value: &RawValue, text: &str) -> bool {
    let inner = value
        .get()
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'));
    inner == Some(text)
}

/// What is wrong with the body, or the request after all: a member may come twice, of
/// which Pydantic takes the last.
fn explained(body: &[u8]) -> Result<Bytes, Vec<Value>> {
    if body.len() > MAX_EXPLAINED {
        let text = "Input should be an object with model and messages";
        return Err(vec![problem("value_error", &[], text, &Value::Null)]);
    }
    if body.trim_ascii().is_empty() {
        return Err(vec![missing(&[], &Value::Null)]);
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|error| vec![not_json(body, &error)])?;
    let errors = check(&value);
    if errors.is_empty() {
        Ok(to_completion(&value))
    } else {
        Err(errors)
    }
}

/// As [`ChatRequest::to_completion`], of a body that is as it should be.
fn to_completion(body: &Value) -> Bytes {
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.into_iter().flatten().map(|message| {
        let member = |name| message.get(name);
        json!({ "role": member("role"), "content": member("content") })
    });
    let messages: Vec<Value> = messages.collect();
    let model = body.get("model");
    let request = json!({ "model": model, "stream": true, "messages": messages });
    request.to_string().into()
}

fn check(value: &Value) -> Vec<Value> {
    let mut errors = Vec::new();
    if value.is_null() {
        return vec![missing(&[], &Value::Null)];
    }
    let Some(body) = object(value, &[], &mut errors) else {
        return errors;
    };
    match body.get("model") {
        None => errors.push(missing(&[json!("model")], value)),
        Some(Value::String(_)) => {}
        Some(other) => errors.push(not_text(&[json!("model")], other)),
    }
    match body.get("messages") {
        None => errors.push(missing(&[json!("messages")], value)),
        Some(Value::Array(messages)) => {
            for (index, message) in messages.iter().enumerate() {
                if errors.len() >= MAX_ERRORS {
                    break;
                }
                check_message(message, &[json!("messages"), json!(index)], &mut errors);
            }
        }
        Some(other) => {
            let text = "Input should be a valid list";
            errors.push(problem("list_type", &[json!("messages")], text, other));
        }
    }
    errors
}

fn check_message(value: &Value, at: &[Value], errors: &mut Vec<Value>) {
    let Some(message) = object(value, at, errors) else {
        return;
    };
    let member = |name: &str| [at, &[json!(name)]].concat();
    match message.get("role") {
        None => errors.push(missing(&member("role"), value)),
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => {}
        Some(other) => {
            let text = format!("Input should be {EXPECTED_ROLES}");
            let error = problem("literal_error", &member("role"), &text, other);
            let expected = json!({ "expected": EXPECTED_ROLES });
            errors.push(with_context(error, expected));
        }
    }
    match message.get("content") {
        None => errors.push(missing(&member("content"), value)),
        Some(Value::String(_)) => {}
        Some(other) => errors.push(not_text(&member("content"), other)),
    }
}

fn object<'v>(
    value: &'v Value,
    at: &[Value],
    errors: &mut Vec<Value>,
) -> Option<&'v Map<String, Value>> {
    let object = value.as_object();
    if object.is_none() {
        let text = "Input should be a valid dictionary or object to extract fields from";
        errors.push(problem("model_attributes_type", at, text, value));
    }
    object
}

fn missing(at: &[Value], input: &Value) -> Value {
    problem("missing", at, "Field required", input)
}

fn not_text(at: &[Value], input: &Value) -> Value {
    problem("string_type", at, "Input should be a valid string", input)
}

fn problem(kind: &str, at: &[Value], text: &str, input: &Value) -> Value {
    let location = [&[json!("body")], at].concat();
    json!({ "type": kind, "loc": location, "msg": text, "input": input })
}

fn with_context(mut problem: Value, context: Value) -> Value {
    if let Some(members) = problem.as_object_mut() {
        members.insert("ctx".to_owned(), context);
    }
    problem
}

fn not_json(body: &[u8], error: &serde_json::Error) -> Value {
    let before = body.split_inclusive(|byte| *byte == b'\n');
    let lines = before.take(error.line().saturating_sub(1)).map(<[u8]>::len);
    let at = lines.sum::<usize>() + error.column().saturating_sub(1);
    let problem = problem(
        "json_invalid",
        &[json!(at)],
        "JSON decode error",
        &json!({}),
    );
    with_context(problem, json!({ "error": error.to_string() }))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::{Value, json};

    use super::to_chat_completion;
    use crate::dialect::Dialect;
    use crate::telemetry::request_id::RequestIds;

    fn detail(body: &str) -> Value {
        let error = to_chat_completion(body.as_bytes()).expect_err(body);
        assert_eq!(error.status, StatusCode::UNPROCESSABLE_ENTITY);
        let id = RequestIds::new().for_request(HeaderMap::new().get("x-request-id"));
        let response = error.into_response(&id, Dialect::Chat);
        let mut body: Value = serde_json::from_slice(response.body()).unwrap();
        body["detail"].take()
    }

    fn accepted(body: &str) -> String {
        let body = to_chat_completion(body.as_bytes()).unwrap_or_else(|_| panic!("{body}"));
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn a_request_is_a_streamed_completion_of_its_messages() {
        let body = "{\"messages\": [{\"content\": \"h\\u00e9\", \"role\": \"system\", \"name\": \"x\"}, \
                    {\"role\": \"user\", \"content\": \"\"}], \"model\": \"gpt-4o\", \"stream\": false, \"n\": 3}";
        let expected = "{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[{\"role\":\"system\",\
                        \"content\":\"h\\u00e9\"},{\"role\":\"user\",\"content\":\"\"}]}";
        assert_eq!(accepted(body), expected);
        let empty = "{\"model\":\"a\",\"messages\":[]}";
        assert_eq!(
            accepted(empty),
            "{\"model\":\"a\",\"stream\":true,\"messages\":[]}"
        );
        let twice = "{\"model\":1,\"model\":\"a\",\"messages\":[{\"role\":\"us\\u0065r\",\"content\":\"x\"}]}";
        let request: Value = serde_json::from_str(&accepted(twice)).unwrap();
        let messages = json!([{ "role": "user", "content": "x" }]);
        assert_eq!(
            request,
            json!({ "model": "a", "stream": true, "messages": messages })
        );
    }

    /// The responses of `FastAPI` 0.110 with Pydantic 2.
    #[test]
    fn s7_other_bodies_are_refused_as_by_pydantic() {
        let object = "Input should be a valid dictionary or object to extract fields from";
        let missing = |loc: Value, input: Value| json!({ "type": "missing", "loc": loc, "msg": "Field required", "input": input });
        let text = |loc: Value, input: Value| {
            let msg = "Input should be a valid string";
            json!({ "type": "string_type", "loc": loc, "msg": msg, "input": input })
        };
        for (body, expected) in [
            ("", json!([missing(json!(["body"]), Value::Null)])),
            ("null", json!([missing(json!(["body"]), Value::Null)])),
            (
                "[]",
                json!([{ "type": "model_attributes_type", "loc": ["body"], "msg": object, "input": [] }]),
            ),
            (
                "{}",
                json!([
                    missing(json!(["body", "model"]), json!({})),
                    missing(json!(["body", "messages"]), json!({})),
                ]),
            ),
            (
                "{\"model\":1,\"messages\":null}",
                json!([
                    text(json!(["body", "model"]), json!(1)),
                    { "type": "list_type", "loc": ["body", "messages"], "msg": "Input should be a valid list", "input": null },
                ]),
            ),
            (
                "{\"model\":\"a\",\"messages\":[1]}",
                json!([{ "type": "model_attributes_type", "loc": ["body", "messages", 0], "msg": object, "input": 1 }]),
            ),
            (
                "{\"model\":\"a\",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
                json!([{
                    "type": "literal_error",
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user', 'assistant' or 'system'",
                    "input": "tool",
                    "ctx": { "expected": "'user', 'assistant' or 'system'" },
                }]),
            ),
            (
                "{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]},{}]}",
                json!([
                    text(
                        json!(["body", "messages", 0, "content"]),
                        json!([{ "type": "text" }])
                    ),
                    missing(json!(["body", "messages", 1, "role"]), json!({})),
                    missing(json!(["body", "messages", 1, "content"]), json!({})),
                ]),
            ),
        ] {
            assert_eq!(detail(body), expected, "{body}");
        }
        let invalid = detail("{\"model\":\n!}");
        assert_eq!(invalid[0]["type"], "json_invalid");
        assert_eq!(invalid[0]["loc"], json!(["body", 10]));
    }

    #[test]
    fn a_large_body_is_not_quoted() {
        let body = format!("[{}1]", "1,".repeat(200 * 1024));
        assert_eq!(detail(&body)[0]["input"], Value::Null);
        let many = format!("{{\"model\":\"a\",\"messages\":[{}1]}}", "1,".repeat(9_999));
        let errors = detail(&many).as_array().map(Vec::len);
        assert_eq!(errors, Some(super::MAX_ERRORS));
    }
}
