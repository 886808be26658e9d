//! What a scrape shows of clients' limits.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;

use crate::support::client::Request;
use crate::support::gateway::{Setup, sha256_hex};
use crate::support::prometheus::Metrics;
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

/// 12 and 34 tokens: 80 millionths of a dollar at [`PRICE`].
pub const COMPLETION: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}"#;
const PRICE: &str = "[prices.\"up/real-model\"]\ninput = \"1\"\noutput = \"2\"";
const USED: &str = "trunkline_limit_used_ratio";
const REMAINING: &str = "trunkline_limit_remaining";
const RESERVED: &str = "trunkline_limit_reserved";
pub const REFUSED: &str = "trunkline_limit_refused_total";

/// Of the keys alice, of the team search, and bob.
pub fn setup(upstream: &Upstream, limits: &str) -> Setup {
    Setup::with_upstream(upstream)
        .section(PRICE)
        .key("alice", "key-a", "team = \"search\"")
        .key("bob", "key-b", "")
        .section(limits)
}

pub fn alice() -> Request {
    Request::chat("m").key("key-a")
}

pub fn completions() -> Upstream {
    Upstream::with_response(response::json("200 OK", COMPLETION))
}

/// The label of a rule, of what it counts and for how long.
fn labels<'a>(rule: &'a str, of: &'a str, period: &'a str) -> [(&'static str, &'a str); 3] {
    [("rule", rule), ("of", of), ("period", period)]
}

fn subjects<'m>(metrics: &'m Metrics, name: &'m str) -> BTreeSet<&'m str> {
    let samples = metrics.select(name, &[]);
    samples.map(|sample| &*sample.labels["subject"]).collect()
}

#[test]
fn what_is_used_and_left_of_each_amount_is_shown_from_the_start() {
    let upstream = completions();
    let gateway = setup(
        &upstream,
        "[limits.each-key]\nper = [\"key\"]\nrequests = [\"4/total\"]\nbudget = [\"5/total\"]\n\
         concurrent = 3\n[limits.all]\ntokens = [\"1000000/hour\"]",
    )
    .start();
    let metrics = gateway.metrics();
    for (of, period, remaining) in [
        ("requests", "total", 4.0),
        ("budget", "total", 5.0),
        ("concurrent", "none", 3.0),
    ] {
        for subject in ["key alice", "key bob"] {
            let [rule, of, period] = labels("each-key", of, period);
            let labels = [rule, of, period, ("subject", subject)];
            assert_eq!(metrics.sum(USED, &labels), Some(0.0), "{labels:?}");
            assert_eq!(metrics.sum(REMAINING, &labels), Some(remaining));
            let reserved = (of.1 != "concurrent").then_some(0.0);
            assert_eq!(metrics.sum(RESERVED, &labels), reserved, "{labels:?}");
        }
    }
    let all = [("rule", "all"), ("subject", "all"), ("period", "hour")];
    assert_eq!(metrics.sum(REMAINING, &all), Some(1_000_000.0));
    // A rate does not tell it apart from what was used.
    assert_eq!(metrics.sum(RESERVED, &all), None);
    assert_eq!(
        metrics.sum("trunkline_limit_subjects", &[("rule", "each-key")]),
        Some(2.0)
    );
    assert_eq!(metrics.sum("trunkline_limit_debt", &[]), Some(0.0));
    for of in ["requests", "budget", "concurrent"] {
        let labels = [("rule", "each-key"), ("of", of)];
        assert_eq!(metrics.sum(REFUSED, &labels), Some(0.0), "{of}");
    }

    assert_eq!(gateway.send(&alice()).status, 200);
    gateway.access_lines(1);
    let of_alice = ("subject", "key alice");
    gateway.await_metric(USED, &[of_alice, ("of", "requests")], 0.25);
    gateway.await_metric(REMAINING, &[of_alice, ("of", "budget")], 5.0 - 80e-6);
    gateway.await_metric(USED, &[of_alice, ("of", "budget")], 16e-6);
    gateway.await_metric(REMAINING, &[("subject", "key bob"), ("of", "budget")], 5.0);
}

#[test]
fn what_requests_in_flight_have_reserved_is_shown() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        passed.acquire();
        exchange.send(response::json("200 OK", COMPLETION));
    });
    let gateway = setup(
        &upstream,
        "[limits.all]\nrequests = [\"10/total\"]\nconcurrent = 5\nbudget = [\"1/total\"]",
    )
    .start();
    let mut client = gateway.client();
    client.send(&alice().bytes());
    gateway.await_metric(USED, &[("of", "concurrent")], 0.2);
    gateway.await_metric(RESERVED, &[("of", "requests")], 1.0);
    let reserved = gateway.metrics().sum(RESERVED, &[("of", "budget")]);
    assert!(reserved.unwrap() > 0.0, "{reserved:?}");
    gate.release();
    assert_eq!(client.response().status, 200);
    for of in ["requests", "budget"] {
        gateway.await_metric(RESERVED, &[("of", of)], 0.0);
    }
    gateway.await_metric(USED, &[("of", "concurrent")], 0.0);
    gateway.await_metric(USED, &[("of", "requests")], 0.1);
}

#[test]
fn a_request_that_waits_is_counted_until_its_client_leaves() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        passed.acquire();
        exchange.send(response::json("200 OK", COMPLETION));
    });
    let gateway = setup(
        &upstream,
        "[limits.one]\nconcurrent = 1\nwait = \"60s\"\nmax_waiting = 5",
    )
    .start();
    let mut first = gateway.client();
    first.send(&alice().bytes());
    gateway.await_metric(USED, &[("rule", "one")], 1.0);
    let mut second = gateway.client();
    second.send(&alice().bytes());
    let waiting = ("trunkline_limit_waiting", [("rule", "one")]);
    gateway.await_metric(waiting.0, &waiting.1, 1.0);
    drop(second);
    gateway.await_metric(waiting.0, &waiting.1, 0.0);
    gate.release();
    assert_eq!(first.response().status, 200);
}

#[test]
fn a_debt_is_shown() {
    let upstream = Upstream::with_response(response::json(
        "200 OK",
        r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":90000}}"#,
    ));
    let gateway = setup(&upstream, "[limits.all]\ntokens = [\"50000/total\"]").start();
    gateway.await_metric("trunkline_limit_debt", &[("rule", "all")], 0.0);
    assert_eq!(gateway.send(&alice()).status, 200);
    gateway.await_metric("trunkline_limit_debt", &[("rule", "all")], 40_010.0);
    gateway.await_metric(USED, &[("rule", "all")], 90_010.0 / 50_000.0);
    gateway.await_metric(REMAINING, &[("rule", "all")], 0.0);
}

#[test]
fn names_that_clients_choose_are_in_no_series() {
    let upstream = completions();
    let gateway = Setup::with_upstream(&upstream)
        .section(PRICE)
        .key("app", "key-app", "may_name_users = true")
        .section(
            "[limits.each-user]\nper = [\"user\"]\nrequests = [\"4/total\"]\n\
             user_header = \"x-end-user\"\n[limits.each-model]\nper = [\"model\"]\n\
             requests = [\"8/total\"]",
        )
        .start();
    for (user, model) in [
        ("canary-1", "m"),
        ("canary-2", "m"),
        ("canary-2", "up/canary-3"),
    ] {
        let request = Request::chat(model).key("key-app");
        let request = request.header("x-end-user", user);
        assert_eq!(gateway.send(&request).status, 200);
    }
    gateway.access_lines(3);
    // Of the fullest, the one with the least, and of all.
    let users = [("rule", "each-user"), ("subject", "other")];
    gateway.await_metric(USED, &users, 0.5);
    gateway.await_metric(REMAINING, &users, 2.0);
    gateway.await_metric(RESERVED, &users, 0.0);
    let models = |subject| [("rule", "each-model"), ("subject", subject)];
    gateway.await_metric(USED, &models("model m"), 0.25);
    gateway.await_metric(USED, &models("other"), 0.125);
    let scrape = gateway.get_admin("/metrics").text();
    assert!(!scrape.contains("canary"), "{scrape}");
}

#[test]
fn the_series_of_a_limit_end_with_its_rule() {
    let upstream = completions();
    let rule = "[limits.gone]\nrequests = [\"1/total\"]\n";
    let gateway = setup(
        &upstream,
        &format!("[limits.stays]\nrequests = [\"100/total\"]\n{rule}"),
    )
    .start();
    assert_eq!(gateway.send(&alice()).status, 200);
    assert_eq!(gateway.send(&alice()).status, 429);
    gateway.await_metric(REFUSED, &[("rule", "gone")], 1.0);
    let series = |name: &str| {
        let text = gateway.get_admin("/metrics").text();
        text.lines().filter(|line| line.contains(name)).count()
    };
    assert!(series("rule=\"gone\"") > 5);
    gateway.reload(|file| file.replace(rule, ""));
    assert_eq!(series("rule=\"gone\""), 0);
    assert!(series("rule=\"stays\"") > 5);
    assert_eq!(gateway.send(&alice()).status, 200);
    // Put back, it is counted anew.
    gateway.reload(|file| file + rule);
    gateway.await_metric(REFUSED, &[("rule", "gone")], 0.0);
    gateway.await_metric(USED, &[("rule", "gone"), ("subject", "all")], 0.0);
}

/// One subject for each of many keys: a scrape is bounded, and shows the fullest.
#[test]
fn a_scrape_shows_the_fullest_of_very_many_subjects() {
    let upstream = completions();
    let mut keys = String::new();
    for key in 0..1200 {
        let hash = sha256_hex(&format!("key-{key}"));
        write!(keys, "[access.keys.k{key}]\nsha256 = \"{hash}\"\n").unwrap();
    }
    let gateway = Setup::with_upstream(&upstream)
        .section(&keys)
        .section("[limits.each-key]\nper = [\"key\"]\nrequests = [\"10/total\", \"100/hour\"]")
        .start();
    for key in ["key-7", "key-1199", "key-1199"] {
        assert_eq!(gateway.send(&Request::chat("m").key(key)).status, 200);
    }
    let total = ("period", "total");
    gateway.await_metric(USED, &[("subject", "key k1199"), total], 0.2);
    gateway.await_metric(USED, &[("subject", "key k7"), total], 0.1);
    let metrics = gateway.metrics();
    let shown = subjects(&metrics, USED);
    assert_eq!(shown.len(), 1001);
    assert!(shown.contains("other"));
    assert_eq!(metrics.select(USED, &[]).count(), 2002);
    let other = [("subject", "other"), total];
    assert_eq!(metrics.sum(USED, &other), Some(0.0));
    assert_eq!(metrics.sum(REMAINING, &other), Some(10.0));
    assert_eq!(metrics.sum("trunkline_limit_subjects", &[]), Some(1200.0));
}

#[test]
fn scrapes_while_requests_run_show_no_more_than_the_amount() {
    let upstream = completions();
    let gateway = setup(&upstream, "[limits.all]\nrequests = [\"40/total\"]").start();
    let send = || {
        let statuses = (0..15).map(|_| gateway.send(&alice()).status);
        statuses.filter(|status| *status == 200).count()
    };
    let passed = thread::scope(|scope| {
        let senders: Vec<_> = (0..4).map(|_| scope.spawn(send)).collect();
        for _ in 0..20 {
            let used = gateway.metrics().sum(USED, &[]).unwrap();
            assert!((0.0..=1.0).contains(&used), "{used}");
        }
        let counts = senders.into_iter().map(|it| it.join().unwrap());
        counts.sum::<usize>()
    });
    assert_eq!(passed, 40);
    gateway.await_metric(REFUSED, &[], 20.0);
    gateway.await_metric(USED, &[], 1.0);
}
