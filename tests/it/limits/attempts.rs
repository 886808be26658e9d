//! Several attempts of one request: they are one request, and the usage of all that
//! reported some counts.

use std::sync::Arc;

use super::alice::{ALL_KINDS, KEY, counts, expected_input, priced, send};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

fn start(first: &Upstream, second: &Upstream, model: &str) -> Gateway {
    let timeout = "timeouts = { response_header = \"200ms\" }";
    two_targets(first, second, timeout, model)
}

/// The second attempt begins soon after the first.
fn hedged(first: &Upstream, second: &Upstream) -> Gateway {
    two_targets(first, second, "", "hedge = { after = \"20ms\" }")
}

fn two_targets(first: &Upstream, second: &Upstream, provider: &str, model: &str) -> Gateway {
    let targets = "targets = [{ provider = \"up\", model = \"x\" }, \
        { provider = \"b\", model = \"x\", priority = 1 }]";
    let setup = Setup::new()
        .provider("up", &first.base_url(), provider)
        .provider("b", &second.base_url(), "")
        .section(&format!("[models.m]\n{targets}\n{model}"))
        .section("[prices.\"b/*\"]\ninput = \"1\"\noutput = \"2\"")
        .key("alice", KEY, "")
        .section(ALL_KINDS);
    priced(setup).start()
}

fn healthy() -> Upstream {
    Upstream::with_response(response::completion("hi"))
}

#[test]
fn a_failed_attempt_adds_nothing() {
    let failing = Upstream::with_response(response::json("500 Internal Server Error", "{}"));
    let second = healthy();
    let gateway = start(&failing, &second, "");
    let response = send(&gateway, Request::chat("m"));
    assert_eq!(response.header("x-trunkline-attempts"), Some("2"));
    assert_eq!(counts(&gateway), [1, 11, 7]);
}

#[test]
fn a_failed_attempt_that_reports_usage_adds_it() {
    let failed = r#"{"error":{"message":"no","type":"server_error","code":"x"},"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150}}"#;
    let failing = Upstream::with_response(response::json("200 OK", failed));
    let second = healthy();
    let gateway = start(&failing, &second, "");
    let response = send(&gateway, Request::chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("x-trunkline-attempts"), Some("2"));
    assert_eq!(counts(&gateway), [1, 111, 57]);
}

#[test]
fn a_response_that_is_no_longer_awaited_adds_its_input() {
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let second = healthy();
    let gateway = start(&silent, &second, "retry = { non_idempotent = true }");
    let request = Request::chat("m");
    let input = expected_input(&request);
    let response = send(&gateway, request);
    assert_eq!(response.header("x-trunkline-attempts"), Some("2"));
    assert_eq!(counts(&gateway), [1, input + 11, 7]);
}

#[test]
fn a_hedge_that_lost_adds_its_input() {
    let gate = Arc::new(Semaphore::default());
    let slow = Upstream::gated(&gate);
    let second = healthy();
    let gateway = hedged(&slow, &second);
    let request = Request::chat("m");
    let input = expected_input(&request);
    let response = send(&gateway, request);
    assert_eq!(response.header("x-trunkline-provider"), Some("b"));
    slow.wait_for_requests(1);
    assert_eq!(counts(&gateway), [1, input + 11, 7]);
    gate.release_all();
}

/// The client leaves while both attempts run.
#[test]
fn two_attempts_that_are_left_add_their_input() {
    let gate = Arc::new(Semaphore::default());
    let (first, second) = (Upstream::gated(&gate), Upstream::gated(&gate));
    let gateway = hedged(&first, &second);
    let request = Request::chat("m").key(KEY);
    let mut client = gateway.client();
    client.send(&request.bytes());
    first.wait_for_requests(1);
    second.wait_for_requests(1);
    drop(client);
    assert_eq!(counts(&gateway), [1, 2 * expected_input(&request), 0]);
    gate.release_all();
}

/// Cached tokens weigh what the rule says; a budget goes by prices.
#[test]
fn cached_tokens_weigh_as_the_rule_says() {
    let body = r#"{"id":"c","object":"chat.completion","choices":[],"usage":{"prompt_tokens":1000,"prompt_tokens_details":{"cached_tokens":900},"completion_tokens":7,"total_tokens":1007}}"#;
    for (cached, tokens) in [("full", "1007"), ("free", "107"), ("0.1", "197")] {
        let upstream = Upstream::with_response(response::json("200 OK", body));
        let rule = format!(
            "[limits.all]\nper = [\"key\"]\ntokens = [\"100000/day\"]\ncached = \"{cached}\""
        );
        let gateway = super::alice::setup(&upstream, &rule).start();
        assert_eq!(send(&gateway, Request::chat("m")).status, 200);
        super::alice::await_used(&gateway, "all", "tokens", tokens);
    }
}
