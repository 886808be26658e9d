//! Keys with limits: their upstream says what is left, and none is asked for
//! more than that while another has some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};

/// An upstream that lets each key have so many requests, and counts them.
struct Limited {
    upstream: Upstream,
    used: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Limited {
    /// `tell` writes the headers from a limit and what is left of it.
    fn new(
        limits: &'static [(&'static str, u64)],
        tell: impl Fn(u64, u64) -> Vec<String> + Send + Sync + 'static,
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
            let mut headers = tell(limit, limit.saturating_sub(used));
            headers.push("Content-Type: application/json".to_owned());
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            exchange.send(if used > limit {
                reply::whole("429 Too Many Requests", &headers, "{}")
            } else {
                reply::whole("200 OK", &headers, "{\"choices\":[]}")
            });
        });
        Self { upstream, used }
    }

    /// A gateway with keys `a` and `b` for it. One worker, so that no two
    /// requests are sent at the very same time.
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

fn like_openai(limit: u64, left: u64) -> Vec<String> {
    vec![
        format!("x-ratelimit-limit-requests: {limit}"),
        format!("x-ratelimit-remaining-requests: {left}"),
        "x-ratelimit-reset-requests: 6m0s".to_owned(),
        "x-ratelimit-limit-tokens: 100000".to_owned(),
        "x-ratelimit-remaining-tokens: 99000".to_owned(),
        "x-ratelimit-reset-tokens: 6ms".to_owned(),
    ]
}

fn ask_all(gateway: &Gateway, callers: usize, each: usize) {
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..each {
                    client.send(&Request::chat("m").bytes());
                    let answer = client.answer();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert_eq!(answer.header("x-trunkline-attempts"), Some("1"));
                }
            });
        }
    });
}

#[test]
fn two_keys_are_used_up_without_a_refusal() {
    let limited = Limited::new(&[("a", 10), ("b", 80)], like_openai);
    let gateway = limited.gateway();
    // All that both have, save what four at once may leave over.
    ask_all(&gateway, 4, 21);
    assert!(limited.used("a") <= 10 && limited.used("b") <= 80);
    assert_eq!(limited.used("a") + limited.used("b"), 84);
    // One after the other, to the last.
    ask_all(&gateway, 1, 6);
    assert_eq!((limited.used("a"), limited.used("b")), (10, 80));
    let metrics = gateway.metrics();
    let throttled = [("provider", "up"), ("result", "throttled")];
    assert_eq!(metrics.sum("trunkline_attempts_total", &throttled), None);
    let exhausted = [("provider", "up"), ("reason", "exhausted")];
    assert_eq!(
        metrics.sum("trunkline_ejections_total", &exhausted),
        Some(2.0)
    );
    // Now nobody has anything left, and the last is never left out: the
    // upstream answers for itself.
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
}

#[test]
fn tokens_count_like_requests_and_dates_like_durations() {
    let tell = |limit: u64, left: u64| {
        vec![
            format!("anthropic-ratelimit-tokens-limit: {}", limit * 1000),
            format!("anthropic-ratelimit-tokens-remaining: {}", left * 1000),
            "anthropic-ratelimit-tokens-reset: 2999-12-31T23:59:59Z".to_owned(),
        ]
    };
    let limited = Limited::new(&[("a", 5), ("b", 1000)], tell);
    ask_all(&limited.gateway(), 1, 80);
    assert_eq!(limited.used("a"), 5);
    assert_eq!(limited.used("b"), 75);
}

#[test]
fn a_key_is_asked_again_once_its_limit_is_whole() {
    let tell = |limit: u64, left: u64| {
        // The tenth request finds it renewed.
        vec![
            format!("x-ratelimit-limit-requests: {limit}"),
            format!("x-ratelimit-remaining-requests: {}", left % 10),
            "x-ratelimit-reset-requests: 150ms".to_owned(),
        ]
    };
    let limited = Limited::new(&[("a", 100_000), ("b", 100_000)], tell);
    let gateway = limited.gateway();
    crate::support::wait::until("both keys to be used beyond their first limit", || {
        ask_all(&gateway, 1, 1);
        let used = limited.used.lock().unwrap();
        (used.len() == 2 && used.values().all(|used| *used > 25)).then_some(())
    });
}
