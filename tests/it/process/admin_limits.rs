//! `/limits` of the admin listener: what is used, and setting it by hand.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, response};

const COMPLETION: &str = r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}"#;
const PRICE: &str = "[prices.\"up/real-model\"]\ninput = \"1\"\noutput = \"2\"";
const LIMITS: &str = "[limits.each-key]\nper = [\"key\"]\nrequests = [\"2/total\"]\n\
                      budget = [\"5/total\"]\n[limits.all]\ntokens = [\"1000000/hour\"]";

fn setup(upstream: &Upstream, limits: &str) -> Setup {
    Setup::with_upstream(upstream)
        .section(PRICE)
        .key("alice", "key-a", "may_name_users = true")
        .key("bob", "key-b", "")
        .section(limits)
}

fn completions() -> Upstream {
    Upstream::with_response(response::json("200 OK", COMPLETION))
}

fn alice() -> Request {
    Request::chat("m").key("key-a")
}

fn send(gateway: &Gateway, request: &Request) -> Response {
    let mut client = Client::connect(gateway.admin);
    client.send(&request.bytes());
    client.response()
}

fn put(body: &Value) -> Request {
    Request::new("PUT", "/limits").body(body.to_string())
}

#[track_caller]
fn get(gateway: &Gateway, query: &str) -> Value {
    let response = gateway.get_admin(&format!("/limits{query}"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

/// The only subject that matches.
#[track_caller]
fn only(gateway: &Gateway, query: &str) -> Value {
    let shown = get(gateway, query);
    let [limit] = &shown["limits"].as_array().unwrap()[..] else {
        panic!("not one subject: {shown}");
    };
    limit.clone()
}

#[track_caller]
fn amount(limit: &Value, of: &str) -> Value {
    let amounts = limit["amounts"].as_array().unwrap();
    let mut found = amounts.iter().filter(|it| it["of"] == of);
    found
        .next()
        .unwrap_or_else(|| panic!("{of}: {limit}"))
        .clone()
}

#[test]
fn every_rule_and_subject_is_shown() {
    let upstream = completions();
    let gateway = setup(&upstream, LIMITS).start();
    assert_eq!(gateway.send(&alice()).status, 200);
    gateway.access_lines(1);
    let shown = get(&gateway, "");
    let limits = shown["limits"].as_array().unwrap().iter();
    let names: Vec<_> = limits
        .map(|it| {
            (
                it["rule"].as_str().unwrap(),
                it["subject"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("all", ""),
            ("each-key", "key alice"),
            ("each-key", "key bob")
        ]
    );
    assert_eq!(shown.get("next"), None);
    let of_alice = only(&gateway, "?rule=each-key&subject=key%20alice");
    assert_eq!(
        amount(&of_alice, "budget"),
        json!({"of": "budget", "period": "total", "limit": "5", "used": "0.00008",
            "reserved": "0", "remaining": "4.99992"})
    );
    let requests = amount(&of_alice, "requests");
    assert_eq!(
        (&requests["used"], &requests["remaining"]),
        (&json!("1"), &json!("1"))
    );
    let tokens = amount(&only(&gateway, "?rule=all"), "tokens");
    assert!(
        tokens["resets_at"].as_str().unwrap().contains('T'),
        "{tokens}"
    );
    assert_eq!(tokens.get("reserved"), None, "{tokens}");
    assert_eq!(get(&gateway, "?rule=none")["limits"], json!([]));
    for query in ["?key=alice", "?limit=0", "?limit=5000", "?rule=a&rule=b"] {
        let response = gateway.get_admin(&format!("/limits{query}"));
        assert_eq!(response.status, 400, "{query}");
        assert!(response.text().contains("rule, subject, model"), "{query}");
    }
}

#[test]
fn users_are_shown_page_by_page() {
    let upstream = completions();
    let rule = "[limits.each-user]\nper = [\"user\"]\nrequests = [\"9/total\"]\n\
                user_header = \"x-user\"";
    let gateway = setup(&upstream, rule).start();
    let mut client = gateway.client();
    for user in 0..23 {
        let request = alice().header("x-user", &format!("user {user}&"));
        client.send(&request.bytes());
        assert_eq!(client.response().status, 200);
    }
    let mut seen = BTreeSet::new();
    let mut path = "/limits?limit=10".to_owned();
    let mut pages = 0;
    loop {
        pages += 1;
        let shown = gateway.get_admin(&path).json();
        for limit in shown["limits"].as_array().unwrap() {
            assert!(seen.insert(limit["user"].to_string()), "{limit} twice");
        }
        match shown["next"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!((seen.len(), pages), (23, 3));
    let one = only(&gateway, "?user=user%207%26");
    assert_eq!(amount(&one, "requests")["used"], "1");

    let change = json!({"rule": "each-user", "user": "user 7&", "of": "requests",
        "period": "total", "used": 9});
    let subject = one["subject"].as_str().unwrap();
    let mut change = change;
    change["subject"] = json!(subject);
    assert_eq!(send(&gateway, &put(&change)).status, 200);
    let request = alice().header("x-user", "user 7&");
    assert_eq!(gateway.send(&request).status, 429);
    let request = alice().header("x-user", "user 8&");
    assert_eq!(gateway.send(&request).status, 200);
    // The name of a user is text of a client.
    let lines = gateway.await_log("WARN", &["limit set by hand"], 1);
    assert!(!lines[0].contains("user 7"), "{lines:?}");
}

#[test]
fn what_is_used_can_be_set_by_hand_and_setting_it_again_changes_nothing() {
    let upstream = completions();
    let gateway = setup(&upstream, LIMITS).start();
    for expected in [200, 200, 429] {
        assert_eq!(gateway.send(&alice()).status, expected);
    }
    let change = json!({"rule": "each-key", "subject": "key alice", "of": "requests",
        "period": "total", "used": 1});
    for _ in 0..3 {
        let response = send(&gateway, &put(&change));
        assert_eq!(response.status, 200, "{}", response.text());
        let shown = response.json();
        assert_eq!(shown["subject"], "key alice");
        assert_eq!(amount(&shown, "requests")["used"], "1");
        // The other amounts of the subject stay.
        assert_eq!(amount(&shown, "budget")["used"], "0.00016");
    }
    for expected in [200, 429] {
        assert_eq!(gateway.send(&alice()).status, expected);
    }
    let budget = json!({"rule": "each-key", "subject": "key bob", "of": "budget",
        "period": "total", "used": "5.25"});
    let shown = send(&gateway, &put(&budget)).json();
    assert_eq!(amount(&shown, "budget")["remaining"], "0");
    let bob = Request::chat("m").key("key-b");
    assert_eq!(gateway.send(&bob).status, 429);
    let labels = [("subject", "key bob"), ("of", "budget")];
    gateway.await_metric("trunkline_limit_used_ratio", &labels, 1.05);

    let lines = gateway.await_log("WARN", &["limit set by hand"], 4);
    let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    let fields = ["rule", "subject", "of", "period", "from", "to"];
    let logged: Vec<_> = lines
        .map(|line: Value| fields.map(|field| text(&line, field)).join(" "))
        .collect();
    assert_eq!(
        logged,
        [
            "each-key key alice requests total 2 1",
            "each-key key alice requests total 1 1",
            "each-key key alice requests total 1 1",
            "each-key key bob budget total 0 5.25",
        ]
    );
}

#[test]
fn a_change_that_cannot_be_made_says_why_and_changes_nothing() {
    let upstream = completions();
    let gateway = setup(&upstream, LIMITS).start();
    let good = json!({"rule": "each-key", "subject": "key alice", "of": "requests",
        "period": "total", "used": 2});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    };
    for (body, status, part) in [
        (String::new(), 400, "EOF"),
        ("7".to_owned(), 400, "the body is JSON, such as"),
        (with("used", json!(-1)), 400, "used is not a whole number"),
        (with("used", json!(1.5)), 400, "used is not a whole number"),
        (with("of", json!("money")), 400, "input_tokens"),
        (with("period", json!("daily")), 400, "week"),
        (with("force", json!(true)), 400, "unknown field `force`"),
        (
            with("rule", json!("x".repeat(5000))),
            400,
            "the body is JSON",
        ),
        (with("rule", json!("none")), 404, "rule"),
        (with("subject", json!("key carol")), 404, "GET /limits"),
        (with("period", json!("day")), 404, "GET /limits"),
        (with("model", json!("m")), 404, "GET /limits"),
    ] {
        let response = send(&gateway, &Request::new("PUT", "/limits").body(&body));
        assert_eq!(response.status, status, "{body}: {}", response.text());
        assert!(
            response.text().contains(part),
            "{body}: {}",
            response.text()
        );
    }
    for method in ["POST", "DELETE", "PATCH"] {
        let request = Request::new(method, "/limits").body(good.to_string());
        let response = send(&gateway, &request);
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, PUT"));
    }
    // As for the log level: no page of a browser, by its origin or by DNS rebinding.
    let page = put(&good).header("Origin", "https://evil.example");
    assert_eq!(send(&gateway, &page).status, 403);
    let rebound = put(&good).without("Host").header("Host", "evil.example");
    assert_eq!(send(&gateway, &rebound).status, 403);
    let of_alice = only(&gateway, "?subject=key+alice");
    assert_eq!(amount(&of_alice, "requests")["used"], "0");
    let output = gateway.finish();
    assert!(!output.contains("limit set by hand"), "{output}");
}

#[test]
fn a_reload_is_followed() {
    let upstream = completions();
    let gateway = setup(&upstream, LIMITS).start();
    assert_eq!(gateway.send(&alice()).status, 200);
    gateway.access_lines(1);
    gateway.reload(|file| file.replace("2/total", "7/total"));
    let requests = amount(&only(&gateway, "?subject=key+alice"), "requests");
    assert_eq!(
        (&requests["limit"], &requests["used"]),
        (&json!("7"), &json!("1"))
    );
    let change = json!({"rule": "each-key", "subject": "key alice", "of": "requests",
        "period": "total", "used": 7});
    assert_eq!(send(&gateway, &put(&change)).status, 200);
    assert_eq!(gateway.send(&alice()).status, 429);
}

#[test]
fn a_read_only_listener_changes_nothing() {
    let upstream = completions();
    let gateway = setup(&upstream, LIMITS).start();
    gateway.reload(|file| file.replace("[admin]", "[admin]\nread_only = true"));
    assert_eq!(gateway.send(&alice()).status, 200);
    gateway.access_lines(1);
    let change = json!({"rule": "each-key", "subject": "key alice", "of": "requests",
        "period": "total", "used": 0});
    for request in [put(&change), Request::new("PUT", "/log").body("debug")] {
        let response = send(&gateway, &request);
        assert_eq!(response.status, 403);
        assert!(response.text().contains("admin.read_only"));
    }
    let requests = |gateway: &Gateway| amount(&only(gateway, "?subject=key+alice"), "requests");
    assert_eq!(requests(&gateway)["used"], "1");
    assert_eq!(gateway.get_admin("/log").status, 200);
    assert_eq!(
        gateway.get_admin("/config").json()["admin"]["read_only"],
        true
    );
    gateway.reload(|file| file.replace("read_only = true", "read_only = false"));
    assert_eq!(send(&gateway, &put(&change)).status, 200);
    assert_eq!(requests(&gateway)["used"], "0");
}

#[test]
fn limits_and_teams_are_in_the_resolved_config_and_the_first_line_names_them() {
    let upstream = completions();
    let rule = "[limits.ci]\nkeys = [\"c*\"]\nteams = [\"search\"]\nreplaces = \"each-key\"\n\
                requests = [\"600/minute burst 60\"]\ntokens = [\"9000/day\"]\nbudget = [\"1/day\"]\n\
                wait = \"20s\"\ncached = \"0.1\"\nunmetered = \"0.10\"\n[access.keys.ci]\nsha256 = \"";
    let hash = crate::support::gateway::sha256_hex("key-c");
    let gateway = setup(
        &upstream,
        &format!("{LIMITS}\n{rule}{hash}\"\nteam = \"search\""),
    )
    .start();
    let response = gateway.get_admin("/config");
    assert!(!response.text().contains(&hash), "{}", response.text());
    let config = response.json();
    assert_eq!(config["access"]["keys"]["ci"]["team"], "search");
    assert_eq!(config["access"]["keys"]["alice"]["may_name_users"], true);
    let ci = &config["limits"]["ci"];
    for (field, expected) in [
        ("keys", json!(["c*"])),
        ("teams", json!(["search"])),
        ("models", Value::Null),
        ("replaces", json!("each-key")),
        ("requests", json!(["600/minute burst 60"])),
        ("tokens", json!(["9000/day"])),
        ("input_tokens", json!([])),
        ("wait_s", json!(20.0)),
        ("cached", json!(0.1)),
        ("unmetered", json!("0.1")),
        ("at_limit", json!("refuse")),
    ] {
        assert_eq!(ci[field], expected, "{field} of {ci}");
    }
    assert_eq!(config["limits"]["each-key"]["budget"], json!(["5/total"]));
    let lines = gateway.await_log("INFO", &["\"listening\""], 1);
    let line = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(text(&line, "limits"), "all,ci,each-key");
}
