//! Invalid request bodies (docs/faults.md, J rows).

use std::collections::BTreeSet;

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    (upstream, gateway)
}

fn send(gateway: &Gateway, body: impl AsRef<[u8]>) -> Response {
    gateway.send(&Request::post("/v1/chat/completions", body))
}

#[test]
fn j01_an_empty_body_is_reported_as_empty() {
    let (upstream, gateway) = start();
    for body in ["", " ", "\r\n\t "] {
        let response = send(&gateway, body);
        if body.is_empty() {
            assert_response::error(&response, 400, "empty_body", None);
        } else {
            assert_eq!(response.status, 400, "{body:?}: {}", response.text());
        }
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn j01_invalid_json_is_rejected_with_its_position_and_without_quoting() {
    let (upstream, gateway) = start();
    let bodies: [(&str, usize); 18] = [
        ("{", 1),
        (r#"{"model":"m""#, 12),
        (r#"{"model":"m",}"#, 13),
        (r#"{"model":"m"} x"#, 14),
        (r#"{"model":"m"}{"model":"m"}"#, 13),
        (r#"{"model":"m","a":NaN}"#, 17),
        (r#"{"model":"m","a":Infinity}"#, 17),
        (r"{'model':'m'}", 1),
        (r#"{"model":"m","a":01}"#, 18),
        (r#"{"model":"m","a":+1}"#, 17),
        (r#"{"model":"m","a":.5}"#, 17),
        (r#"{"model":"m","a":1.}"#, 19),
        (r#"{"model":"m","a":"\x"}"#, 19),
        (r#"{"model":"m","a":tru}"#, 20),
        (r#"{"model":"m",/* c */"a":1}"#, 13),
        (r#"{"model":"m","a":[1,2}"#, 21),
        (r#"{"model" "m"}"#, 9),
        (r#"{model:"m"}"#, 1),
    ];
    for (body, position) in bodies {
        let message = assert_response::error(&send(&gateway, body), 400, "invalid_json", None);
        assert!(
            message.contains(char::is_numeric),
            "{body} at {position}: {message}"
        );
        // An offset one byte off either way still points at the error.
        let near = position.saturating_sub(2)..=position + 2;
        let numbers = message
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok());
        assert!(
            numbers.into_iter().any(|n: usize| near.contains(&n)),
            "{body} at {position}: {message}"
        );
        assert!(!message.contains(body), "{message}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn j01_the_body_is_never_quoted() {
    let (_upstream, gateway) = start();
    let response = send(
        &gateway,
        r#"{"model":"m","messages":"PRIVATE-WORDS" oops-here}"#,
    );
    let message = assert_response::error(&response, 400, "invalid_json", None);
    assert!(
        !message.contains("PRIVATE") && !message.contains("oops"),
        "{message}"
    );
}

#[test]
fn j01_json_that_is_not_an_object_is_rejected() {
    let (upstream, gateway) = start();
    for body in [
        "null",
        "1",
        "\"m\"",
        "[]",
        r#"["m"]"#,
        r#"[{"model":"m"}]"#,
        "true",
    ] {
        let response = send(&gateway, body);
        assert_response::error(&response, 400, "invalid_json", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn j02_two_models_are_rejected_in_any_spelling() {
    let (upstream, gateway) = start();
    for body in [
        r#"{"model":"m","model":"m"}"#,
        r#"{"model":"m","messages":[],"model":"other"}"#,
        r#"{"model":"m","\u006dodel":"other"}"#,
        r#"{"\u006d\u006f\u0064\u0065\u006c":"m","model":"other"}"#,
        r#"{"model":"m","mode\u006C":"m"}"#,
    ] {
        assert_response::error(&send(&gateway, body), 400, "duplicate_field", Some("model"));
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn s03_a_model_in_another_case_does_not_pass_the_list_of_a_key() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("a", "sk-a", "models = [\"m\"]")
        .start();
    for (body, field) in [
        (r#"{"model":"m","Model":"other"}"#, "model"),
        (r#"{"MODEL":"other","model":"m"}"#, "model"),
        (r#"{"model":"m","\u004dodel":"other"}"#, "model"),
        (r#"{"model":"m","stream":false,"Stream":true}"#, "stream"),
        (
            "{\"model\":\"m\",\"stream\":false,\"\u{17F}tream\":true}",
            "stream",
        ),
        (
            r#"{"model":"m","stream_options":{},"Stream_options":{}}"#,
            "stream_options",
        ),
    ] {
        for path in ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"] {
            let response = gateway.send(&Request::post(path, body).key("sk-a"));
            assert_response::error(&response, 400, "duplicate_field", Some(field));
        }
    }
    let alone = Request::post("/v1/chat/completions", r#"{"Model":"m"}"#).key("sk-a");
    assert_response::error(&gateway.send(&alone), 400, "missing_field", Some("model"));
    assert!(upstream.requests().is_empty());
    let inside = r#"{"model":"m","metadata":{"Model":"x"},"models":[]}"#;
    let inside = Request::post("/v1/chat/completions", inside).key("sk-a");
    assert_eq!(gateway.send(&inside).status, 200);
}

#[test]
fn j05_a_model_must_be_present_and_a_string() {
    let (upstream, gateway) = start();
    assert_response::error(&send(&gateway, "{}"), 400, "missing_field", Some("model"));
    assert_response::error(
        &send(&gateway, r#"{"Model":"m"}"#),
        400,
        "missing_field",
        Some("model"),
    );
    for value in [
        "null",
        "1",
        "true",
        "[]",
        "[\"m\"]",
        "{}",
        "{\"model\":\"m\"}",
    ] {
        let response = send(&gateway, format!("{{\"model\":{value}}}"));
        assert_response::error(&response, 400, "invalid_type", Some("model"));
    }
    let empty = send(&gateway, r#"{"model":""}"#);
    assert!(matches!(empty.status, 400 | 404), "{}", empty.text());
    assert_eq!(empty.json()["error"]["param"], "model");
    assert!(upstream.requests().is_empty());
}

#[test]
fn j05_a_huge_model_name_is_not_echoed_and_makes_no_label() {
    let (_upstream, gateway) = start();
    let label_values = || -> BTreeSet<String> {
        let metrics = gateway.metrics();
        let values = metrics.values_of("model").into_iter();
        values.map(str::to_owned).collect()
    };
    let mut expected = label_values();
    expected.insert("unknown".to_owned());
    let name = "x".repeat(10_000);
    let response = send(&gateway, format!("{{\"model\":\"{name}\"}}"));
    assert!(matches!(response.status, 400 | 404), "{}", response.status);
    assert_eq!(response.json()["error"]["param"], "model");
    assert!(
        response.body.len() < 4096,
        "{} bytes of error",
        response.body.len()
    );
    gateway.wait_until_idle();
    assert_eq!(label_values(), expected);
}

#[test]
fn j06_keys_differ_by_space() {
    let (upstream, gateway) = start();
    let body = r#"{"models":"a","Mode":"b","model ":"c","model":"m"," model":"d"}"#;
    assert_eq!(send(&gateway, body).status, 200);
    assert_eq!(
        upstream.only_request().text(),
        body.replace("\"m\"", "\"real-model\"")
    );
}

#[test]
fn j08_only_the_top_level_key_counts() {
    let (upstream, gateway) = start();
    let filler = "y".repeat(1024 * 1024);
    let bodies = [
        r#"{"messages":[{"model":"a","content":"\"model\":\"b\""}],"model":"m"}"#.to_owned(),
        format!(r#"{{"messages":"{filler}","model":"m"}}"#),
        r#"{"\u006d\u006f\u0064\u0065\u006c" : "\u006d"}"#.to_owned(),
        r#"{"a":"}\"model\":\"x\"{","model":"m"}"#.to_owned(),
        r#"{"a":{"model":{"model":"x"}},"model":"m","b":["model","x"]}"#.to_owned(),
    ];
    for (index, body) in bodies.iter().enumerate() {
        assert_eq!(send(&gateway, body).status, 200);
        let expected = body
            .replace("\"m\"", "\"real-model\"")
            .replace(": \"\\u006d\"", ": \"real-model\"");
        let seen = upstream.wait_for_requests(index + 1)[index].text();
        assert!(seen == expected, "case {index}");
    }
}

#[test]
fn j09_invalid_utf8_is_rejected() {
    let (upstream, gateway) = start();
    let invalid: [&[u8]; 6] = [
        b"\xff",
        b"\xc3",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ];
    for bytes in invalid {
        let body = [br#"{"model":"m","a":""#, bytes, br#""}"#].concat();
        assert_response::error(&send(&gateway, body), 400, "invalid_encoding", None);
    }
    let marked = send(&gateway, b"\xef\xbb\xbf{\"model\":\"m\"}");
    assert_response::error(&marked, 400, "invalid_encoding", None);
    assert!(marked.text().contains("without a byte order mark"));
    let wide: Vec<u8> = r#"{"model":"m"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(send(&gateway, wide).status, 400);
    assert!(upstream.requests().is_empty());
}

#[test]
fn j09_control_characters_in_strings_are_rejected() {
    let (upstream, gateway) = start();
    for byte in [0_u8, 1, b'\n', b'\t', 0x1f] {
        let body = [br#"{"model":"m","a":""#.as_slice(), &[byte], br#""}"#].concat();
        assert_response::error(&send(&gateway, body), 400, "invalid_json", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn deep_nesting_is_rejected_before_it_overflows_the_stack() {
    let (upstream, mut gateway) = start();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let inner = if open == "[" { "" } else { "1" };
        let body = format!(
            "{{\"model\":\"m\",\"a\":{}{inner}{}}}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        let response = send(&gateway, body);
        assert_eq!(response.status, 400);
        assert_eq!(response.json()["error"]["code"], "too_deep");
    }
    let shallow = format!(
        "{{\"model\":\"m\",\"a\":{}{}}}",
        "[".repeat(60),
        "]".repeat(60)
    );
    assert_eq!(send(&gateway, shallow).status, 200);
    assert_eq!(upstream.requests().len(), 1);
    assert!(gateway.is_running());
}

#[test]
fn j15_only_true_is_streaming() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::completion("hi"));
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    for (index, value) in ["false", "null", "\"true\"", "1", "{}"]
        .into_iter()
        .enumerate()
    {
        let body = format!("{{\"model\":\"m\",\"stream\":{value}}}");
        assert_eq!(send(&gateway, &body).status, 200, "{value}");
        let seen = upstream.wait_for_requests(index + 1)[index].text();
        assert_eq!(seen, body.replace("\"m\"", "\"real-model\""));
    }
}

#[test]
fn j15_a_unary_response_to_a_stream_request_is_forwarded_unchanged() {
    let (_upstream, gateway) = start();
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.status, 200);
    assert!(
        response.text().contains("\"object\":\"chat.completion\""),
        "{}",
        response.text()
    );
    assert!(response.complete);
}

#[test]
fn j17_addresses_in_the_body_are_text() {
    let trap = Upstream::with_response(response::completion("fetched"));
    let (upstream, gateway) = start();
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{}"}}}},{{"type":"file","file_url":"file:///etc/passwd"}}]}}]}}"#,
        trap.base_url()
    );
    assert_eq!(send(&gateway, &body).status, 200);
    assert_eq!(
        upstream.only_request().text(),
        body.replace("\"m\"", "\"real-model\"")
    );
    assert_eq!(trap.connections(), 0);
}

#[test]
fn j18_the_model_in_a_response_is_the_upstreams() {
    let (_upstream, gateway) = start();
    assert_eq!(
        send(&gateway, r#"{"model":"m"}"#).json()["model"],
        "real-model"
    );
}

#[test]
fn a_rejected_body_leaves_the_connection_usable() {
    let (_upstream, gateway) = start();
    let mut client = gateway.client();
    for _ in 0..3 {
        client.send(&Request::post("/v1/chat/completions", "{\"model\"").bytes());
        assert_response::error(&client.response(), 400, "invalid_json", None);
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
    }
}
