//! `wait`: a request waits for a rate or a permit instead of getting a 429.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::alice::{KEY, await_used, send, setup};
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, value};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::{self, Semaphore};

const ONE_AT_A_TIME: &str =
    "[limits.one]\nper = [\"key\"]\nconcurrent = 1\nrequests = [\"100/day\"]\nwait = \"20s\"";

struct Gated {
    gate: Arc<Semaphore>,
    upstream: Upstream,
    gateway: Gateway,
}

impl Gated {
    fn start(limits: &str) -> Self {
        let gate = Arc::new(Semaphore::default());
        let upstream = Upstream::gated(&gate);
        let gateway = setup(&upstream, limits).start();
        Self {
            gate,
            upstream,
            gateway,
        }
    }

    fn request(&self) -> Client {
        let mut client = self.gateway.client();
        client.send(&Request::chat("m").key(KEY).bytes());
        client
    }

    #[track_caller]
    fn await_waiting(&self, count: f64) {
        self.gateway
            .await_metric("trunkline_limit_waiting", &[("rule", "one")], count);
    }
}

#[test]
fn a_request_waits_for_a_rate() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let rule = "[limits.rate]\nper = [\"key\"]\nrequests = [\"2/second burst 1\"]\nwait = \"5s\"";
    let gateway = setup(&upstream, rule).start();
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    }
    assert!(
        start.elapsed() >= Duration::from_millis(990),
        "{:?}",
        start.elapsed()
    );
    let lines = gateway.access_lines(3);
    let waited = value(&lines[1], "limit_wait_ms").as_f64().unwrap();
    assert!((100.0..1000.0).contains(&waited), "{waited}");
    // A wait is not the gateway's own time.
    let own = value(&lines[1], "overhead_ms").as_f64().unwrap();
    assert!(own < waited / 2.0, "{own} of {waited}");
    let waits = gateway
        .metrics()
        .sum("trunkline_limit_waits_seconds_count", &[]);
    assert_eq!(waits, Some(2.0));
}

/// An amount that a reload raises, or takes away, is there at once.
#[test]
fn a_reload_lets_those_that_wait_go() {
    for changed in ["concurrent = 2", ""] {
        let gated = Gated::start(ONE_AT_A_TIME);
        let mut first = gated.request();
        gated.upstream.wait_for_requests(1);
        let mut second = gated.request();
        gated.await_waiting(1.0);
        gated.gateway.reload(|file| match changed {
            "" => file.replace(ONE_AT_A_TIME, ""),
            changed => file.replace("concurrent = 1", changed),
        });
        gated.upstream.wait_for_requests(2);
        gated.gate.release_all();
        for client in [&mut first, &mut second] {
            assert_eq!(client.response().status, 200);
        }
    }
}

#[test]
fn a_longer_wait_is_refused_at_once() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let rule = "[limits.rate]\nper = [\"key\"]\nrequests = [\"1/hour\"]\nwait = \"5s\"";
    let gateway = setup(&upstream, rule).start();
    assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    let start = Instant::now();
    assert_eq!(send(&gateway, Request::chat("m")).status, 429);
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn no_request_waits_for_a_budget_or_a_day() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let rule =
        "[limits.day]\nper = [\"key\"]\nrequests = [\"1/day\", \"1000/minute\"]\nwait = \"20s\"";
    let gateway = setup(&upstream, rule).start();
    assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    let start = Instant::now();
    assert_eq!(send(&gateway, Request::chat("m")).status, 429);
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A client takes a spent budget as final. One that running requests have reserved is not
/// spent.
#[test]
fn a_budget_that_is_reserved_is_not_spent() {
    let rule = "[limits.one]\nper = [\"key\"]\nbudget = [\"0.003/day\"]";
    let it = Gated::start(rule);
    let mut first = it.request();
    it.upstream.wait_for_requests(1);
    let refused = send(&it.gateway, Request::chat("m"));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("x-should-retry"), None);
    let body = refused.json();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("of it reserved by requests that run"),
        "{message}"
    );
    it.gate.release_all();
    assert_eq!(first.response().status, 200);
    it.gateway.wait_until_idle();
    assert_eq!(send(&it.gateway, Request::chat("m")).status, 200);

    let it = Gated::start(&format!("{rule}\nwait = \"20s\""));
    let mut first = it.request();
    it.upstream.wait_for_requests(1);
    let mut second = it.request();
    it.await_waiting(1.0);
    it.gate.release_all();
    assert_eq!(first.response().status, 200);
    assert_eq!(second.response().status, 200);
}

#[test]
fn a_client_that_leaves_while_it_waits_leaves_no_trace() {
    let it = Gated::start(ONE_AT_A_TIME);
    let mut first = it.request();
    it.upstream.wait_for_requests(1);
    let second = it.request();
    it.await_waiting(1.0);
    let mut third = it.request();
    it.await_waiting(2.0);
    drop(second);
    it.await_waiting(1.0);
    it.gate.release_all();
    assert_eq!(first.response().status, 200);
    assert_eq!(third.response().status, 200);
    it.await_waiting(0.0);
    await_used(&it.gateway, "one", "requests", "2");
    await_used(&it.gateway, "one", "concurrent", "0");
    assert_eq!(it.upstream.requests().len(), 2);
}

/// Nothing was sent: another process can serve it.
#[test]
fn a_drain_ends_the_wait() {
    let mut it = Gated::start(ONE_AT_A_TIME);
    let mut first = it.request();
    it.upstream.wait_for_requests(1);
    let mut second = it.request();
    it.await_waiting(1.0);
    it.gateway.signal("TERM");
    let refused = second.response();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "server_shutting_down");
    assert!(refused.header("retry-after").is_some());
    it.gate.release_all();
    assert_eq!(first.response().status, 200);
    assert!(it.gateway.wait_for_exit().success());
    assert_eq!(it.upstream.requests().len(), 1);
}

/// The requests that wait for one key must not shut others out.
#[test]
fn waiting_requests_hold_no_permit_of_the_server() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = setup(&upstream, ONE_AT_A_TIME)
        .server("max_in_flight = 3")
        .key("bob", "tk-bob", "")
        .start();
    let request = |key: &str| {
        let mut client = gateway.client();
        client.send(&Request::chat("m").key(key).bytes());
        client
    };
    let mut clients = vec![request(KEY)];
    upstream.wait_for_requests(1);
    clients.extend((0..3).map(|_| request(KEY)));
    gateway.await_metric("trunkline_limit_waiting", &[("rule", "one")], 3.0);
    clients.push(request("tk-bob"));
    upstream.wait_for_requests(2);
    gate.release_all();
    for mut client in clients {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn a_longer_queue_is_refused() {
    let it = Gated::start(&format!("{ONE_AT_A_TIME}\nmax_waiting = 1"));
    let mut first = it.request();
    it.upstream.wait_for_requests(1);
    let mut second = it.request();
    it.await_waiting(1.0);
    let refused = send(&it.gateway, Request::chat("m"));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    it.gate.release_all();
    wait::until("both responses", || {
        (first.response().status == 200 && second.response().status == 200).then_some(())
    });
}
