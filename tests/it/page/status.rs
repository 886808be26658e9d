//! `/trunkline/…`: what the page receives, and what it must never receive.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{BodyFrame, Request, find};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

const STATUS: &str = "/trunkline/status";
const EVENTS: &str = "/trunkline/status/events";

#[track_caller]
fn status(gateway: &Gateway, key: Option<&str>) -> Value {
    let request = Request::get(STATUS);
    let response = gateway.send(&key.map_or(request.clone(), |key| request.key(key)));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), Some("no-store"));
    response.json()
}

/// Waits until `total` requests are finished, which is shortly after the last
/// byte of their responses.
#[track_caller]
fn status_after(gateway: &Gateway, key: Option<&str>, total: u64) -> Value {
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
fn the_page_gets_its_startup_information() {
    let facts = |gateway: &Gateway| gateway.send(&Request::get("/trunkline/page")).json();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        facts(&Setup::new().start()),
        json!({ "version": version, "key_required": false, "demo": true, "discovers": false })
    );
    let upstream = Upstream::with_response(response::completion("hi"));
    let keyed = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    assert_eq!(
        facts(&keyed),
        json!({ "version": version, "key_required": true, "demo": false, "discovers": false })
    );
}

#[test]
fn a_new_gateway_shows_what_is_ready_and_what_is_missing() {
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
            "id": "llama3-70b-groq", "provider": "groq", "upstream_model": "openai/gpt-oss-120b",
            "ready": false, "missing": "GROQ_API_KEY",
            "in_flight": 0, "total": 0, "failed": 0, "first_token_ms": no_times,
            "price": null, "context": 131_072, "cost": no_cost,
            "targets": [{
                "provider": "groq", "upstream_model": "openai/gpt-oss-120b", "key": null,
                "priority": 0, "weight": 1, "fallback": false,
                "state": "not_configured", "until": null
            }]
        })
    );
    assert_eq!(
        *named(&status["providers"], "name", "groq"),
        json!({
            "name": "groq", "ready": false, "missing": "GROQ_API_KEY", "state": "not_configured",
            "in_flight": 0, "total": 0, "failed": 0, "first_byte_ms": no_times, "last_error": null
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
fn a_request_is_listed_with_its_times_and_tokens() {
    let stream = response::stream(&[
        response::delta("one"),
        response::finish(),
        response::usage(12, 40),
        response::DONE.to_owned(),
    ]);
    let upstream = Upstream::with_response(stream);
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    let status = status_after(&gateway, None, 1);
    let recent = &status["recent"][0];
    for (field, value) in [
        ("id", json!(response.request_id())),
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
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.send(&Request::chat("up/vendor/x"));
    assert_response::error(
        &gateway.send(&Request::chat("nothing")),
        404,
        "model_not_found",
        Some("model"),
    );
    let status = status_after(&gateway, None, 2);
    let [failed, found] = [&status["recent"][0], &status["recent"][1]];
    assert_eq!(
        (&found["model"], &found["upstream_model"]),
        (&json!("up/*"), &json!("vendor/x"))
    );
    assert_eq!(
        (&failed["model"], &failed["provider"]),
        (&json!("unknown"), &json!("unknown"))
    );
    assert_eq!(
        (&failed["status"], &failed["outcome"]),
        (&json!(404), &json!("client_error"))
    );
    assert_eq!(status["requests"]["failed"], 1);
    assert_eq!(named(&status["providers"], "name", "up")["total"], 1);
    assert!(!names(&status["models"], "id").contains(&"up/*".to_owned()));
}

#[test]
fn a_failing_provider_shows_its_error_until_it_succeeds_again() {
    let broken = Arc::new(Semaphore::default());
    let recovery = Arc::clone(&broken);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(if recovery.try_acquire() {
            response::completion("hi")
        } else {
            response::json("500 Internal Server Error", "{}")
        });
    });
    let gateway = Setup::with_upstream(&upstream)
        .provider("gone", &refused_base_url(), "")
        .model("n", "gone", "far")
        .start();
    gateway.send(&Request::chat("m"));
    gateway.send(&Request::chat("n"));
    let failed = status_after(&gateway, None, 2);
    for (name, code) in [("up", "http_500"), ("gone", "upstream_connect_failed")] {
        let provider = named(&failed["providers"], "name", name);
        assert_eq!(
            (&provider["state"], &provider["failed"]),
            (&json!("failing"), &json!(1))
        );
        assert_eq!(provider["last_error"]["code"], code);
        assert!(provider["last_error"]["at"].as_u64() <= failed["at"].as_u64());
    }
    broken.release();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let recovered = status_after(&gateway, None, 3);
    let provider = named(&recovered["providers"], "name", "up");
    assert_eq!(provider["state"], "ok");
    assert_eq!(provider["last_error"]["code"], "http_500");
}

#[test]
fn requests_in_flight_and_cancelled_ones_are_counted() {
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        gate_of_upstream.acquire();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.read_exact(response::delta("one").len());
    let busy = status(&gateway, None);
    assert_eq!(busy["requests"]["in_flight"], 1);
    assert_eq!(named(&busy["models"], "id", "m")["in_flight"], 1);
    assert_eq!(named(&busy["providers"], "name", "up")["in_flight"], 1);
    drop(client);
    let status = status_after(&gateway, None, 1);
    gate.release_all();
    assert_eq!(
        status["requests"],
        json!({ "in_flight": 0, "total": 1, "failed": 0, "cancelled": 1 })
    );
    assert_eq!(status["recent"][0]["outcome"], "cancelled");
}

#[test]
fn at_most_twenty_requests_are_listed_newest_first() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let ids: Vec<String> = (0..30)
        .map(|_| gateway.send(&Request::chat("m")).request_id())
        .collect();
    let status = status_after(&gateway, None, 30);
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
fn a_client_sees_its_own_requests_and_its_own_models() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .provider("side", &upstream.base_url(), "")
        .model("gpt-x", "side", "x")
        .key("alice", "tk-alice", "")
        .key("bob", "tk-bob", "models = [\"gpt-*\"]")
        .start();
    let send = |model: &str, key: &str| gateway.send(&Request::chat(model).key(key)).request_id();
    let alices = send("m", "tk-alice");
    let bobs = send("gpt-x", "tk-bob");
    send("m", "tk-unknown");
    let alice = status_after(&gateway, Some("tk-alice"), 2);
    assert_eq!(names(&alice["recent"], "id"), [alices]);
    assert!(names(&alice["models"], "id").contains(&"m".to_owned()));
    let bob = status_after(&gateway, Some("tk-bob"), 1);
    assert_eq!(names(&bob["recent"], "id"), [bobs]);
    let models = names(&bob["models"], "id");
    assert!(models.iter().all(|id| id.starts_with("gpt-")), "{models:?}");
    // OpenAI's built-in aliases have the same prefix.
    assert_eq!(names(&bob["providers"], "name"), ["openai", "side"]);
}

#[test]
fn the_status_needs_a_client_key_and_an_allowed_origin() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let keyed = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    for path in [STATUS, EVENTS] {
        for request in [Request::get(path), Request::get(path).key("tk-wrong")] {
            assert_response::error(&keyed.send(&request), 401, "invalid_api_key", None);
        }
    }
    let open = Setup::with_upstream(&upstream).start();
    for path in [STATUS, EVENTS] {
        let foreign = Request::get(path).header("Origin", "https://evil.example");
        assert_response::error(&open.send(&foreign), 403, "forbidden_origin", None);
        let posted = open.send(&Request::post(path, "{}"));
        assert_response::error(&posted, 405, "method_not_allowed", None);
        let below = open.send(&Request::get(&format!("{path}/")));
        assert_response::error(&below, 404, "unknown_url", None);
    }
    for path in [STATUS, EVENTS, "/trunkline/page"] {
        let rebound = Request::get(path)
            .without("Host")
            .header("Host", "evil.example");
        assert_response::error(&open.send(&rebound), 403, "forbidden_origin", None);
    }
}

#[test]
fn without_the_page_there_is_no_status() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("page = false")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    for path in [STATUS, EVENTS, "/trunkline/page"] {
        assert_response::error(&gateway.send(&Request::get(path)), 404, "unknown_url", None);
    }
}

#[test]
fn the_status_shows_no_content() {
    const PROMPT: &str = "pHx5Lr9gWk2TzC8vMd4Ns7Qb3JyFa6Ie";
    const COMPLETION: &str = "oTz8Gc3nVq6LwD5xRk9Hm2Bs7PyJf4Au";
    const CLIENT: &str = "cWm3Vt8hQz5PxN7kSb2Ry9Gj4DfLe6Ua";
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("fail") {
            let error = format!(r#"{{"error":{{"message":"{COMPLETION}"}}}}"#);
            response::json("500 Internal Server Error", &error)
        } else {
            response::completion(COMPLETION)
        });
    });
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", CLIENT, "")
        .start();
    for suffix in ["", "fail"] {
        let body = format!(
            r#"{{"model":"m","user":"{PROMPT}","messages":[{{"role":"user","content":"{PROMPT} {suffix}"}}]}}"#
        );
        let request = Request::post("/v1/chat/completions", body)
            .key(CLIENT)
            .header("X-Request-Id", &format!("{PROMPT}!"))
            .header("User-Agent", PROMPT);
        gateway.send(&request);
    }
    status_after(&gateway, Some(CLIENT), 2);
    let response = gateway.send(&Request::get(STATUS).key(CLIENT));
    let mut client = gateway.client();
    client.send(&Request::get(EVENTS).key(CLIENT).bytes());
    client.head();
    let BodyFrame::Data(event) = client.next_frame() else {
        panic!("no event");
    };
    let page = gateway.send(&Request::get("/trunkline/page"));
    let port = format!(":{}", upstream.port());
    for bytes in [&response.body, &response.head.raw, &event, &page.body] {
        for canary in [PROMPT, COMPLETION, CLIENT, UPSTREAM_KEY, "127.0.0.1", &port] {
            assert_eq!(find(bytes, canary.as_bytes()), None, "{canary}");
        }
    }
}
