use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::answer::{Answer, words};
use super::call::Call;
use super::chat::{self, Style};
use super::{Reply, embedding, responses, serve};
use crate::secret::Secret;

fn call(body: &Value) -> Call {
    Call::parse(body.to_string().as_bytes()).unwrap()
}

fn chat_about(said: &str) -> Value {
    json!({"model": "demo", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": said},
    ]})
}

fn json_of(reply: Reply) -> Value {
    match reply {
        Reply::Json(value) => value,
        Reply::Stream(_) => panic!("a stream"),
    }
}

/// The data of each event, and the name where there is one.
fn events_of(reply: Reply) -> Vec<(Option<String>, Value)> {
    let Reply::Stream(pieces) = reply else {
        panic!("no stream")
    };
    let event = |text: &str| {
        let text = text.strip_suffix("\n\n").unwrap();
        let (name, data) = text.split_once("data: ").unwrap();
        let name = name
            .strip_prefix("event: ")
            .map(|name| name.trim_end().to_owned());
        (
            name,
            serde_json::from_str(data).unwrap_or_else(|_| Value::from(data)),
        )
    };
    pieces
        .iter()
        .map(|piece| event(std::str::from_utf8(&piece.bytes).unwrap()))
        .collect()
}

fn joined<'a>(parts: impl Iterator<Item = &'a Value>) -> String {
    parts.filter_map(Value::as_str).collect()
}

#[test]
fn words_put_together_are_the_text() {
    for text in [
        "a",
        "a b",
        "  a\n\n b\t",
        "日本 語\u{3000}x 🦀🦀\n",
        "",
        "   ",
        "# a\n\n| b |\n",
    ] {
        let together: String = words(text).collect();
        let expected = if text.trim().is_empty() { "" } else { text };
        assert_eq!(together, expected, "{text:?}");
        assert_eq!(
            words(text).count(),
            text.split_whitespace().count(),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_asked_for_is_shown() {
    let first_line = |said| {
        Answer::to(said, None)
            .text
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(first_line("Hello"), "# Hello from Trunkline");
    assert_eq!(first_line("Show me a TABLE!"), "# A table from Trunkline");
    assert_eq!(first_line("python, please"), "# Code that calls Trunkline");
    assert_eq!(first_line("a vegetable encoded"), "# Hello from Trunkline");
}

#[test]
fn every_answer_shows_markdown_and_the_way_on() {
    for said in ["hello", "code", "table"] {
        let text = Answer::to(said, None).text;
        for part in [
            "# ",
            "\n- ",
            "| --- |",
            "```python",
            "base_url=",
            "OPENAI_API_KEY",
            "demo",
        ] {
            let numbered = part == "\n- " && text.contains("\n1. ");
            assert!(numbered || text.contains(part), "{said}: {part}");
        }
        assert!(text.contains(&format!("You wrote: `{said}`")), "{said}");
        assert_eq!(text.matches("```").count() % 2, 0, "{said}");
    }
}

#[test]
fn a_quote_is_short_and_inert() {
    let quoted = |said: &str| {
        let text = Answer::to(said, None).text;
        let line = text
            .lines()
            .find(|line| line.contains("You wrote: "))
            .unwrap();
        line.split_once("You wrote: ").unwrap().1.to_owned()
    };
    assert_eq!(quoted("a\n\n# b `c`\u{1b}[31m"), "`a # b 'c'[31m`");
    assert_eq!(quoted(&"é".repeat(81)), format!("`{}…`", "é".repeat(80)));
    assert_eq!(quoted(&"é".repeat(80)), format!("`{}`", "é".repeat(80)));
    assert_eq!(quoted(" \n"), "nothing that I can read");
    assert_eq!(quoted("{quote}"), "`{quote}`");
}

#[test]
fn the_last_message_of_the_user_counts() {
    let said = |messages: Value| {
        let call = call(&json!({"model": "demo", "messages": messages}));
        call.answer("messages").unwrap().0.text
    };
    let text = said(json!([
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "image_url", "image_url": {"url": "data:"}}]},
        {"role": "assistant", "content": "four"},
    ]));
    assert!(text.contains("`three`"), "{text}");
    assert!(said(json!([])).contains("nothing that I can read"));
    assert!(said(json!([7, null, {"content": null}])).contains("nothing that I can read"));
}

#[test]
fn usage_counts_words() {
    let whole = json_of(chat::reply(Style::Chat, &call(&chat_about("one two three"))).unwrap());
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    let output = text.split_whitespace().count();
    assert_eq!(whole["usage"]["prompt_tokens"], 5);
    assert_eq!(whole["usage"]["completion_tokens"], output);
    assert_eq!(whole["usage"]["total_tokens"], 5 + output);
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
}

#[test]
fn equal_requests_have_equal_answers() {
    let whole = |said| json_of(chat::reply(Style::Chat, &call(&chat_about(said))).unwrap());
    assert_eq!(whole("hello"), whole("hello"));
    assert_ne!(whole("hello")["id"], whole("hello there")["id"]);
}

#[test]
fn a_chat_stream_adds_up_to_the_whole_answer() {
    let mut body = chat_about("日本語 🦀 table");
    let whole = json_of(chat::reply(Style::Chat, &call(&body)).unwrap());
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let mut events = events_of(chat::reply(Style::Chat, &call(&body)).unwrap());
    assert_eq!(events.pop().unwrap().1, "[DONE]");
    let usage = events.pop().unwrap().1;
    assert_eq!(
        (&usage["choices"], &usage["usage"]),
        (&json!([]), &whole["usage"])
    );
    assert_eq!(events[0].1["choices"][0]["delta"]["role"], "assistant");
    let last = events.last().unwrap().1["choices"][0].clone();
    assert_eq!(
        (&last["delta"], &last["finish_reason"]),
        (&json!({}), &json!("stop"))
    );
    let text = joined(
        events
            .iter()
            .map(|(_, event)| &event["choices"][0]["delta"]["content"]),
    );
    assert_eq!(whole["choices"][0]["message"]["content"], text);
}

#[test]
fn a_stream_tells_usage_only_when_asked() {
    for options in [Value::Null, json!({}), json!({"include_usage": false})] {
        let body =
            json!({"model": "demo", "prompt": "x", "stream": true, "stream_options": options});
        let events = events_of(chat::reply(Style::Text, &call(&body)).unwrap());
        assert!(events.iter().all(|(_, event)| event.get("usage").is_none()));
        let text = joined(events.iter().map(|(_, event)| &event["choices"][0]["text"]));
        assert_eq!(text, Answer::to("x", None).text);
    }
}

#[test]
fn a_limit_cuts_and_says_so() {
    for limit in ["max_tokens", "max_completion_tokens"] {
        let mut body = chat_about("hello");
        body[limit] = 3.into();
        let whole = json_of(chat::reply(Style::Chat, &call(&body)).unwrap());
        assert_eq!(whole["choices"][0]["message"]["content"], "# Hello from ");
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["usage"]["completion_tokens"], 3);
    }
}

#[test]
fn a_stream_of_responses_has_its_events_in_order() {
    let body =
        json!({"model": "demo", "input": "hello", "instructions": "Be brief.", "stream": true});
    let events = events_of(responses::reply(&call(&body)).unwrap());
    let mut names: Vec<&str> = Vec::new();
    for (number, (name, event)) in events.iter().enumerate() {
        assert_eq!(event["type"], name.as_deref().unwrap());
        assert_eq!(event["sequence_number"], number);
        names.extend(name.as_deref());
    }
    names.dedup();
    let expected = "created in_progress output_item.added content_part.added output_text.delta \
                    output_text.done content_part.done output_item.done completed";
    let expected: Vec<_> = expected
        .split(' ')
        .map(|name| format!("response.{name}"))
        .collect();
    assert_eq!(names, expected);
    let ended = &events.last().unwrap().1["response"];
    assert_eq!(ended["usage"]["input_tokens"], 3);
    let text = joined(events.iter().map(|(_, event)| &event["delta"]));
    assert_eq!(ended["output"][0]["content"][0]["text"], text);
    assert_eq!(text, Answer::to("hello", None).text);
}

#[test]
fn a_cut_response_is_incomplete() {
    let body = json!({"model": "demo", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}], "max_output_tokens": 2});
    let whole = json_of(responses::reply(&call(&body)).unwrap());
    assert_eq!(whole["status"], "incomplete");
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(whole["usage"]["output_tokens"], 2);
}

fn embeddings(body: &Value) -> Vec<Value> {
    let list = json_of(embedding::reply(&call(body)).unwrap());
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["embedding"].clone())
        .collect()
}

#[test]
fn vectors_have_length_one_and_depend_on_the_text() {
    let body = json!({"model": "demo", "input": ["a", "b", "a"], "dimensions": 50});
    let vectors = embeddings(&body);
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    for vector in &vectors {
        let numbers: Vec<f64> = vector
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        assert_eq!(numbers.len(), 50);
        let length: f64 = numbers.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn base64_holds_the_same_numbers() {
    let mut body = json!({"model": "demo", "input": "a"});
    let plain = embeddings(&body)[0].clone();
    body["encoding_format"] = "base64".into();
    let bytes = STANDARD
        .decode(embeddings(&body)[0].as_str().unwrap())
        .unwrap();
    let floats = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    assert_eq!(plain, json!(floats.collect::<Vec<_>>()));
}

#[test]
fn odd_inputs_are_refused() {
    let most = vec!["a"; 257];
    for input in [
        json!(null),
        json!(""),
        json!([]),
        json!(["a", ""]),
        json!({}),
        json!([[], [1]]),
        json!(most),
    ] {
        let refused = embedding::reply(&call(&json!({"model": "demo", "input": input.clone()})));
        let fault = refused.err().unwrap();
        assert_eq!(fault.to_json()["error"]["param"], "input", "{input}");
    }
    for (name, value) in [("encoding_format", json!("hex")), ("dimensions", json!(0))] {
        let mut body = json!({"model": "demo", "input": [1, 2]});
        assert_eq!(
            embeddings(&body).len(),
            usize::from(body["input"] != json!([]))
        );
        body[name] = value;
        assert!(embedding::reply(&call(&body)).is_err(), "{name}");
    }
}

// ===== over a socket =====

const KEY: &str = "Bearer demo-key";

async fn connect(address: std::net::SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    spawn_local(connection);
    sender
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    path: &str,
    key: &str,
    body: &str,
) -> (StatusCode, String, Vec<Bytes>) {
    let request = Request::post(path)
        .header("host", "demo")
        .header("authorization", key)
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let mut pieces = Vec::new();
    while let Some(frame) = response.body_mut().frame().await {
        pieces.extend(frame.unwrap().into_data());
    }
    (status, kind, pieces)
}

/// A connection to a demo model whose key is `demo-key`.
async fn start() -> SendRequest<Full<Bytes>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn_local(serve(listener, Secret::new("demo-key")));
    connect(address).await
}

async fn refuses_strangers() {
    let mut sender = start().await;
    for wrong in ["Bearer other", "demo-key", "Bearer ", "Basic demo-key"] {
        let (status, _, pieces) = post(&mut sender, "/v1/completions", wrong, "{}").await;
        assert_eq!(status, 401, "{wrong}");
        assert!(pieces.concat().starts_with(br#"{"error":{"#));
    }
}

async fn finds_each_route() {
    let mut sender = start().await;
    let chat = chat_about("hello").to_string();
    for (path, body, expected) in [
        ("/v1/chat/completions", &*chat, 200),
        ("/chat/completions", &*chat, 200),
        ("/v1/completions", r#"{"model":"demo","prompt":"x"}"#, 200),
        ("/v1/embeddings", r#"{"model":"demo","input":"x"}"#, 200),
        ("/v1/responses", r#"{"model":"demo","input":"x"}"#, 200),
        ("/v1/moderations", "{}", 404),
        ("/v1", "{}", 404),
        ("/v1/chat/completions", "{", 400),
        ("/v1/chat/completions", r#"{"model":"demo"}"#, 400),
    ] {
        let (status, kind, pieces) = post(&mut sender, path, KEY, body).await;
        assert_eq!(
            (status.as_u16(), &*kind),
            (expected, "application/json"),
            "{path} {body}"
        );
        assert!(
            serde_json::from_slice::<Value>(&pieces.concat())
                .unwrap()
                .is_object()
        );
    }
}

async fn streams_at_its_pace() {
    let mut sender = start().await;
    let mut body = chat_about("hello");
    body["max_tokens"] = 4.into();
    body["stream"] = true.into();
    let begun = tokio::time::Instant::now();
    let (status, kind, pieces) =
        post(&mut sender, "/v1/chat/completions", KEY, &body.to_string()).await;
    assert_eq!((status.as_u16(), &*kind), (200, "text/event-stream"));
    // Four words take their time at least, however busy the machine is.
    assert!(begun.elapsed().as_millis() >= 4 * 33);
    assert!(pieces.concat().ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn serves_over_a_socket() {
    let all = async {
        refuses_strangers().await;
        finds_each_route().await;
        streams_at_its_pace().await;
    };
    LocalSet::new().run_until(all).await;
}
