//! What a client sees of its limits: errors and headers, in the words of the API it called.

use serde_json::{Value, json};

use super::alice::{KEY, send, setup};
use crate::support::client::{Request, Response};
use crate::support::gateway::Gateway;
use crate::support::upstream::{Upstream, response};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":7}}"#;

pub(super) fn start(limits: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = setup(&upstream, limits).start();
    (upstream, gateway)
}

fn messages() -> Request {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    Request::post("/v1/messages", body)
}

fn responses() -> Request {
    Request::post("/v1/responses", r#"{"model":"m","input":"hi"}"#)
}

/// Each API's request, of which the first uses all of the limit.
pub(super) fn each_api() -> [Request; 3] {
    [Request::chat("m"), messages(), responses()]
}

#[track_caller]
pub(super) fn refused(gateway: &Gateway, request: Request) -> Response {
    let response = send(gateway, request);
    assert!(
        !(200..300).contains(&response.status),
        "{}",
        response.text()
    );
    assert_eq!(response.header("x-trunkline-limit"), Some("each-key"));
    assert!(response.header("x-trunkline-request-id").is_some());
    assert_eq!(response.header("x-trunkline-provider"), None);
    response
}

#[track_caller]
pub(super) fn assert_limit(body: &Value, expected: &Value) {
    let limit = &body["error"]["limit"];
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&limit[name], value, "{body}");
    }
    assert_eq!(limit["rule"], "each-key");
    assert_eq!(limit["subject"], "key alice");
}

#[track_caller]
fn assert_retry_after(response: &Response) {
    let number = |name| response.header(name).unwrap().parse::<u64>().unwrap();
    let (seconds, milliseconds) = (number("retry-after"), number("retry-after-ms"));
    assert!((50..=60).contains(&seconds), "{seconds}");
    assert_eq!(milliseconds.div_ceil(1000), seconds);
    assert_eq!(response.header("x-should-retry"), None);
}

/// A rate is a 429 with the time to wait, in the words of each API.
#[test]
fn a_rate_has_the_words_of_the_api() {
    for (index, request) in each_api().into_iter().enumerate() {
        let (_upstream, gateway) =
            start("[limits.each-key]\nper = [\"key\"]\nrequests = [\"60/hour burst 1\"]");
        assert_eq!(send(&gateway, Request::chat("m")).status, 200);
        let response = refused(&gateway, request);
        assert_eq!(response.status, 429);
        assert_retry_after(&response);
        let body = response.json();
        let message = body["error"]["message"].as_str().unwrap();
        for part in [
            "key alice",
            "requests per hour",
            "limit 60",
            "used 1",
            "Try again in 5",
        ] {
            assert!(message.contains(part), "{message}");
        }
        if index == 1 {
            assert_eq!(body["type"], "error");
            assert_eq!(body["error"]["type"], "rate_limit_error");
            assert!(body["request_id"].is_string());
            continue;
        }
        assert_eq!(body["error"]["type"], "requests");
        assert_eq!(body["error"]["code"], "rate_limit_exceeded");
        assert_eq!(body["error"]["param"], Value::Null);
        assert_limit(
            &body,
            &json!({"of": "requests", "period": "hour", "limit": "60", "used": "1", "requested": "1"}),
        );
        assert!(body["error"]["limit"]["resets_at"].is_string(), "{body}");
    }
}

/// The SDKs would sleep for an hour.
#[test]
fn a_long_wait_is_not_retried_by_itself() {
    let (_upstream, gateway) = start("[limits.each-key]\nper = [\"key\"]\nrequests = [\"1/hour\"]");
    assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    let response = refused(&gateway, Request::chat("m"));
    assert_eq!(response.header("x-should-retry"), Some("false"));
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&seconds), "{seconds}");
}

#[test]
fn tokens_are_named_as_such() {
    let (_upstream, gateway) =
        start("[limits.each-key]\nper = [\"key\"]\ntokens = [\"2000/hour\"]");
    // It reserves 1024 of output, and half as much again is left.
    assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    let long = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "x".repeat(20_000)
    );
    let response = refused(&gateway, Request::post("/v1/chat/completions", long));
    assert_eq!(response.status, 429);
    let body = response.json();
    assert_eq!(body["error"]["type"], "tokens");
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    assert_eq!(response.header("x-ratelimit-limit-tokens"), Some("2000"));
    assert_eq!(
        response.header("x-ratelimit-remaining-tokens"),
        Some("1982")
    );
}

/// OC#47685, Cx#30471: a spent budget that is retried for minutes.
#[test]
fn a_spent_budget_is_final() {
    for (index, request) in each_api().into_iter().enumerate() {
        let (_upstream, gateway) = start(
            "[limits.each-key]\nper = [\"key\"]\nbudget = [\"0.000025/month\"]\n\
             time_zone = \"Asia/Kolkata\"",
        );
        // 11 tokens and 7: all of it.
        assert_eq!(send(&gateway, Request::chat("m")).status, 200);
        gateway.wait_until_idle();
        let response = refused(&gateway, request);
        assert_eq!(response.status, 429);
        assert_eq!(response.header("x-should-retry"), Some("false"));
        let names = [
            "retry-after",
            "retry-after-ms",
            "x-trunkline-budget-remaining",
        ];
        assert_eq!(names.map(|it| response.header(it)), [None, None, Some("0")]);
        let body = response.json();
        let message = body["error"]["message"].as_str().unwrap();
        for part in [
            "key alice",
            "dollars per month",
            "limit 0.000025",
            "used 0.000025",
            "+05:30",
        ] {
            assert!(message.contains(part), "{message}");
        }
        if index == 1 {
            assert_eq!(body["error"]["type"], "billing_error");
            continue;
        }
        assert_eq!(body["error"]["type"], "insufficient_quota");
        assert_eq!(body["error"]["code"], "insufficient_quota");
        assert_limit(
            &body,
            &json!({"of": "budget", "period": "month", "limit": "0.000025", "used": "0.000025"}),
        );
        let resets = body["error"]["limit"]["resets_at"].as_str().unwrap();
        assert!(resets.ends_with("T00:00:00+05:30"), "{resets}");
    }
}

#[test]
fn an_amount_for_a_day_is_final() {
    let (_upstream, gateway) = start("[limits.each-key]\nper = [\"key\"]\nrequests = [\"1/day\"]");
    assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    let response = refused(&gateway, Request::chat("m"));
    assert_eq!(response.status, 429);
    assert_eq!(response.json()["error"]["code"], "insufficient_quota");
    assert_eq!(response.header("retry-after"), None);
}

#[test]
fn an_amount_of_zero_blocks() {
    for amount in [
        "requests = [\"0/minute\"]",
        "budget = [\"0/day\"]",
        "concurrent = 0",
    ] {
        let rule = format!("[limits.each-key]\nper = [\"key\"]\n{amount}");
        let (upstream, gateway) = start(&rule);
        for (index, request) in each_api().into_iter().enumerate() {
            let response = refused(&gateway, request);
            assert_eq!(response.status, 403, "{amount}");
            assert_eq!(response.header("x-should-retry"), Some("false"));
            let error = &response.json()["error"];
            if index == 1 {
                assert_eq!(error["type"], "permission_error");
            } else {
                assert_eq!(error["code"], "blocked");
            }
        }
        assert!(upstream.requests().is_empty());
    }
}

/// fak#12655: waiting never helps.
#[test]
fn a_request_that_can_never_fit_says_so() {
    let (_upstream, gateway) = start(
        "[limits.each-key]\nper = [\"key\"]\ntokens = [\"1000/minute\"]\nreserve = \"worst\"",
    );
    let body = r#"{"model":"m","max_tokens":5000,"messages":[{"role":"user","content":"hi"}]}"#;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let response = refused(&gateway, Request::post(path, body));
        assert_eq!(response.status, 400, "{}", response.text());
        assert_eq!(response.header("x-should-retry"), Some("false"));
        assert_eq!(response.header("retry-after"), None);
        let error = &response.json()["error"];
        assert_eq!(error["type"], "invalid_request_error");
    }
    let response = send(&gateway, Request::post("/v1/chat/completions", body));
    assert_eq!(response.json()["error"]["code"], "request_exceeds_limit");
    // What fits passes.
    let small = body.replace("5000", "500");
    assert_eq!(
        send(&gateway, Request::post("/v1/chat/completions", small)).status,
        200
    );
}

#[test]
fn headers_say_what_is_left() {
    let limited = response::with_body(
        "200 OK",
        &[
            "Content-Type: application/json",
            "x-ratelimit-limit-requests: 10000",
            "x-ratelimit-remaining-requests: 9999",
            "anthropic-ratelimit-tokens-limit: 5",
            "x-ratelimit-other: 1",
        ],
        MESSAGE,
    );
    let upstream = Upstream::with_response(limited);
    let rules = "[limits.wide]\nper = [\"key\"]\nrequests = [\"1000/hour\"]\ntokens = [\"100000/hour\"]\n\
        [limits.narrow]\nper = [\"key\"]\nmodels = [\"m\"]\nrequests = [\"10/hour\"]\n\
        input_tokens = [\"50000/hour\"]\noutput_tokens = [\"60000/hour\"]\n\
        budget = [\"5/day\"]\ntime_zone = \"Asia/Kolkata\"";
    let gateway = setup(&upstream, rules)
        .section("[models.n]\nprovider = \"up\"\nmodel = \"other\"")
        .start();
    let response = send(&gateway, Request::chat("m"));
    let header = |name: &str| response.header(name);
    assert_eq!(header("x-ratelimit-limit-requests"), Some("10"));
    assert_eq!(header("x-ratelimit-remaining-requests"), Some("9"));
    let reset = header("x-ratelimit-reset-requests").unwrap();
    assert!(reset == "6m0s" || reset.starts_with("5m59"), "{reset}");
    assert_eq!(header("x-ratelimit-limit-tokens"), Some("100000"));
    // After its reservation.
    let left: u64 = header("x-ratelimit-remaining-tokens")
        .unwrap()
        .parse()
        .unwrap();
    assert!((98_900..98_976).contains(&left), "{left}");
    assert!(header("x-ratelimit-reset-tokens").unwrap().ends_with('s'));
    assert_eq!(header("anthropic-ratelimit-tokens-limit"), None);
    assert_eq!(header("x-ratelimit-other"), None);
    assert_eq!(header("x-trunkline-limit"), Some("narrow"));
    let budget: f64 = header("x-trunkline-budget-remaining")
        .unwrap()
        .parse()
        .unwrap();
    assert!((4.99..5.0).contains(&budget), "{budget}");
    let reset = header("x-trunkline-budget-reset").unwrap();
    assert!(reset.ends_with("T00:00:00+05:30"), "{reset}");
    // Without a rule for the model but `wide`.
    let response = send(&gateway, Request::chat("n"));
    assert_eq!(response.header("x-ratelimit-limit-requests"), Some("1000"));
    assert_eq!(response.header("x-trunkline-limit"), Some("wide"));
    assert_eq!(response.header("x-trunkline-budget-remaining"), None);
}

#[test]
fn messages_have_headers_of_their_own() {
    let upstream = Upstream::with_response(response::with_body(
        "200 OK",
        &[
            "Content-Type: application/json",
            "anthropic-ratelimit-requests-limit: 4000",
        ],
        MESSAGE,
    ));
    let rules = "[limits.each-key]\nper = [\"key\"]\nrequests = [\"10/hour\"]\ntokens = [\"100000/hour\"]\n\
        input_tokens = [\"50000/hour\"]\noutput_tokens = [\"60000/hour\"]";
    let gateway = crate::support::gateway::Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"messages\"]")
        .model("m", "up", "real-model")
        .key("alice", KEY, "")
        .section(rules)
        .start();
    let response = send(&gateway, messages());
    assert_eq!(response.status, 200, "{}", response.text());
    let header = |name: &str| response.header(name);
    assert_eq!(header("anthropic-ratelimit-requests-limit"), Some("10"));
    assert_eq!(header("anthropic-ratelimit-requests-remaining"), Some("9"));
    let reset = header("anthropic-ratelimit-requests-reset").unwrap();
    assert!(
        reset.ends_with('Z') && reset.len() == "2026-11-30T17:00:00Z".len(),
        "{reset}"
    );
    for (kind, limit) in [
        ("tokens", "100000"),
        ("input-tokens", "50000"),
        ("output-tokens", "60000"),
    ] {
        let name = |what| format!("anthropic-ratelimit-{kind}-{what}");
        assert_eq!(header(&name("limit")), Some(limit));
        assert!(header(&name("remaining")).is_some() && header(&name("reset")).is_some());
    }
    assert_eq!(header("x-ratelimit-limit-requests"), None);
}

#[test]
fn the_providers_headers_pass_where_no_limit_holds() {
    let upstream = Upstream::with_response(response::with_body(
        "200 OK",
        &[
            "Content-Type: application/json",
            "x-ratelimit-limit-requests: 10000",
        ],
        MESSAGE,
    ));
    let gateway = setup(
        &upstream,
        "[limits.other]\nmodels = [\"other\"]\nrequests = [\"1/day\"]",
    )
    .section("[models.other]\nprovider = \"up\"\nmodel = \"x\"")
    .start();
    let response = send(&gateway, Request::chat("m"));
    assert_eq!(response.header("x-ratelimit-limit-requests"), Some("10000"));
    assert_eq!(response.header("x-trunkline-limit"), None);
    let response = send(&gateway, Request::chat("other"));
    // A quota of a day has the same headers.
    assert_eq!(response.header("x-ratelimit-limit-requests"), Some("1"));
    assert_eq!(response.header("x-ratelimit-remaining-requests"), Some("0"));
}

#[test]
fn a_rule_that_observes_counts_and_says_so() {
    let (_upstream, gateway) =
        start("[limits.each-key]\nper = [\"key\"]\nrequests = [\"1/day\"]\nat_limit = \"observe\"");
    let first = send(&gateway, Request::chat("m"));
    assert_eq!(first.header("x-trunkline-limit"), Some("each-key"));
    for _ in 0..2 {
        let response = send(&gateway, Request::chat("m"));
        assert_eq!(response.status, 200);
        assert_eq!(
            response.header("x-trunkline-limit"),
            Some("each-key; would refuse")
        );
    }
    super::alice::await_used(&gateway, "each-key", "requests", "3");
}

/// A page of another origin can read them.
#[test]
fn pages_can_read_the_headers() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let rules = "[limits.each-key]\nper = [\"key\"]\nrequests = [\"1/day\"]\nbudget = [\"1/day\"]\n\
        [cors]\nallow_origins = [\"https://page.example\"]";
    let gateway = setup(&upstream, rules).start();
    for status in [200, 429] {
        let request = Request::chat("m").header("Origin", "https://page.example");
        let response = send(&gateway, request);
        assert_eq!(response.status, status);
        let exposed = response.header("access-control-expose-headers").unwrap();
        let exposed: Vec<&str> = exposed.split(", ").collect();
        let prefixes = ["x-ratelimit-", "x-trunkline-", "retry-after"];
        for (name, _) in &response.head.headers {
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                assert!(exposed.contains(&&**name), "{name}");
            }
        }
    }
}
