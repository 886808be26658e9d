//! Rules by provider: a provider whose limit is spent is passed over.

use super::alice::{KEY, await_used, send};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const FIRST_THEN_SECOND: &str = "[models.m]\ntargets = [{ provider = \"a\", model = \"x\" }, \
    { provider = \"b\", model = \"x\", priority = 1 }]";

struct TwoProviders {
    first: Upstream,
    second: Upstream,
    gateway: Gateway,
}

impl TwoProviders {
    fn start(first: Upstream, sections: &str) -> Self {
        let second = Upstream::with_response(response::completion("hi"));
        let gateway = Setup::new()
            .provider("a", &first.base_url(), "")
            .provider("b", &second.base_url(), "")
            .key("alice", KEY, "")
            .section(sections)
            .start();
        Self {
            first,
            second,
            gateway,
        }
    }

    #[track_caller]
    fn served_by(&self) -> (u16, Option<String>, Option<String>) {
        let response = send(&self.gateway, Request::chat("m"));
        let header = |name: &str| response.header(name).map(str::to_owned);
        let provider = header("x-trunkline-provider");
        (response.status, provider, header("x-trunkline-attempts"))
    }
}

fn healthy() -> Upstream {
    Upstream::with_response(response::completion("hi"))
}

/// En#2460.
#[test]
fn a_provider_whose_limit_is_spent_is_passed_over() {
    let rule = "[limits.a]\nproviders = [\"a\"]\nrequests = [\"1/day\"]";
    let it = TwoProviders::start(healthy(), &format!("{FIRST_THEN_SECOND}\n{rule}"));
    let served = |provider: &str| (200, Some(provider.to_owned()), Some("1".to_owned()));
    assert_eq!(it.served_by(), served("a"));
    for _ in 0..2 {
        assert_eq!(it.served_by(), served("b"));
    }
    assert_eq!(
        (it.first.requests().len(), it.second.requests().len()),
        (1, 2)
    );
    it.gateway.wait_until_idle();
    // No attempt, no failure, no retry.
    let metrics = it.gateway.metrics();
    let attempts = |provider| metrics.sum("trunkline_attempts_total", &[("provider", provider)]);
    assert_eq!((attempts("a"), attempts("b")), (Some(1.0), Some(2.0)));
    let retries = metrics.sum("trunkline_retries_total", &[]);
    assert!(matches!(retries, None | Some(0.0)), "{retries:?}");
    let ejected = metrics.sum("trunkline_targets_ejected", &[]);
    assert!(matches!(ejected, None | Some(0.0)), "{ejected:?}");
    await_used(&it.gateway, "a", "requests", "1");
}

#[test]
fn the_limit_refuses_where_no_provider_is_left() {
    let rules = "[limits.each]\nper = [\"provider\"]\nrequests = [\"1/hour\"]";
    let it = TwoProviders::start(healthy(), &format!("{FIRST_THEN_SECOND}\n{rules}"));
    assert_eq!(it.served_by().1.as_deref(), Some("a"));
    assert_eq!(it.served_by().1.as_deref(), Some("b"));
    let response = send(&it.gateway, Request::chat("m"));
    assert_eq!(response.status, 429);
    assert_eq!(response.header("x-trunkline-limit"), Some("each"));
    assert_eq!(response.header("x-trunkline-attempts"), Some("0"));
    assert!(response.header("retry-after").is_some());
    assert_eq!(response.json()["error"]["code"], "rate_limit_exceeded");
    it.gateway
        .await_metric("trunkline_limit_refused_total", &[("rule", "each")], 1.0);
}

#[test]
fn the_only_provider_refuses_as_well() {
    let rules = "[models.m]\nprovider = \"a\"\nmodel = \"x\"\n\
        [limits.a]\nproviders = [\"a\"]\nrequests = [\"1/day\"]";
    let it = TwoProviders::start(healthy(), rules);
    assert_eq!(it.served_by().0, 200);
    let response = send(&it.gateway, Request::chat("m"));
    assert_eq!(response.status, 429);
    assert_eq!(response.json()["error"]["code"], "insufficient_quota");
    assert_eq!(it.first.requests().len(), 1);
}

/// A permit of the provider is held until the response has ended.
#[test]
fn requests_at_a_time_are_counted_by_provider() {
    let gate = std::sync::Arc::new(crate::support::wait::Semaphore::default());
    let rules = "[limits.a]\nproviders = [\"a\"]\nconcurrent = 1";
    let it = TwoProviders::start(
        Upstream::gated(&gate),
        &format!("{FIRST_THEN_SECOND}\n{rules}"),
    );
    let mut client = it.gateway.client();
    client.send(&Request::chat("m").key(KEY).bytes());
    it.first.wait_for_requests(1);
    assert_eq!(it.served_by().1.as_deref(), Some("b"));
    gate.release_all();
    assert_eq!(client.response().status, 200);
    await_used(&it.gateway, "a", "concurrent", "0");
    assert_eq!(it.served_by().1.as_deref(), Some("a"));
}

/// The retry takes of the second provider's limit, and the failure gives back what it took.
#[test]
fn a_retry_is_counted_where_it_goes() {
    let failing = Upstream::with_response(response::json("500 Internal Server Error", "{}"));
    let rules =
        "[limits.each]\nper = [\"provider\"]\nrequests = [\"5/day\"]\ntokens = [\"100000/day\"]";
    let it = TwoProviders::start(failing, &format!("{FIRST_THEN_SECOND}\n{rules}"));
    let (status, provider, attempts) = it.served_by();
    assert_eq!((status, provider.as_deref()), (200, Some("b")));
    assert_eq!(attempts.as_deref(), Some("2"));
    it.gateway.wait_until_idle();
    let response = it.gateway.get_admin("/limits");
    let body = response.json();
    let used = |provider: &str, of: &str| {
        let rules = body["limits"].as_array().unwrap();
        let rule = rules.iter().find(|it| it["provider"] == provider)?;
        let amounts = rule["amounts"].as_array().unwrap();
        let amount = amounts.iter().find(|it| it["of"] == of)?;
        amount["used"].as_str().map(str::to_owned)
    };
    assert_eq!(used("b", "requests").as_deref(), Some("1"), "{body}");
    assert_eq!(used("b", "tokens").as_deref(), Some("18"), "{body}");
    assert!(
        matches!(used("a", "requests").as_deref(), None | Some("0")),
        "{body}"
    );
    assert!(
        matches!(used("a", "tokens").as_deref(), None | Some("0")),
        "{body}"
    );
}

/// It waits for its own limits after what was asked of others.
#[test]
fn a_failure_that_was_asked_says_more_than_a_limit() {
    let error = r#"{"error":{"message":"Down","type":"server_error","param":null,"code":null}}"#;
    let failing = Upstream::with_response(response::json("500 Internal Server Error", error));
    let rules = "[limits.b]\nproviders = [\"b\"]\nrequests = [\"0/day\"]";
    let it = TwoProviders::start(failing, &format!("{FIRST_THEN_SECOND}\n{rules}"));
    let (status, provider, _) = it.served_by();
    assert_eq!((status, provider.as_deref()), (500, Some("a")));
}

/// A limit of another provider does not refuse it.
#[test]
fn a_call_without_usage_is_refused_only_at_the_provider_of_the_limit() {
    let rule = "[limits.a]\nproviders = [\"a\"]\ntokens = [\"1000/day\"]";
    let it = TwoProviders::start(healthy(), rule);
    for (provider, status) in [("a", 403), ("b", 200)] {
        let path = format!("/providers/{provider}/v1/batches");
        let response = send(&it.gateway, Request::post(&path, "{}"));
        assert_eq!(response.status, status, "{provider}: {}", response.text());
    }
}
