//! `at_limit = "fallback:ALIAS"`: to another model, once.

use super::alice::{KEY, await_used, send};
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, value};
use crate::support::upstream::{Upstream, response};

/// The models `large` and `small`, each at a provider of its own.
struct TwoModels {
    large: Upstream,
    small: Upstream,
    gateway: Gateway,
}

impl TwoModels {
    fn start(key_lines: &str, limits: &str) -> Self {
        let large = Upstream::with_response(response::completion("large"));
        let small = Upstream::with_response(response::completion("small"));
        let setup = Setup::new()
            .provider("big", &large.base_url(), "")
            .provider("tiny", &small.base_url(), "")
            .model("large", "big", "large-1")
            .model("small", "tiny", "small-1")
            .key("alice", KEY, key_lines)
            .key("bob", "tk-bob", "")
            .section(limits);
        Self {
            gateway: setup.start(),
            large,
            small,
        }
    }

    fn send(&self, model: &str) -> Response {
        send(&self.gateway, Request::chat(model))
    }
}

const ONE_LARGE: &str = "[limits.large]\nper = [\"key\"]\nmodels = [\"large\"]\n\
    requests = [\"1/day\"]\nat_limit = \"fallback:small\"";

#[test]
fn beyond_the_limit_another_model_serves() {
    let it = TwoModels::start("", ONE_LARGE);
    let first = it.send("large");
    assert_eq!(first.header("x-trunkline-model"), Some("large-1"));
    let second = it.send("large");
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(second.header("x-trunkline-model"), Some("small-1"));
    assert_eq!(second.header("x-trunkline-provider"), Some("tiny"));
    assert!(it.small.only_request().text().contains("\"small-1\""));
    let labels = [("rule", "large"), ("model", "small")];
    it.gateway
        .await_metric("trunkline_limit_fallbacks_total", &labels, 1.0);
    it.gateway
        .await_metric("trunkline_limit_refused_total", &[("rule", "large")], 0.0);
    // The refused rule counted nothing of it.
    await_used(&it.gateway, "large", "requests", "1");
    assert_eq!(it.large.requests().len(), 1);
    let lines = it.gateway.access_lines(2);
    assert_eq!(value(&lines[1], "model"), "small");
}

#[test]
fn the_other_model_has_limits_of_its_own() {
    let rules = format!(
        "{ONE_LARGE}\n[limits.small]\nper = [\"key\"]\nmodels = [\"small\"]\nrequests = [\"1/day\"]"
    );
    let it = TwoModels::start("", &rules);
    assert_eq!(it.send("large").status, 200);
    assert_eq!(it.send("large").status, 200);
    await_used(&it.gateway, "small", "requests", "1");
    // Both are spent for the day: the error is that of the model that was asked for.
    let refused = it.send("large");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-trunkline-limit"), Some("large"));
    it.gateway
        .await_metric("trunkline_limit_refused_total", &[("rule", "large")], 1.0);
}

#[test]
fn the_error_is_that_of_the_limit_that_has_room_again_first() {
    let rules = format!(
        "{ONE_LARGE}\n[limits.small]\nper = [\"key\"]\nmodels = [\"small\"]\nrequests = [\"1/hour\"]"
    );
    let it = TwoModels::start("", &rules);
    assert_eq!(it.send("large").status, 200);
    assert_eq!(it.send("large").status, 200);
    let refused = it.send("large");
    assert_eq!(refused.header("x-trunkline-limit"), Some("small"));
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn it_leads_on_only_once() {
    let rules = format!(
        "{ONE_LARGE}\n[models.third]\nprovider = \"tiny\"\nmodel = \"third-1\"\n\
         [limits.small]\nper = [\"key\"]\nmodels = [\"small\"]\nrequests = [\"1/day\"]\n\
         at_limit = \"fallback:third\""
    );
    let it = TwoModels::start("", &rules);
    for _ in 0..2 {
        assert_eq!(it.send("large").status, 200);
    }
    assert_eq!(it.send("large").status, 429);
    // Asked for by its own name, it leads on.
    let response = it.send("small");
    assert_eq!(response.header("x-trunkline-model"), Some("third-1"));
}

#[test]
fn a_key_that_may_not_use_the_other_model_is_refused() {
    let it = TwoModels::start("models = [\"large\"]", ONE_LARGE);
    assert_eq!(it.send("large").status, 200);
    assert_eq!(it.send("large").status, 429);
    assert!(it.small.requests().is_empty());
}

/// The client wants this provider and no other.
#[test]
fn a_named_provider_is_not_left() {
    let it = TwoModels::start("", ONE_LARGE);
    let named = || Request::chat("large").header("x-trunkline-provider", "big");
    assert_eq!(send(&it.gateway, named()).status, 200);
    assert_eq!(send(&it.gateway, named()).status, 429);
    let path = Request::post(
        "/providers/big/v1/chat/completions",
        r#"{"model":"large","messages":[]}"#,
    );
    assert_eq!(send(&it.gateway, path).status, 429);
}
