//! Keys with rate limits: their quota is tracked from response headers, and no key
//! is used beyond it while another has quota.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

/// An upstream that counts requests per key, with a limit for each.
struct RateLimitedUpstream {
    upstream: Upstream,
    used: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl RateLimitedUpstream {
    /// `headers` builds the rate-limit headers from a limit and its remainder.
    fn new(
        limits: &'static [(&'static str, u64)],
        limit_headers: impl Fn(u64, u64) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let used: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let counts = Arc::clone(&used);
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            let key = exchange.request().header("authorization").unwrap();
            let key = key.trim_start_matches("Bearer ").to_owned();
            let limit = limits.iter().find(|(name, _)| *name == key).unwrap().1;
            let used = {
                let mut counts = counts.lock().unwrap();
                let used = counts.entry(key).or_default();
                *used += 1;
                *used
            };
            let mut headers = limit_headers(limit, limit.saturating_sub(used));
            headers.push("Content-Type: application/json".to_owned());
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            exchange.send(if used > limit {
                response::with_body("429 Too Many Requests", &headers, "{}")
            } else {
                response::with_body("200 OK", &headers, "{\"choices\":[]}")
            });
        });
        Self { upstream, used }
    }

    /// A gateway with the keys `a` and `b`. One worker, so that no two requests are
    /// sent at the same time.
    fn gateway(&self) -> Gateway {
        Setup::new()
            .server("workers = 1")
            .section(&format!(
                "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ key = \"a\" }}, {{ key = \"b\" }}]\n\
                 [models.m]\nprovider = \"up\"",
                self.upstream.base_url()
            ))
            .start()
    }

    fn used(&self, key: &str) -> u64 {
        self.used.lock().unwrap()[key]
    }
}

fn like_openai(limit: u64, remaining: u64) -> Vec<String> {
    vec![
        format!("x-ratelimit-limit-requests: {limit}"),
        format!("x-ratelimit-remaining-requests: {remaining}"),
        "x-ratelimit-reset-requests: 6m0s".to_owned(),
        "x-ratelimit-limit-tokens: 100000".to_owned(),
        "x-ratelimit-remaining-tokens: 99000".to_owned(),
        "x-ratelimit-reset-tokens: 6ms".to_owned(),
    ]
}

fn send_all(gateway: &Gateway, clients: usize, each: usize) {
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..each {
                    client.send(&Request::chat("m").bytes());
                    let response = client.response();
                    assert_eq!(response.status, 200, "{}", response.text());
                    assert_eq!(response.header("x-trunkline-attempts"), Some("1"));
                }
            });
        }
    });
}

#[test]
fn two_keys_are_used_up_without_a_rejection() {
    let limited = RateLimitedUpstream::new(&[("a", 10), ("b", 80)], like_openai);
    let gateway = limited.gateway();
    // All the quota of both, minus what four concurrent clients may leave unused.
    send_all(&gateway, 4, 21);
    assert!(limited.used("a") <= 10 && limited.used("b") <= 80);
    assert_eq!(limited.used("a") + limited.used("b"), 84);
    // Sequentially, to the last one.
    send_all(&gateway, 1, 6);
    assert_eq!((limited.used("a"), limited.used("b")), (10, 80));
    let metrics = gateway.metrics();
    let throttled = [("provider", "up"), ("result", "throttled")];
    assert_eq!(
        metrics.sum("trunkline_attempts_total", &throttled),
        Some(0.0)
    );
    let rate_limited = [("provider", "up"), ("reason", "rate_limited")];
    assert_eq!(
        metrics.sum("trunkline_ejections_total", &rate_limited),
        Some(2.0)
    );
    // No key has quota now. The last one is never ejected: the upstream's own
    // response is forwarded.
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 429);
    assert_eq!(response.header("x-ratelimit-remaining-requests"), Some("0"));
}

#[test]
fn tokens_count_like_requests_and_dates_like_durations() {
    let limit_headers = |limit: u64, remaining: u64| {
        vec![
            format!("anthropic-ratelimit-tokens-limit: {}", limit * 1000),
            format!("anthropic-ratelimit-tokens-remaining: {}", remaining * 1000),
            "anthropic-ratelimit-tokens-reset: 2999-12-31T23:59:59Z".to_owned(),
        ]
    };
    let limited = RateLimitedUpstream::new(&[("a", 5), ("b", 1000)], limit_headers);
    send_all(&limited.gateway(), 1, 80);
    assert_eq!(limited.used("a"), 5);
    assert_eq!(limited.used("b"), 75);
}

#[test]
fn a_key_is_used_again_after_its_limit_is_reset() {
    let limit_headers = |limit: u64, remaining: u64| {
        // The quota is renewed with the tenth request.
        vec![
            format!("x-ratelimit-limit-requests: {limit}"),
            format!("x-ratelimit-remaining-requests: {}", remaining % 10),
            "x-ratelimit-reset-requests: 150ms".to_owned(),
        ]
    };
    let limited = RateLimitedUpstream::new(&[("a", 100_000), ("b", 100_000)], limit_headers);
    let gateway = limited.gateway();
    crate::support::wait::until("both keys to be used beyond their first limit", || {
        send_all(&gateway, 1, 1);
        let used = limited.used.lock().unwrap();
        (used.len() == 2 && used.values().all(|used| *used > 25)).then_some(())
    });
}
