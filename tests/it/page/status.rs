//! `/trunkline/…`: what the page is told, and what it is never told.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Piece, Request, find};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, refused_base_url, reply};
use crate::support::wait;
use crate::support::wait::Gate;

const STATUS: &str = "/trunkline/status";
const EVENTS: &str = "/trunkline/status/events";

#[track_caller]
fn status(gateway: &Gateway, key: Option<&str>) -> Value {
    let request = Request::get(STATUS);
    let answer = gateway.ask(&key.map_or(request.clone(), |key| request.key(key)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

/// Waits until so many requests have ended, which is a moment after the last
/// byte of their answers.
#[track_caller]
fn settled(gateway: &Gateway, key: Option<&str>, total: u64) -> Value {
    wait::until(&format!("{total} requests in the status"), || {
        let status = status(gateway, key);
        (status["requests"]["total"] == total).then_some(status)
    })
}

fn named<'a>(rows: &'a Value, field: &str, name: &str) -> &'a Value {
    let mut rows = rows.as_array().unwrap().iter();
    rows.find(|row| row[field] == name).unwrap()
}

fn names(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[field].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_page_learns_what_it_must_know_first() {
    let facts = |gateway: &Gateway| gateway.ask(&Request::get("/trunkline/page")).json();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        facts(&Setup::new().start()),
        json!({ "version": version, "key_required": false, "demo": true, "discovers": false })
    );
    let upstream = Upstream::answering(reply::completion("hi"));
    let keyed = Setup::over(&upstream).key("alice", "tk-alice", "").start();
    assert_eq!(
        facts(&keyed),
        json!({ "version": version, "key_required": true, "demo": false, "discovers": false })
    );
}

#[test]
fn a_fresh_gateway_says_what_is_ready_and_what_is_missing() {
    let status = status(&Setup::new().start(), None);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["at"].as_u64().unwrap() > 1_700_000_000_000);
    assert!(status["uptime_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(status["draining"], false);
    let none = json!({ "in_flight": 0, "total": 0, "failed": 0, "cancelled": 0 });
    assert_eq!(status["requests"], none);
    assert_eq!(status["tokens"], json!({ "input": 0, "output": 0 }));
    let no_cost = json!({ "usd": null, "unknown": 0 });
    assert_eq!(status["cost"], no_cost);
    assert_eq!(status["recent"], json!([]));
    let no_times = json!({ "count": 0, "p50": null, "p95": null });
    assert_eq!(
        *named(&status["models"], "id", "llama3-70b-groq"),
        json!({
            "id": "llama3-70b-groq", "provider": "groq", "upstream_model": "llama3-70b-8192",
            "ready": false, "missing": "GROQ_API_KEY",
            "in_flight": 0, "total": 0, "failed": 0, "first_token_ms": no_times,
            "price": null, "context": 8192, "cost": no_cost,
            "targets": [{
                "provider": "groq", "upstream_model": "llama3-70b-8192", "key": null,
                "priority": 0, "weight": 1, "fallback": false,
                "state": "not_configured", "until": null
            }]
        })
    );
    assert_eq!(
        *named(&status["providers"], "name", "groq"),
        json!({
            "name": "groq", "ready": false, "missing": "GROQ_API_KEY", "state": "not_configured",
            "in_flight": 0, "total": 0, "failed": 0, "first_byte_ms": no_times, "last_fault": null
        })
    );
    assert_eq!(named(&status["models"], "id", "demo")["ready"], true);
    let demo = named(&status["providers"], "name", "demo");
    assert_eq!(
        (&demo["state"], &demo["missing"]),
        (&json!("unknown"), &Value::Null)
    );
}

#[test]
fn a_request_is_told_with_its_times_and_tokens() {
    let stream = reply::stream(&[
        reply::delta("one"),
        reply::finish(),
        reply::usage(12, 40),
        reply::DONE.to_owned(),
    ]);
    let upstream = Upstream::answering(stream);
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::stream("m"));
    assert!(answer.complete);
    let status = settled(&gateway, None, 1);
    let recent = &status["recent"][0];
    for (field, value) in [
        ("id", json!(answer.request_id())),
        ("endpoint", json!("chat_completions")),
        ("model", json!("m")),
        ("provider", json!("up")),
        ("upstream_model", json!("real-model")),
        ("status", json!(200)),
        ("outcome", json!("ok")),
        ("stream", json!(true)),
        ("input_tokens", json!(12)),
        ("output_tokens", json!(40)),
    ] {
        assert_eq!(recent[field], value, "{field}");
    }
    let first_token = recent["first_token_ms"].as_f64().unwrap();
    assert!(first_token > 0.0 && first_token <= recent["duration_ms"].as_f64().unwrap());
    assert!(recent["at"].as_u64() <= status["at"].as_u64());
    assert_eq!(status["tokens"], json!({ "input": 12, "output": 40 }));
    let model = named(&status["models"], "id", "m");
    assert_eq!((&model["total"], &model["failed"]), (&json!(1), &json!(0)));
    let times = &model["first_token_ms"];
    assert_eq!((&times["count"], &times["p50"]), (&json!(1), &times["p95"]));
    assert!((times["p50"].as_f64().unwrap() - first_token).abs() < 1e-9);
    let provider = named(&status["providers"], "name", "up");
    assert_eq!(
        (&provider["state"], &provider["total"]),
        (&json!("ok"), &json!(1))
    );
    assert_eq!(provider["first_byte_ms"]["count"], 1);
}

#[test]
fn requests_without_an_alias_count_for_their_provider() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    gateway.ask(&Request::chat("up/vendor/x"));
    assert_response::error(
        &gateway.ask(&Request::chat("nothing")),
        404,
        "model_not_found",
        Some("model"),
    );
    let status = settled(&gateway, None, 2);
    let [lost, found] = [&status["recent"][0], &status["recent"][1]];
    assert_eq!(
        (&found["model"], &found["upstream_model"]),
        (&json!("up/*"), &json!("vendor/x"))
    );
    assert_eq!(
        (&lost["model"], &lost["provider"]),
        (&json!("unknown"), &json!("unknown"))
    );
    assert_eq!(
        (&lost["status"], &lost["outcome"]),
        (&json!(404), &json!("client_error"))
    );
    assert_eq!(status["requests"]["failed"], 1);
    assert_eq!(named(&status["providers"], "name", "up")["total"], 1);
    assert!(!names(&status["models"], "id").contains(&"up/*".to_owned()));
}

#[test]
fn a_provider_that_fails_is_told_until_it_answers_again() {
    let broken = Arc::new(Gate::default());
    let mends = Arc::clone(&broken);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(if mends.pass_now() {
            reply::completion("hi")
        } else {
            reply::json("500 Internal Server Error", "{}")
        });
    });
    let gateway = Setup::over(&upstream)
        .provider("gone", &refused_base_url(), "")
        .model("n", "gone", "far")
        .start();
    gateway.ask(&Request::chat("m"));
    gateway.ask(&Request::chat("n"));
    let failed = settled(&gateway, None, 2);
    for (name, code) in [("up", "http_500"), ("gone", "upstream_connect_failed")] {
        let provider = named(&failed["providers"], "name", name);
        assert_eq!(
            (&provider["state"], &provider["failed"]),
            (&json!("failing"), &json!(1))
        );
        assert_eq!(provider["last_fault"]["code"], code);
        assert!(provider["last_fault"]["at"].as_u64() <= failed["at"].as_u64());
    }
    broken.open();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let mended = settled(&gateway, None, 3);
    let provider = named(&mended["providers"], "name", "up");
    assert_eq!(provider["state"], "ok");
    assert_eq!(provider["last_fault"]["code"], "http_500");
}

#[test]
fn requests_in_flight_are_counted_and_those_whose_caller_leaves() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        held.pass();
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.take(reply::delta("one").len());
    let busy = status(&gateway, None);
    assert_eq!(busy["requests"]["in_flight"], 1);
    assert_eq!(named(&busy["models"], "id", "m")["in_flight"], 1);
    assert_eq!(named(&busy["providers"], "name", "up")["in_flight"], 1);
    drop(client);
    let left = settled(&gateway, None, 1);
    gate.open_for_good();
    assert_eq!(
        left["requests"],
        json!({ "in_flight": 0, "total": 1, "failed": 0, "cancelled": 1 })
    );
    assert_eq!(left["recent"][0]["outcome"], "cancelled");
}

#[test]
fn at_most_twenty_requests_are_told_the_newest_first() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    let ids: Vec<String> = (0..30)
        .map(|_| gateway.ask(&Request::chat("m")).request_id())
        .collect();
    let status = settled(&gateway, None, 30);
    let shown = names(&status["recent"], "id");
    assert_eq!(shown.len(), 20);
    assert_eq!(shown[0], ids[29]);
    let newest: std::collections::BTreeSet<_> = ids[10..].iter().collect();
    assert_eq!(
        shown.iter().collect::<std::collections::BTreeSet<_>>(),
        newest
    );
}

#[test]
fn a_caller_sees_its_own_requests_and_its_own_models() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .provider("side", &upstream.base_url(), "")
        .model("gpt-x", "side", "x")
        .key("alice", "tk-alice", "")
        .key("bob", "tk-bob", "models = [\"gpt-*\"]")
        .start();
    let ask = |model: &str, key: &str| gateway.ask(&Request::chat(model).key(key)).request_id();
    let alices = ask("m", "tk-alice");
    let bobs = ask("gpt-x", "tk-bob");
    ask("m", "tk-nobody");
    let alice = settled(&gateway, Some("tk-alice"), 2);
    assert_eq!(names(&alice["recent"], "id"), [alices]);
    assert!(names(&alice["models"], "id").contains(&"m".to_owned()));
    let bob = settled(&gateway, Some("tk-bob"), 1);
    assert_eq!(names(&bob["recent"], "id"), [bobs]);
    let models = names(&bob["models"], "id");
    assert!(models.iter().all(|id| id.starts_with("gpt-")), "{models:?}");
    // The built-in aliases of OpenAI's begin so as well.
    assert_eq!(names(&bob["providers"], "name"), ["openai", "side"]);
}

#[test]
fn the_status_is_for_those_who_may_call() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let keyed = Setup::over(&upstream).key("alice", "tk-alice", "").start();
    for path in [STATUS, EVENTS] {
        for request in [Request::get(path), Request::get(path).key("tk-wrong")] {
            assert_response::error(&keyed.ask(&request), 401, "invalid_api_key", None);
        }
    }
    let open = Setup::over(&upstream).start();
    for path in [STATUS, EVENTS] {
        let foreign = Request::get(path).header("Origin", "https://evil.example");
        assert_response::error(&open.ask(&foreign), 403, "forbidden_origin", None);
        let posted = open.ask(&Request::post(path, "{}"));
        assert_response::error(&posted, 405, "method_not_allowed", None);
        let below = open.ask(&Request::get(&format!("{path}/")));
        assert_response::error(&below, 404, "unknown_url", None);
    }
    for path in [STATUS, EVENTS, "/trunkline/page"] {
        let rebound = Request::get(path)
            .without("Host")
            .header("Host", "evil.example");
        assert_response::error(&open.ask(&rebound), 403, "forbidden_origin", None);
    }
}

#[test]
fn without_the_page_there_is_no_status() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).server("page = false").start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    for path in [STATUS, EVENTS, "/trunkline/page"] {
        assert_response::error(&gateway.ask(&Request::get(path)), 404, "unknown_url", None);
    }
}

#[test]
fn nothing_that_was_said_is_told() {
    const PROMPT: &str = "pHx5Lr9gWk2TzC8vMd4Ns7Qb3JyFa6Ie";
    const COMPLETION: &str = "oTz8Gc3nVq6LwD5xRk9Hm2Bs7PyJf4Au";
    const CLIENT: &str = "cWm3Vt8hQz5PxN7kSb2Ry9Gj4DfLe6Ua";
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("fail") {
            let error = format!(r#"{{"error":{{"message":"{COMPLETION}"}}}}"#);
            reply::json("500 Internal Server Error", &error)
        } else {
            reply::completion(COMPLETION)
        });
    });
    let gateway = Setup::over(&upstream).key("alice", CLIENT, "").start();
    for word in ["", "fail"] {
        let body = format!(
            r#"{{"model":"m","user":"{PROMPT}","messages":[{{"role":"user","content":"{PROMPT} {word}"}}]}}"#
        );
        let request = Request::post("/v1/chat/completions", body)
            .key(CLIENT)
            .header("X-Request-Id", &format!("{PROMPT}!"))
            .header("User-Agent", PROMPT);
        gateway.ask(&request);
    }
    settled(&gateway, Some(CLIENT), 2);
    let told = gateway.ask(&Request::get(STATUS).key(CLIENT));
    let mut client = gateway.client();
    client.send(&Request::get(EVENTS).key(CLIENT).bytes());
    client.head();
    let Piece::Data(event) = client.piece() else {
        panic!("no event");
    };
    let page = gateway.ask(&Request::get("/trunkline/page"));
    let port = format!(":{}", upstream.port());
    for bytes in [&told.body, &told.head.raw, &event, &page.body] {
        for canary in [PROMPT, COMPLETION, CLIENT, UPSTREAM_KEY, "127.0.0.1", &port] {
            assert_eq!(find(bytes, canary.as_bytes()), None, "{canary}");
        }
    }
}
