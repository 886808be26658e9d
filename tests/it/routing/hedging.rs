//! Hedging: a second target is asked while the first one is silent, the first
//! good answer is taken, and the other request is ended at once.

use std::sync::Arc;

use crate::routing::failover::{BUSY, both, good, in_order};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::Gate;

/// A model `m` that asks these in this order, and the next one as well after a
/// tenth of a second.
fn hedged(upstreams: &[&Upstream], lines: &str) -> Setup {
    let bases: Vec<String> = upstreams.iter().map(|it| it.base_url()).collect();
    in_order(&bases, &format!("hedge = {{ after = \"100ms\" }}\n{lines}"))
}

/// Never answers, and sees the gateway leave.
fn be_silent(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    assert!(exchange.gateway_left(), "nobody ended the request");
}

/// Answers once the gate opens.
fn gated(gate: &Arc<Gate>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        gate.pass();
        exchange.send(reply::completion("late"));
    })
}

fn failing() -> Upstream {
    Upstream::answering(reply::json("500 Oops", BUSY))
}

#[track_caller]
fn counted(gateway: &Gateway, provider: &str, result: &str, count: f64) {
    let labels = [("model", "m"), ("provider", provider), ("result", result)];
    gateway.await_metric("trunkline_hedges_total", &labels, count);
}

#[test]
fn a_silent_target_gives_way_to_the_next_and_sees_its_request_ended() {
    let (silent, fine) = (Upstream::start(be_silent), good());
    let gateway = hedged(&[&silent, &fine], "").start();
    for (index, request) in both().into_iter().enumerate() {
        let answer = gateway.ask(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.complete);
        assert_eq!(answer.header("x-trunkline-attempts"), Some("2"));
        assert_eq!(answer.header("x-trunkline-provider"), Some("p1"));
        silent.ended(index + 1);
        let line = gateway.access_line(&answer.request_id());
        assert_eq!(text(&line, "provider"), "p1");
        assert_eq!(text(&line, "attempts"), "2");
        assert_eq!(text(&line, "outcome"), "ok");
    }
    assert_eq!((silent.requests().len(), fine.requests().len()), (2, 2));
    counted(&gateway, "p1", "won", 2.0);
    let metrics = gateway.metrics();
    for (provider, result) in [("p0", "cancelled"), ("p1", "answered")] {
        let labels = [("provider", provider), ("result", result)];
        let count = metrics.sum("trunkline_attempts_total", &labels);
        assert_eq!(count, Some(2.0), "{provider}");
    }
    assert_eq!(metrics.sum("trunkline_retries_total", &[]), None);
    assert!(gateway.said().contains("attempt cancelled"));
    gateway.settle();
}

#[test]
fn a_stream_is_silent_until_its_first_event() {
    for opening in ["", ": wait\n\n", "data: {\"half\":"] {
        let silent = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send(reply::stream_head());
            if !opening.is_empty() {
                exchange.send(reply::chunk(opening));
            }
            assert!(exchange.gateway_left());
        });
        let fine = good();
        let gateway = hedged(&[&silent, &fine], "").start();
        let answer = gateway.ask(&Request::stream("m"));
        assert_eq!(answer.status, 200);
        assert!(answer.text().ends_with(reply::DONE) && !answer.text().contains("wait"));
        silent.ended(1);
        counted(&gateway, "p1", "won", 1.0);
    }
}

#[test]
fn the_first_one_may_still_win() {
    let gate = Arc::new(Gate::default());
    let (late, silent) = (gated(&gate), Upstream::start(be_silent));
    let gateway = hedged(&[&late, &silent], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    silent.arrived(1);
    gate.open();
    let answer = client.answer();
    assert!(answer.text().contains("late"));
    assert_eq!(answer.header("x-trunkline-provider"), Some("p0"));
    assert_eq!(answer.header("x-trunkline-attempts"), Some("2"));
    silent.ended(1);
    counted(&gateway, "p1", "lost", 1.0);
    assert_eq!(text(&gateway.access_lines(1)[0], "provider"), "p0");
}

#[test]
fn who_answers_in_time_is_not_hedged() {
    let gate = Arc::new(Gate::default());
    let (late, spare) = (gated(&gate), good());
    let bases = [late.base_url(), spare.base_url()];
    let gateway = in_order(&bases, "hedge = { after = \"20s\" }").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    late.arrived(1);
    gate.open();
    assert_eq!(client.answer().header("x-trunkline-attempts"), Some("1"));
    assert!(spare.requests().is_empty());
    assert_eq!(gateway.metrics().sum("trunkline_hedges_total", &[]), None);
}

#[test]
fn when_the_retry_budget_is_used_up_there_is_no_second_attempt() {
    const BURST: usize = 50;
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let slow = Upstream::start(move |exchange| {
        if exchange.index < BURST {
            return be_silent(exchange);
        }
        exchange.read_body();
        held.pass();
        exchange.send(reply::completion("late"));
    });
    let fine = good();
    let bases = [slow.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "hedge = { after = \"1ms\" }")
        .section("[retry]\nbudget = 0")
        .start();
    for _ in 0..BURST {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    counted(&gateway, "p1", "withheld", 1.0);
    gate.open();
    assert!(client.answer().text().contains("late"));
    assert_eq!(fine.requests().len(), BURST);
    counted(&gateway, "p1", "won", 50.0);
}

#[test]
fn a_caller_who_leaves_ends_both() {
    let [one, two] = [(); 2].map(|()| Upstream::start(be_silent));
    for request in both() {
        let gateway = hedged(&[&one, &two], "").start();
        let before = one.requests().len();
        let mut client = gateway.client();
        client.send(&request.bytes());
        two.arrived(before + 1);
        drop(client);
        one.ended(before + 1);
        two.ended(before + 1);
        counted(&gateway, "p1", "abandoned", 1.0);
        gateway.settle();
        assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "cancelled");
    }
}

#[test]
fn a_second_that_fails_leaves_the_first_to_answer() {
    let gate = Arc::new(Gate::default());
    let (late, failing, spare) = (gated(&gate), failing(), good());
    let gateway = hedged(&[&late, &failing, &spare], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    let labels = [("provider", "p1"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    gate.open();
    let answer = client.answer();
    assert!(answer.text().contains("late"));
    assert_eq!(answer.header("x-trunkline-attempts"), Some("2"));
    counted(&gateway, "p1", "failed", 1.0);
    assert!(spare.requests().is_empty());
}

#[test]
fn a_first_that_fails_leaves_the_second_to_answer() {
    let (failed, answers) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let held = Arc::clone(&failed);
    let failing = Upstream::start(move |exchange| {
        exchange.read_body();
        held.pass();
        exchange.send(reply::json("500 Oops", BUSY));
    });
    let (late, spare) = (gated(&answers), good());
    let gateway = hedged(&[&failing, &late, &spare], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    late.arrived(1);
    failed.open();
    let labels = [("provider", "p0"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    answers.open();
    assert!(client.answer().text().contains("late"));
    counted(&gateway, "p1", "won", 1.0);
    assert!(spare.requests().is_empty());
}

/// Fails, in one way or the other, once the gate opens.
fn failing_late(gate: &Arc<Gate>, fail: fn(&mut Exchange<'_>)) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        gate.pass();
        fail(exchange);
    })
}

fn refuse(exchange: &mut Exchange<'_>) {
    exchange.send(reply::json("500 Oops", BUSY));
}

fn leave(exchange: &mut Exchange<'_>) {
    exchange.close();
}

#[test]
fn when_both_fail_the_plan_goes_on() {
    let gate = Arc::new(Gate::default());
    let (first, second, fine) = (failing_late(&gate, refuse), failing(), good());
    let gateway = hedged(&[&first, &second, &fine], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    let labels = [("provider", "p1"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    gate.open();
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-trunkline-attempts"), Some("3"));
    assert_eq!(answer.header("x-trunkline-provider"), Some("p2"));
    gateway.access_lines(1);
    let lines = gateway.lines_at("WARN");
    let failed = lines.iter().filter(|line| line.contains("attempt failed"));
    assert_eq!(failed.count(), 2);
}

#[test]
fn what_one_of_two_may_have_processed_is_told_and_not_sent_again() {
    for (processed, status) in [(false, 502), (true, 200)] {
        for first_is_lost in [true, false] {
            let gate = Arc::new(Gate::default());
            let mut acts: [fn(&mut Exchange<'_>); 2] = [refuse, leave];
            if !first_is_lost {
                acts.swap(0, 1);
            }
            let [early, late] = acts;
            let first = failing_late(&gate, late);
            let second = Upstream::start(move |exchange| {
                exchange.read_body();
                early(exchange);
            });
            let fine = good();
            let lines = format!("retry = {{ processed = {processed} }}");
            let gateway = hedged(&[&first, &second, &fine], &lines).start();
            let mut client = gateway.client();
            client.send(&Request::chat("m").bytes());
            let result = if first_is_lost { "failed" } else { "lost" };
            let labels = [("provider", "p1"), ("result", result)];
            gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
            gate.open();
            let answer = client.answer();
            if processed {
                assert_eq!(answer.status, status, "{}", answer.text());
            } else {
                assert_response::error(&answer, status, "upstream_disconnected", None);
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                assert!(fine.requests().is_empty());
            }
        }
    }
}

#[test]
fn a_quantile_of_the_last_answers_says_when() {
    let first = Upstream::start(|exchange| {
        if exchange.index >= 5 {
            return be_silent(exchange);
        }
        exchange.read_body();
        exchange.send(reply::good_stream());
    });
    let fine = good();
    let rule = "hedge = { quantile = 90, floor = \"100ms\", samples = 5 }";
    let gateway = in_order(&[first.base_url(), fine.base_url()], rule).start();
    for _ in 0..5 {
        let answer = gateway.ask(&Request::stream("m"));
        assert_eq!(answer.header("x-trunkline-provider"), Some("p0"));
    }
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(answer.header("x-trunkline-provider"), Some("p1"));
    counted(&gateway, "p1", "won", 1.0);
    first.ended(1);
}
