//! Every endpoint under every kind of rule: none is without a meter.

use super::alice::{KEY, counts, setup, used};
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::websocket::{Peer, TEXT, echo, handshake, send_handshake, websocket_upstream};

/// What a limit makes of a call, as docs/endpoints.md has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usage,
    None,
    Unreported,
    Free,
}

use Kind::{Free, None, Unreported, Usage};

/// A path for each endpoint, and for paths that are no endpoint of ours.
const POSTS: [(&str, Kind); 41] = [
    ("/chat/completions", Usage),
    ("/completions", Usage),
    ("/embeddings", Usage),
    ("/responses", Usage),
    ("/responses/compact", Usage),
    ("/messages", Usage),
    ("/images/generations", Usage),
    ("/images/edits", Usage),
    ("/audio/transcriptions", Usage),
    ("/audio/translations", Usage),
    ("/moderations", None),
    ("/files", None),
    ("/uploads", None),
    ("/uploads/upload_1/complete", None),
    ("/conversations", None),
    ("/responses/resp_1/cancel", None),
    ("/responses/input_tokens", None),
    ("/chat/completions/chatcmpl_1", None),
    ("/audio/speech", Unreported),
    ("/images/variations", Unreported),
    ("/messages/batches", Unreported),
    ("/videos", Unreported),
    ("/batches", Unreported),
    ("/fine_tuning/jobs", Unreported),
    ("/vector_stores", Unreported),
    ("/containers", Unreported),
    ("/evals", Unreported),
    ("/skills", Unreported),
    ("/assistants", Unreported),
    ("/threads", Unreported),
    ("/threads/runs", Unreported),
    ("/chatkit/sessions", Unreported),
    ("/realtime/client_secrets", Unreported),
    ("/realtime/calls", Unreported),
    ("/live/sessions", Unreported),
    ("/agents", Unreported),
    ("/organization/projects", Unreported),
    ("/audio/voices", Unreported),
    ("/rerank", Unreported),
    ("/not/known/yet", Unreported),
    ("/messages/count_tokens", Free),
];

/// The usage of every API, for all endpoints.
const BODY: &str = r#"{"id":"x","object":"chat.completion","type":"message","choices":[],"content":[],"output":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"input_tokens":11,"output_tokens":7,"total_tokens":18}}"#;
const DIALECTS: &str = "dialects = [\"chat\", \"responses\", \"messages\"]";

fn start(rule: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::json("200 OK", BODY));
    let gateway = super::alice::priced(Setup::new().provider("up", &upstream.base_url(), DIALECTS))
        .model("m", "up", "real-model")
        .key("alice", KEY, "")
        .section(rule)
        .start();
    (upstream, gateway)
}

fn post(path: &str) -> Request {
    let is_form = ["/images/edits", "/images/variations", "/audio/trans"];
    if is_form.iter().any(|form| path.starts_with(form)) {
        let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n";
        return Request::new("POST", &format!("/v1{path}"))
            .header("Content-Type", "multipart/form-data; boundary=b")
            .body(form)
            .key(KEY);
    }
    let body = r#"{"model":"m","max_tokens":9,"input":"hi","prompt":"hi","messages":[]}"#;
    Request::post(&format!("/v1{path}"), body).key(KEY)
}

#[track_caller]
fn assert_code(response: &Response, status: u16, code: &str, path: &str) {
    assert_eq!(response.status, status, "{path}: {}", response.text());
    assert_eq!(response.header("x-should-retry"), Some("false"));
    if path.starts_with("/messages") {
        assert_eq!(response.json()["error"]["type"], "permission_error");
    } else {
        assert_eq!(response.json()["error"]["code"], code, "{path}");
    }
}

/// Bf#2873, L PR#36592: doors that were not counted.
#[test]
fn every_call_is_a_request() {
    let rule = "[limits.all]\nper = [\"key\"]\nrequests = [\"1000/day\"]\nconcurrent = 9";
    let (upstream, gateway) = start(rule);
    let mut expected = 0;
    for (path, kind) in POSTS {
        for method in ["POST", "PUT", "PATCH"] {
            // Of these, a PUT is no call of the same endpoint.
            if method != "POST" && !matches!(kind, Unreported) {
                continue;
            }
            let mut request = post(path);
            request.method = method.to_owned();
            let response = gateway.send(&request);
            assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
            expected += u32::from(kind != Free);
        }
    }
    gateway.wait_until_idle();
    assert_eq!(used(&gateway, "all", "requests"), expected.to_string());
    // Reading and deleting are free.
    let before = upstream.requests().len();
    for (path, _) in POSTS {
        for method in ["GET", "DELETE"] {
            let request = Request::new(method, &format!("/v1{path}")).key(KEY);
            gateway.send(&request);
        }
    }
    assert!(upstream.requests().len() > before + 40);
    gateway.wait_until_idle();
    assert_eq!(used(&gateway, "all", "requests"), expected.to_string());
    assert_eq!(used(&gateway, "all", "concurrent"), "0");
}

#[test]
fn every_call_has_a_meter_under_rules_of_tokens_and_money() {
    for amount in [
        "tokens = [\"1000000/day\"]",
        "input_tokens = [\"1000000/hour\"]",
        "output_tokens = [\"1000000/minute\"]",
        "budget = [\"10/day\"]",
    ] {
        let (upstream, gateway) = start(&format!("[limits.all]\nper = [\"key\"]\n{amount}"));
        for (path, kind) in POSTS {
            let before = upstream.requests().len();
            let response = gateway.send(&post(path));
            if kind == Unreported {
                assert_code(&response, 403, "unmetered_endpoint", path);
                assert_eq!(upstream.requests().len(), before, "{path}");
            } else {
                assert_eq!(response.status, 200, "{path}: {}", response.text());
                assert_eq!(upstream.requests().len(), before + 1, "{path}");
            }
        }
        if amount.contains("day") {
            gateway.wait_until_idle();
            let calls = POSTS.iter().filter(|(_, kind)| *kind == Usage).count();
            let expected = match amount.split_once(' ').unwrap().0 {
                "budget" => format!("{}", calls as f64 * 0.000_025),
                _ => (18 * calls).to_string(),
            };
            let of = amount.split_once(' ').unwrap().0;
            let found = used(&gateway, "all", of);
            let numbers = [&*found, &*expected].map(|it| it.parse::<f64>().unwrap());
            assert!(
                (numbers[0] - numbers[1]).abs() < 1e-9,
                "{found} of {expected}"
            );
        }
    }
}

#[test]
fn a_rule_can_allow_calls_without_usage_or_price_them() {
    let rule = |unmetered: &str| {
        format!("[limits.all]\nper = [\"key\"]\nbudget = [\"10/day\"]\nunmetered = \"{unmetered}\"")
    };
    let unreported = POSTS.iter().filter(|(_, kind)| *kind == Unreported);
    for (unmetered, expected) in [
        ("allow", 0.0),
        ("0.10", 0.1 * unreported.clone().count() as f64),
    ] {
        let (_upstream, gateway) = start(&rule(unmetered));
        for (path, _) in unreported.clone() {
            let response = gateway.send(&post(path));
            assert_eq!(response.status, 200, "{path}: {}", response.text());
        }
        gateway.wait_until_idle();
        let found: f64 = used(&gateway, "all", "budget").parse().unwrap();
        // Where a response reports usage all the same, that counts.
        assert!((found - expected).abs() < 0.2, "{found} of {expected}");
    }
}

#[test]
fn a_rule_that_observes_refuses_no_call() {
    let rule = "[limits.all]\nper = [\"key\"]\ntokens = [\"1/day\"]\nat_limit = \"observe\"";
    let (_upstream, gateway) = start(rule);
    for (path, _) in POSTS {
        let response = gateway.send(&post(path));
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
}

#[test]
fn a_websocket_is_one_request_until_it_closes() {
    let rule = "[limits.all]\nper = [\"key\"]\nrequests = [\"1000/day\"]\nconcurrent = 1";
    let upstream = websocket_upstream(echo);
    let gateway = setup(&upstream, rule).start();
    for target in ["/v1/responses?model=m", "/v1/realtime?model=m"] {
        let before: u32 = used(&gateway, "all", "requests").parse().unwrap();
        let (mut client, head) = send_handshake(&gateway, &handshake(target).key(KEY));
        assert_eq!(head.status, 101, "{}", String::from_utf8_lossy(&head.raw));
        assert_eq!(head.text("x-trunkline-limit"), Some("all"));
        assert!(client.send_message(TEXT, b"{}"));
        assert!(client.read_frame().is_some());
        let refused = gateway.send(&Request::chat("m").key(KEY));
        assert_eq!(refused.status, 429, "{}", refused.text());
        drop(client);
        super::alice::await_used(&gateway, "all", "concurrent", "0");
        let after: u32 = used(&gateway, "all", "requests").parse().unwrap();
        assert_eq!(after, before + 1);
    }
}

#[test]
fn a_websocket_of_responses_is_counted_by_their_usage() {
    let ended = r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":20,"output_tokens":4,"total_tokens":24}}}"#;
    let delta = format!(
        r#"{{"type":"response.output_text.delta","item_id":"i","delta":"{}"}}"#,
        "hi"
    );
    let upstream = websocket_upstream(move |exchange| {
        exchange.read_frame();
        exchange.send_message(TEXT, ended.as_bytes());
        // A second one that does not end.
        exchange.read_frame();
        exchange.send_message(TEXT, delta.as_bytes());
        exchange.wait_for_disconnect();
    });
    let gateway = setup(&upstream, super::alice::ALL_KINDS).start();
    let (mut client, head) = send_handshake(&gateway, &handshake("/v1/responses?model=m").key(KEY));
    assert_eq!(head.status, 101);
    let request = [b'x'; 400];
    for _ in 0..2 {
        assert!(client.send_message(TEXT, &request));
        assert!(client.read_frame().is_some());
    }
    drop(client);
    gateway.access_lines(1);
    assert_eq!(counts(&gateway), [1, 20 + 100, 4 + 1]);
}

/// While the session goes on, others are refused for what it has used; at its end, nothing is
/// counted twice.
#[test]
fn each_response_of_a_websocket_is_charged_as_it_ends() {
    let ended = r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":20,"output_tokens":4,"total_tokens":24}}}"#;
    let upstream = websocket_upstream(move |exchange| {
        while exchange.read_frame().is_some() && exchange.send_message(TEXT, ended.as_bytes()) {}
    });
    let rules = format!(
        "{}\n[limits.each-provider]\nper = [\"provider\"]\ntokens = [\"1000000/day\"]",
        super::alice::ALL_KINDS
    );
    let gateway = setup(&upstream, &rules).start();
    let before = ["input_tokens", "output_tokens"].map(|of| used(&gateway, "all", of));
    assert_eq!(before, ["0", "0"]);
    let (mut client, head) = send_handshake(&gateway, &handshake("/v1/responses?model=m").key(KEY));
    assert_eq!(head.status, 101);
    let number = |rule, of| used(&gateway, rule, of).parse::<u64>().unwrap();
    let reserved = ["input_tokens", "output_tokens"].map(|of| number("all", of));
    for count in 1..=3 {
        assert!(client.send_message(TEXT, b"{}"));
        assert!(client.read_frame().is_some());
        let expected = (reserved[0] + count * 20).to_string();
        super::alice::await_used(&gateway, "all", "input_tokens", &expected);
        assert_eq!(number("all", "output_tokens"), reserved[1] + count * 4);
        assert_eq!(number("all", "concurrent"), 1);
        assert_eq!(number("all", "requests"), 1);
    }
    drop(client);
    gateway.access_lines(1);
    assert_eq!(counts(&gateway), [1, 60, 12]);
    assert_eq!(number("each-provider", "tokens"), 72);
}

#[test]
fn a_realtime_websocket_is_refused_where_tokens_count() {
    let upstream = Upstream::start(echo);
    let gateway = setup(&upstream, super::alice::ALL_KINDS).start();
    let response = gateway.send(&handshake("/v1/realtime?model=m").key(KEY));
    assert_code(&response, 403, "unmetered_endpoint", "/realtime");
}
