//! A gateway with the key of `alice`, and what it has counted of her limits.

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;
use crate::support::wait;

pub const KEY: &str = "tk-alice";
/// Every amount that a rule can have, so large that nothing is refused.
pub const ALL_KINDS: &str = "[limits.all]\nper = [\"key\"]\nrequests = [\"1000/day\"]\n\
    tokens = [\"100000000/day\"]\ninput_tokens = [\"100000000/day\"]\n\
    output_tokens = [\"100000000/day\"]\nbudget = [\"1000/day\"]\nconcurrent = 8";

/// With the provider `up`, the model `m` at 1 and 2 dollars for a million tokens, and these
/// sections.
pub fn setup(upstream: &Upstream, sections: &str) -> Setup {
    priced(Setup::with_upstream(upstream))
        .key("alice", KEY, "team = \"search\"")
        .section(sections)
}

pub fn priced(setup: Setup) -> Setup {
    setup.section("[prices.\"up/*\"]\ninput = \"1\"\noutput = \"2\"")
}

#[track_caller]
pub fn send(gateway: &Gateway, request: Request) -> Response {
    gateway.send(&request.key(KEY))
}

/// What is used of an amount, as the gateway's own list has it.
#[track_caller]
pub fn used(gateway: &Gateway, rule: &str, of: &str) -> String {
    let response = send(gateway, Request::get("/trunkline/limits"));
    assert_eq!(response.status, 200, "{}", response.text());
    let body = response.json();
    let rules = body["limits"].as_array().unwrap();
    let mut amounts = rules
        .iter()
        .filter(|it| it["rule"] == rule)
        .flat_map(|it| it["amounts"].as_array().unwrap());
    let amount = amounts.find(|it| it["of"] == of);
    let amount = amount.unwrap_or_else(|| panic!("no {of} of {rule}: {body}"));
    amount["used"].as_str().unwrap().to_owned()
}

/// Waits until an amount is used up to this.
#[track_caller]
pub fn await_used(gateway: &Gateway, rule: &str, of: &str, expected: &str) {
    wait::until(&format!("{rule} {of} = {expected}"), || {
        (used(gateway, rule, of) == expected).then_some(())
    });
}

/// What is used of [`ALL_KINDS`]: requests, tokens of the input and of the output. The
/// others follow from these, and are checked.
#[track_caller]
pub fn counts(gateway: &Gateway) -> [u64; 3] {
    gateway.wait_until_idle();
    let number = |of| used(gateway, "all", of).parse::<u64>().unwrap();
    let [requests, input, output] = ["requests", "input_tokens", "output_tokens"].map(number);
    assert_eq!(number("tokens"), input + output);
    assert_eq!(number("concurrent"), 0);
    let cost = used(gateway, "all", "budget");
    let millionths = format!("{:.6}", cost.parse::<f64>().unwrap());
    let expected = (input + 2 * output) as f64 / 1e6;
    assert_eq!(millionths, format!("{expected:.6}"), "{cost}");
    [requests, input, output]
}

/// Tokens that are expected of a body before anything was learned.
pub fn expected_input(request: &Request) -> u64 {
    // A quarter of a token a byte, rounded.
    (request.body.as_ref().map_or(0, Vec::len) as u64 + 2) / 4
}
