//! `GET /trunkline/operator`: what concerns all clients, for operators only.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

const PATH: &str = "/trunkline/operator";
const OPERATOR: &str = "tk-olga-secret";
const ALICE: &str = "tk-alice-secret";
const LIMITS: &str = "[limits.each-key]\nper = [\"key\"]\nbudget = [\"5/day\"]\n\
    [limits.users]\nper = [\"user\"]\nkeys = [\"alice\"]\nrequests = [\"3/day\"]";
const PRICE: &str = "[prices.\"up/*\"]\ninput = \"1\"\noutput = \"2\"";

fn setup(upstream: &Upstream) -> Setup {
    Setup::with_upstream(upstream)
        .key("olga", OPERATOR, "operator = true")
        .key("alice", ALICE, "team = \"search\"\nmay_name_users = true")
        .section(PRICE)
        .section(LIMITS)
}

fn get(gateway: &Gateway, key: &str) -> Response {
    gateway.send(&Request::get(PATH).key(key))
}

#[track_caller]
fn view(gateway: &Gateway) -> Value {
    let response = get(gateway, OPERATOR);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), Some("no-store"));
    response.json()
}

fn ask(gateway: &Gateway, user: &str) -> Response {
    let body = format!(
        r#"{{"model":"m","user":"{user}","messages":[{{"role":"user","content":"private words"}}]}}"#
    );
    let request = Request::post("/v1/chat/completions", body);
    gateway.send(&request.key(ALICE))
}

/// Of 10 tokens of input at a millionth of a dollar and 5 of output at two.
fn completion() -> Vec<u8> {
    response::json(
        "200 OK",
        r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",
            "message":{"role":"assistant","content":"private response"}}],
            "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
    )
}

#[test]
fn an_operator_sees_limits_spending_and_failures_of_all() {
    let upstream = Upstream::with_response(completion());
    let gateway = setup(&upstream).start();
    for user in ["ann", "ann", "ann"] {
        assert_eq!(ask(&gateway, user).status, 200);
    }
    let refused = ask(&gateway, "ann");
    assert_eq!(refused.status, 429);
    let view = wait::until("four requests of alice", || {
        let view = view(&gateway);
        let is_complete = view["failures"].as_array().unwrap().len() == 1
            && view["spending"]["clients"][0]["amounts"][0]["input_tokens"] == 30;
        is_complete.then_some(view)
    });
    assert_limits(&view);
    assert_spending(&view["spending"]);
    let failure = &view["failures"][0];
    assert_eq!(failure["key"], "alice");
    assert_eq!(failure["model"], "m");
    assert_eq!(failure["status"], 429);
    assert_eq!(failure["outcome"], "limited");
    assert_eq!(
        failure["id"],
        refused.header("x-trunkline-request-id").unwrap()
    );
    assert!(failure["at"].as_u64().unwrap() > 1_700_000_000_000);
}

/// What is used up stands first.
fn assert_limits(view: &Value) {
    let limits = view["limits"].as_array().unwrap();
    assert_eq!(limits[0]["rule"], "users");
    assert_eq!(limits[0]["user"], "ann");
    assert_eq!(limits[0]["amounts"][0]["used"], "3");
    let each = limits.iter().find(|limit| limit["subject"] == "key alice");
    assert!(each.is_some(), "{view}");
    assert_eq!(view["more_limits"], 0);
}

fn assert_spending(spending: &Value) {
    assert_eq!(spending["periods"][0]["name"], "start");
    assert_eq!(spending["ledger_failed"], false);
    let spent = json!({ "cost_usd": "0.00006", "input_tokens": 30, "output_tokens": 15 });
    assert_eq!(
        spending["clients"][0],
        json!({ "key": "alice", "team": "search", "amounts": [spent] })
    );
}

#[test]
fn with_a_ledger_today_and_the_month_are_shown() {
    let upstream = Upstream::with_response(completion());
    let setup = setup(&upstream);
    let path = setup.directory().join("usage.db");
    let gateway = setup
        .section(&format!("[ledger]\npath = {:?}", path.to_str().unwrap()))
        .start();
    assert_eq!(ask(&gateway, "ann").status, 200);
    // Its thread writes once a second.
    let spending = wait::until("the ledger has the request", || {
        let spending = view(&gateway)["spending"].clone();
        (spending["clients"] != json!([])).then_some(spending)
    });
    let names = ["today", "month"];
    for (index, name) in names.into_iter().enumerate() {
        assert_eq!(spending["periods"][index]["name"], name);
        let amount = &spending["clients"][0]["amounts"][index];
        assert_eq!(amount["cost_usd"], "0.00002");
        assert_eq!(amount["output_tokens"], 5);
        assert_eq!(amount["unpriced"], 0);
    }
    let since = |index: usize| spending["periods"][index]["since"].as_u64().unwrap();
    assert!(since(1) <= since(0));
    assert_eq!(since(0) % 86_400_000, 0);
    assert_eq!(spending["clients"][0]["team"], "search");
}

#[test]
fn no_other_client_sees_it() {
    let upstream = Upstream::with_response(completion());
    let gateway = setup(&upstream).start();
    assert_response::error(&get(&gateway, ALICE), 403, "not_operator", None);
    for wrong in [Request::get(PATH), Request::get(PATH).key("tk-wrong")] {
        assert_response::error(&gateway.send(&wrong), 401, "invalid_api_key", None);
    }
    let status = |key: &str| {
        let request = Request::get("/trunkline/status").key(key);
        gateway.send(&request).json()["operator"].clone()
    };
    assert_eq!(status(OPERATOR), true);
    assert_eq!(status(ALICE), false);

    // Who reaches a gateway without keys is not known, on loopback either: a reverse proxy
    // may stand in front of it.
    let open = Setup::with_upstream(&upstream).start();
    assert_response::error(&open.send(&Request::get(PATH)), 403, "not_operator", None);
    let status = open.send(&Request::get("/trunkline/status")).json();
    assert_eq!(status["operator"], false);

    let hidden = Setup::with_upstream(&upstream)
        .key("olga", OPERATOR, "operator = true")
        .server("page = false")
        .start();
    assert_response::error(&get(&hidden, OPERATOR), 404, "unknown_url", None);
}

#[test]
fn an_operator_is_one_no_longer_after_a_reload() {
    let upstream = Upstream::with_response(completion());
    let gateway = setup(&upstream).start();
    assert_eq!(get(&gateway, OPERATOR).status, 200);
    gateway.reload(|text| text.replace("operator = true", "operator = false"));
    assert_response::error(&get(&gateway, OPERATOR), 403, "not_operator", None);
}

#[test]
fn it_shows_no_secret_and_no_content() {
    let failing = Upstream::with_response(response::json(
        "500 Internal Server Error",
        r#"{"error":{"message":"private failure"}}"#,
    ));
    let gateway = setup(&failing).start();
    assert_eq!(ask(&gateway, "ann").status, 500);
    // Not authenticated: it would push out what matters.
    assert_eq!(
        gateway.send(&Request::chat("m").key("tk-wrong")).status,
        401
    );
    let view = wait::until("the failure", || {
        let view = view(&gateway);
        (view["failures"] != json!([])).then_some(view)
    });
    assert_eq!(view["failures"].as_array().unwrap().len(), 1);
    assert_eq!(view["failures"][0]["outcome"], "upstream_error");
    let text = view.to_string();
    let address = failing.base_url();
    let host = address
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap();
    for secret in [
        OPERATOR,
        ALICE,
        UPSTREAM_KEY,
        host,
        "private",
        "tk-wrong",
        "sha256",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn failures_outlast_many_good_requests() {
    let upstream = Upstream::with_response(completion());
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .key("olga", OPERATOR, "operator = true")
        .start();
    let good = Request::chat("m").key(OPERATOR);
    assert_eq!(
        gateway.send(&Request::chat("missing").key(OPERATOR)).status,
        404
    );
    for _ in 0..150 {
        assert_eq!(gateway.send(&good).status, 200);
    }
    gateway.wait_until_idle();
    let failures = view(&gateway)["failures"].clone();
    assert_eq!(failures.as_array().unwrap().len(), 1);
    assert_eq!(failures[0]["code"], "model_not_found");
}
