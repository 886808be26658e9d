use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::address::base_url;
use super::chat::{self, CompletionKind};
use super::generate::{GeneratedText, words};
use super::request::DemoRequest;
use super::{DemoResponse, embedding, responses};

mod socket;

const BASE_URL: &str = "http://127.0.0.1:8080/v1";

fn request(body: &Value) -> DemoRequest {
    let mut request = DemoRequest::parse(body.to_string().as_bytes()).unwrap();
    request.base_url = BASE_URL.to_owned();
    request
}

fn chat_about(prompt: &str) -> Value {
    json!({"model": "demo", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": prompt},
    ]})
}

fn json_of(response: DemoResponse) -> Value {
    match response {
        DemoResponse::Json(value) => value,
        DemoResponse::Stream(_) => panic!("not JSON"),
    }
}

/// The data of each event, and its name if any.
fn events_of(response: DemoResponse) -> Vec<(Option<String>, Value)> {
    let DemoResponse::Stream(events) = response else {
        panic!("not a stream")
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
    events
        .iter()
        .map(|it| event(std::str::from_utf8(&it.bytes).unwrap()))
        .collect()
}

fn joined<'a>(parts: impl Iterator<Item = &'a Value>) -> String {
    parts.filter_map(Value::as_str).collect()
}

#[test]
fn responses_have_the_time_of_their_request() {
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let about = request(&chat_about("hello"));
    let completion = json_of(chat::respond(CompletionKind::Chat, &about).unwrap());
    let created = completion["created"].as_u64().unwrap();
    let after = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((before..=after).contains(&created), "{created}");
}

#[test]
fn joined_words_are_the_text() {
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
fn keywords_select_the_text() {
    let first_line = |prompt| {
        GeneratedText::generate(prompt, None, BASE_URL)
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
fn every_text_contains_markdown_and_next_steps() {
    for prompt in ["hello", "code", "table"] {
        let text = GeneratedText::generate(prompt, None, BASE_URL).text;
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
            assert!(numbered || text.contains(part), "{prompt}: {part}");
        }
        assert!(text.contains(&format!("You wrote: `{prompt}`")), "{prompt}");
        assert_eq!(text.matches("```").count() % 2, 0, "{prompt}");
    }
}

#[test]
fn code_calls_the_gateway_that_was_asked() {
    let base = |headers: &[(HeaderName, &str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        base_url(&map)
    };
    let own = (super::address::BASE_URL, "https://127.0.0.1:9000/v1");
    let origin = |value| (ORIGIN, value);
    let page = |value| (REFERER, value);
    assert_eq!(base(&[]), BASE_URL);
    assert_eq!(
        base(std::slice::from_ref(&own)),
        "https://127.0.0.1:9000/v1"
    );
    assert_eq!(
        base(&[own.clone(), origin("http://[::1]:80")]),
        "http://[::1]:80/v1"
    );
    let below = page("https://ai.example.com/tools/gateway/?model=m#x");
    let with_both = [own.clone(), origin("https://ai.example.com"), below];
    assert_eq!(base(&with_both), "https://ai.example.com/tools/gateway/v1");
    assert_eq!(base(&[page("http://h:1/docs")]), "http://h:1/v1");
    // Nothing that could end a string, and no other scheme.
    for odd in [
        "null",
        "http://h",
        "http://h/a\"b/",
        "http://h/a`b/",
        "ftp://h/",
        "http://h/{x}/",
    ] {
        assert_eq!(base(&[page(odd)]), BASE_URL, "{odd}");
    }
    for odd in ["null", "file://", "http://h'", "https://"] {
        assert_eq!(base(&[origin(odd)]), BASE_URL, "{odd}");
    }
    assert_eq!(
        base(&[page(&format!("http://h/{}/", "a".repeat(200)))]),
        BASE_URL
    );
    for prompt in ["hello", "code", "table"] {
        let text = GeneratedText::generate(prompt, None, "https://h/v1").text;
        assert!(
            text.contains("https://h/v1") && !text.contains("8080"),
            "{prompt}"
        );
    }
}

#[test]
fn a_quote_is_short_and_inert() {
    let quoted = |prompt: &str| {
        let text = GeneratedText::generate(prompt, None, BASE_URL).text;
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
fn the_last_user_message_is_quoted() {
    let prompt = |messages: Value| {
        let request = request(&json!({"model": "demo", "messages": messages}));
        request.generate("messages").unwrap().0.text
    };
    let text = prompt(json!([
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "image_url", "image_url": {"url": "data:"}}]},
        {"role": "assistant", "content": "four"},
    ]));
    assert!(text.contains("`three`"), "{text}");
    assert!(prompt(json!([])).contains("nothing that I can read"));
    assert!(prompt(json!([7, null, {"content": null}])).contains("nothing that I can read"));
}

#[test]
fn usage_counts_words() {
    let whole = json_of(
        chat::respond(CompletionKind::Chat, &request(&chat_about("one two three"))).unwrap(),
    );
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    let output = text.split_whitespace().count();
    assert_eq!(whole["usage"]["prompt_tokens"], 5);
    assert_eq!(whole["usage"]["completion_tokens"], output);
    assert_eq!(whole["usage"]["total_tokens"], 5 + output);
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
}

#[test]
fn equal_requests_have_equal_responses() {
    let whole = |prompt| {
        json_of(chat::respond(CompletionKind::Chat, &request(&chat_about(prompt))).unwrap())
    };
    assert_eq!(whole("hello"), whole("hello"));
    assert_ne!(whole("hello")["id"], whole("hello there")["id"]);
}

#[test]
fn a_chat_stream_adds_up_to_the_complete_text() {
    let mut body = chat_about("日本語 🦀 table");
    let whole = json_of(chat::respond(CompletionKind::Chat, &request(&body)).unwrap());
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let mut events = events_of(chat::respond(CompletionKind::Chat, &request(&body)).unwrap());
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
fn a_stream_has_usage_only_on_request() {
    for options in [Value::Null, json!({}), json!({"include_usage": false})] {
        let body =
            json!({"model": "demo", "prompt": "x", "stream": true, "stream_options": options});
        let events = events_of(chat::respond(CompletionKind::Text, &request(&body)).unwrap());
        assert!(events.iter().all(|(_, event)| event.get("usage").is_none()));
        let text = joined(events.iter().map(|(_, event)| &event["choices"][0]["text"]));
        assert_eq!(text, GeneratedText::generate("x", None, BASE_URL).text);
    }
}

#[test]
fn a_limit_cuts_the_text_and_sets_the_finish_reason() {
    for limit in ["max_tokens", "max_completion_tokens"] {
        let mut body = chat_about("hello");
        body[limit] = 3.into();
        let whole = json_of(chat::respond(CompletionKind::Chat, &request(&body)).unwrap());
        assert_eq!(whole["choices"][0]["message"]["content"], "# Hello from ");
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["usage"]["completion_tokens"], 3);
    }
}

#[test]
fn a_responses_stream_has_its_events_in_order() {
    let body =
        json!({"model": "demo", "input": "hello", "instructions": "Be brief.", "stream": true});
    let events = events_of(responses::respond(&request(&body)).unwrap());
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
    assert_eq!(text, GeneratedText::generate("hello", None, BASE_URL).text);
}

#[test]
fn a_cut_response_is_incomplete() {
    let body = json!({"model": "demo", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}], "max_output_tokens": 2});
    let whole = json_of(responses::respond(&request(&body)).unwrap());
    assert_eq!(whole["status"], "incomplete");
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(whole["usage"]["output_tokens"], 2);
}

fn embeddings(body: &Value) -> Vec<Value> {
    let list = json_of(embedding::respond(&request(body)).unwrap());
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
fn base64_encodes_the_same_numbers() {
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
fn invalid_inputs_are_rejected() {
    let too_many = vec!["a"; 257];
    for input in [
        json!(null),
        json!(""),
        json!([]),
        json!(["a", ""]),
        json!({}),
        json!([[], [1]]),
        json!(too_many),
    ] {
        let result =
            embedding::respond(&request(&json!({"model": "demo", "input": input.clone()})));
        let error = result.err().unwrap();
        assert_eq!(error.to_json()["error"]["param"], "input", "{input}");
    }
    for (name, value) in [("encoding_format", json!("hex")), ("dimensions", json!(0))] {
        let mut body = json!({"model": "demo", "input": [1, 2]});
        assert_eq!(
            embeddings(&body).len(),
            usize::from(body["input"] != json!([]))
        );
        body[name] = value;
        assert!(embedding::respond(&request(&body)).is_err(), "{name}");
    }
}
