//! A target whose responses break off after they began, again and again, is ejected
//! like one that fails before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::routing::failover::{healthy_upstream, in_order};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::{self, Semaphore};

/// How a response goes on after its first event.
type Rest = fn(&mut Exchange<'_>);

const NO_CHUNK: &str = "no chunk of a completion";
const LATE_ERROR: &str =
    r#"{"error":{"message":"CUDA out of memory","type":"server_error","code":null}}"#;
const OVERLOADED: &str = r#"{"error":{"code":529,"message":"Overloaded"}}"#;
const FILTERED: &str = r#"{"error":{"message":"filtered","code":"content_filter","status":400}}"#;
const TOO_LONG: &str =
    r#"{"error":{"message":"x","type":"invalid_request_error","code":"context_length_exceeded"}}"#;

/// A target that begins well, before a healthy one.
struct Pair {
    first: Upstream,
    spare: Upstream,
    gateway: Gateway,
    /// A permit for each response of the first target that may go on.
    gate: Arc<Semaphore>,
}

impl Pair {
    /// `lines` follow the table of the first target's timeouts.
    fn start(rest: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static, lines: &str) -> Self {
        let gate = Arc::new(Semaphore::default());
        let own = Arc::clone(&gate);
        let first = Upstream::start(move |exchange| {
            begin(exchange);
            own.acquire();
            rest(exchange);
        });
        let spare = healthy_upstream();
        let bases = [first.base_url(), spare.base_url()];
        let timeouts = format!("[providers.p0.timeouts]\n{lines}");
        Self {
            gateway: in_order(&bases, "").section(&timeouts).start(),
            first,
            spare,
            gate,
        }
    }

    /// Sends a request: the provider that responded, and the response. It goes on once
    /// its beginning was accepted.
    #[track_caller]
    fn send(&self, request: &Request) -> (String, String, bool) {
        let mut client = self.gateway.client();
        client.send(&request.bytes());
        let head = client.head();
        assert_eq!(head.status, 200);
        let provider = head
            .text("x-trunkline-provider")
            .unwrap_or_default()
            .to_owned();
        if provider == "p0" {
            self.gate.release();
        }
        let (body, complete) = client.read_body();
        (
            provider,
            String::from_utf8_lossy(&body).into_owned(),
            complete,
        )
    }

    #[track_caller]
    fn assert_ejected(&self, is_ejected: bool, context: &str) {
        let metrics = self.gateway.metrics();
        let count = f64::from(u8::from(is_ejected));
        let labels = [("provider", "p0"), ("reason", "broken_responses")];
        let ejections = metrics.sum("trunkline_ejections_total", &labels);
        assert_eq!(ejections, Some(count), "{context}");
        let ejected = metrics.sum("trunkline_targets_ejected", &labels[..1]);
        assert_eq!(ejected, Some(count), "{context}");
    }

    fn requests(&self) -> (usize, usize) {
        (self.first.requests().len(), self.spare.requests().len())
    }
}

/// A head, and one event or more of an object than is held back.
fn begin(exchange: &mut Exchange<'_>) {
    let body = String::from_utf8_lossy(&exchange.read_body()).into_owned();
    if body.contains("\"stream\":true") {
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
    } else {
        let headers = ["Content-Type: application/json", "Content-Length: 99999"];
        exchange.send(response::head("200 OK", &headers));
        exchange.send(format!("{{\"choices\":[\"{}", "x".repeat(70_000)));
    }
}

fn end_with(exchange: &mut Exchange<'_>, event: &str) {
    exchange.send(response::chunk(response::event(event)));
    exchange.send(response::LAST_CHUNK);
}

fn end_well(exchange: &mut Exchange<'_>) {
    exchange.send(response::chunk(response::finish() + response::DONE));
    exchange.send(response::LAST_CHUNK);
}

fn messages() -> Request {
    let body =
        r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    Request::post("/v1/messages", body)
}

#[test]
fn streams_that_die_in_any_way_eject_their_target() {
    let cases: [(&str, Rest, Request); 6] = [
        ("disconnected", |it| it.close(), Request::stream("m")),
        (
            "incomplete",
            |it| {
                it.send(response::LAST_CHUNK);
            },
            Request::stream("m"),
        ),
        (
            "stalled",
            |it| {
                it.wait_for_disconnect();
            },
            Request::stream("m"),
        ),
        ("error", |it| end_with(it, LATE_ERROR), Request::stream("m")),
        (
            "overloaded",
            |it| end_with(it, OVERLOADED),
            Request::stream("m"),
        ),
        ("translated", |it| end_with(it, NO_CHUNK), messages()),
    ];
    for (name, rest, request) in cases {
        let pair = Pair::start(rest, "idle = \"150ms\"");
        for _ in 0..5 {
            assert_eq!(pair.send(&request).0, "p0", "{name}");
        }
        let (provider, text_of_spare, complete) = pair.send(&request);
        assert_eq!((&*provider, complete), ("p1", true), "{name}");
        assert!(text_of_spare.contains("two"), "{name}: {text_of_spare}");
        assert_eq!(pair.requests(), (5, 1), "{name}");
        pair.assert_ejected(true, name);
        let lines = pair.gateway.await_log("WARN", &["target ejected"], 1);
        let line = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(text(&line, "reason"), "broken_responses");
        assert_eq!(text(&line, "model"), "model-0");
        assert_eq!(value(&line, "for_ms"), 5000);
    }
}

#[test]
fn streams_that_end_for_another_reason_do_not_count() {
    let cases: [(&str, Rest, &str); 4] = [
        ("content filter", |it| end_with(it, FILTERED), ""),
        ("context", |it| end_with(it, TOO_LONG), ""),
        (
            "total timeout",
            |it| {
                it.wait_for_disconnect();
            },
            "total = \"100ms\"",
        ),
        (
            "complete, without its last frame",
            |it| {
                it.send(response::chunk(response::finish() + response::DONE));
                it.close();
            },
            "",
        ),
    ];
    for (name, rest, lines) in cases {
        let pair = Pair::start(rest, lines);
        for _ in 0..7 {
            assert_eq!(pair.send(&Request::stream("m")).0, "p0", "{name}");
        }
        assert_eq!(pair.requests(), (7, 0), "{name}");
        pair.assert_ejected(false, name);
    }
}

#[test]
fn a_client_that_leaves_does_not_count() {
    let rest = |it: &mut Exchange<'_>| assert!(it.wait_for_disconnect());
    let pair = Pair::start(rest, "");
    for count in 1..=7 {
        let mut client = pair.gateway.client();
        client.send(&Request::stream("m").bytes());
        client.head();
        pair.gate.release();
        drop(client);
        pair.first.wait_for_finished(count);
    }
    for line in pair.gateway.access_lines(7) {
        assert_eq!(text(&line, "outcome"), "cancelled");
    }
    assert_eq!(pair.requests(), (7, 0));
    pair.assert_ejected(false, "left");
}

#[test]
fn a_stream_that_ends_well_starts_the_count_again() {
    let count = AtomicUsize::new(0);
    let pair = Pair::start(
        move |exchange| match count.fetch_add(1, Ordering::SeqCst) {
            4 => end_well(exchange),
            _ => exchange.close(),
        },
        "",
    );
    let send = || pair.send(&Request::stream("m")).0;
    assert!((0..9).all(|_| send() == "p0"));
    pair.assert_ejected(false, "four, and four more");
    assert_eq!([send(), send()], ["p0", "p1"]);
    pair.assert_ejected(true, "five");
}

#[test]
fn other_responses_that_break_off_have_a_count_of_their_own() {
    let pair = Pair::start(
        |exchange| {
            if exchange.request().text().contains("\"stream\":true") {
                end_well(exchange);
            } else {
                exchange.close();
            }
        },
        "",
    );
    for _ in 0..5 {
        let (provider, _, complete) = pair.send(&Request::chat("m"));
        assert_eq!((&*provider, complete), ("p0", false));
        // A stream that ends well in between.
        let (_, _, complete) = pair.send(&Request::stream("m"));
        assert!(complete);
    }
    pair.assert_ejected(true, "truncated");
    let (provider, _, complete) = pair.send(&Request::chat("m"));
    assert_eq!((&*provider, complete), ("p1", true));
}

#[test]
fn a_probe_must_end_well_to_restore_the_target() {
    let is_well = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&is_well);
    let breaker = "[breaker]\nbroken_responses = 1\ncooldown = \"20ms\"\nmax_cooldown = \"20ms\"";
    let pair = Pair::start(
        move |exchange| {
            if state.load(Ordering::SeqCst) {
                end_well(exchange);
            } else {
                exchange.close();
            }
        },
        breaker,
    );
    let ejected = || {
        let metrics = pair.gateway.metrics();
        metrics.sum("trunkline_targets_ejected", &[("provider", "p0")])
    };
    // Probes begin well and break off: the target stays out.
    wait::until("probes that broke off", || {
        pair.send(&Request::stream("m"));
        (pair.first.requests().len() > 3).then_some(())
    });
    assert_eq!(ejected(), Some(1.0));
    is_well.store(true, Ordering::SeqCst);
    wait::until("the target's return", || {
        pair.send(&Request::stream("m"));
        (ejected() == Some(0.0)).then_some(())
    });
    assert_eq!(pair.send(&Request::stream("m")).0, "p0");
    let output = pair.gateway.finish();
    assert_eq!(output.matches("target restored").count(), 1, "{output}");
}

#[test]
fn the_rule_can_be_switched_off_and_spares_the_only_target() {
    let close: Rest = |it| it.close();
    let pair = Pair::start(close, "[breaker]\nbroken_responses = 0");
    assert!((0..8).all(|_| pair.send(&Request::stream("m")).0 == "p0"));
    pair.assert_ejected(false, "switched off");
    for retry in ["", "\nretry = { attempts = 2, max_wait = \"1s\" }"] {
        let only = Upstream::start(|exchange| {
            begin(exchange);
            exchange.close();
        });
        let gateway = Setup::new()
            .provider("p0", &only.base_url(), "")
            .section(&format!("[models.m]\nprovider = \"p0\"{retry}"))
            .start();
        for count in 1..=7 {
            let response = gateway.send(&Request::stream("m"));
            assert_eq!((response.status, only.requests().len()), (200, count));
        }
    }
}
