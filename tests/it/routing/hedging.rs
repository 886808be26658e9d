//! Hedging: a second attempt starts while the first target is silent, the first
//! good response is used, and the other request is cancelled at once.

use std::sync::Arc;

use crate::routing::failover::{BUSY, healthy_upstream, in_order, unary_and_stream};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

/// A model `m` with these targets in this order and a hedge delay of 100 ms.
fn hedged(upstreams: &[&Upstream], lines: &str) -> Setup {
    let bases: Vec<String> = upstreams.iter().map(|it| it.base_url()).collect();
    in_order(&bases, &format!("hedge = {{ after = \"100ms\" }}\n{lines}"))
}

/// Never responds, and waits for the gateway to disconnect.
fn never_respond(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    assert!(
        exchange.wait_for_disconnect(),
        "the request was not cancelled"
    );
}

/// Responds once the gate opens.
fn gated_upstream(gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        gate.acquire();
        exchange.send(response::completion("late"));
    })
}

fn failing() -> Upstream {
    Upstream::with_response(response::json("500 Oops", BUSY))
}

#[track_caller]
fn await_hedges(gateway: &Gateway, provider: &str, result: &str, count: f64) {
    let labels = [("model", "m"), ("provider", provider), ("result", result)];
    gateway.await_metric("trunkline_hedges_total", &labels, count);
}

#[test]
fn a_silent_target_is_superseded_and_its_request_cancelled() {
    let (silent, fine) = (Upstream::start(never_respond), healthy_upstream());
    let gateway = hedged(&[&silent, &fine], "").start();
    for (index, request) in unary_and_stream().into_iter().enumerate() {
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.complete);
        assert_eq!(response.header("x-trunkline-attempts"), Some("2"));
        assert_eq!(response.header("x-trunkline-provider"), Some("p1"));
        silent.wait_for_closed(index + 1);
        let line = gateway.access_line(&response.request_id());
        assert_eq!(text(&line, "provider"), "p1");
        assert_eq!(text(&line, "attempts"), "2");
        assert_eq!(text(&line, "outcome"), "ok");
    }
    assert_eq!((silent.requests().len(), fine.requests().len()), (2, 2));
    await_hedges(&gateway, "p1", "won", 2.0);
    let metrics = gateway.metrics();
    for (provider, result) in [("p0", "cancelled"), ("p1", "responded")] {
        let labels = [("provider", provider), ("result", result)];
        let count = metrics.sum("trunkline_attempts_total", &labels);
        assert_eq!(count, Some(2.0), "{provider}");
    }
    assert_eq!(metrics.sum("trunkline_retries_total", &[]), None);
    gateway.wait_until_idle();
    assert!(gateway.finish().contains("attempt cancelled"));
}

#[test]
fn a_stream_is_silent_until_its_first_event() {
    for prefix in ["", ": wait\n\n", "data: {\"half\":"] {
        let silent = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send(response::stream_head());
            if !prefix.is_empty() {
                exchange.send(response::chunk(prefix));
            }
            assert!(exchange.wait_for_disconnect());
        });
        let fine = healthy_upstream();
        let gateway = hedged(&[&silent, &fine], "").start();
        let response = gateway.send(&Request::stream("m"));
        assert_eq!(response.status, 200);
        assert!(response.text().ends_with(response::DONE) && !response.text().contains("wait"));
        silent.wait_for_closed(1);
        await_hedges(&gateway, "p1", "won", 1.0);
    }
}

#[test]
fn the_first_one_may_still_win() {
    let gate = Arc::new(Semaphore::default());
    let (late, silent) = (gated_upstream(&gate), Upstream::start(never_respond));
    let gateway = hedged(&[&late, &silent], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    silent.wait_for_requests(1);
    gate.release();
    let response = client.response();
    assert!(response.text().contains("late"));
    assert_eq!(response.header("x-trunkline-provider"), Some("p0"));
    assert_eq!(response.header("x-trunkline-attempts"), Some("2"));
    silent.wait_for_closed(1);
    await_hedges(&gateway, "p1", "superseded", 1.0);
    assert_eq!(text(&gateway.access_lines(1)[0], "provider"), "p0");
}

#[test]
fn a_target_that_responds_in_time_is_not_hedged() {
    let gate = Arc::new(Semaphore::default());
    let (late, spare) = (gated_upstream(&gate), healthy_upstream());
    let bases = [late.base_url(), spare.base_url()];
    let gateway = in_order(&bases, "hedge = { after = \"20s\" }").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    late.wait_for_requests(1);
    gate.release();
    assert_eq!(client.response().header("x-trunkline-attempts"), Some("1"));
    assert!(spare.requests().is_empty());
    assert_eq!(gateway.metrics().sum("trunkline_hedges_total", &[]), None);
}

#[test]
fn without_retry_budget_there_is_no_second_attempt() {
    const BURST: usize = 50;
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let slow = Upstream::start(move |exchange| {
        if exchange.index < BURST {
            return never_respond(exchange);
        }
        exchange.read_body();
        gate_of_upstream.acquire();
        exchange.send(response::completion("late"));
    });
    let fine = healthy_upstream();
    let bases = [slow.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "hedge = { after = \"1ms\" }")
        .section("[retry]\nbudget = 0")
        .start();
    for _ in 0..BURST {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    await_hedges(&gateway, "p1", "over_budget", 1.0);
    gate.release();
    assert!(client.response().text().contains("late"));
    assert_eq!(fine.requests().len(), BURST);
    await_hedges(&gateway, "p1", "won", 50.0);
}

#[test]
fn a_client_that_disconnects_ends_both() {
    let [one, two] = [(); 2].map(|()| Upstream::start(never_respond));
    for request in unary_and_stream() {
        let gateway = hedged(&[&one, &two], "").start();
        let before = one.requests().len();
        let mut client = gateway.client();
        client.send(&request.bytes());
        two.wait_for_requests(before + 1);
        drop(client);
        one.wait_for_closed(before + 1);
        two.wait_for_closed(before + 1);
        await_hedges(&gateway, "p1", "abandoned", 1.0);
        gateway.wait_until_idle();
        assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "cancelled");
    }
}

#[test]
fn when_the_second_fails_the_first_is_used() {
    let gate = Arc::new(Semaphore::default());
    let (late, failing, spare) = (gated_upstream(&gate), failing(), healthy_upstream());
    let gateway = hedged(&[&late, &failing, &spare], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    let labels = [("provider", "p1"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    gate.release();
    let response = client.response();
    assert!(response.text().contains("late"));
    assert_eq!(response.header("x-trunkline-attempts"), Some("2"));
    await_hedges(&gateway, "p1", "failed", 1.0);
    assert!(spare.requests().is_empty());
}

#[test]
fn when_the_first_fails_the_second_is_used() {
    let (failed, responses) = (
        Arc::new(Semaphore::default()),
        Arc::new(Semaphore::default()),
    );
    let gate_of_upstream = Arc::clone(&failed);
    let failing = Upstream::start(move |exchange| {
        exchange.read_body();
        gate_of_upstream.acquire();
        exchange.send(response::json("500 Oops", BUSY));
    });
    let (late, spare) = (gated_upstream(&responses), healthy_upstream());
    let gateway = hedged(&[&failing, &late, &spare], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    late.wait_for_requests(1);
    failed.release();
    let labels = [("provider", "p0"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    responses.release();
    assert!(client.response().text().contains("late"));
    await_hedges(&gateway, "p1", "won", 1.0);
    assert!(spare.requests().is_empty());
}

/// Fails in the given way once the gate opens.
fn failing_late(gate: &Arc<Semaphore>, script: fn(&mut Exchange<'_>)) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        gate.acquire();
        script(exchange);
    })
}

fn respond_with_error(exchange: &mut Exchange<'_>) {
    exchange.send(response::json("500 Oops", BUSY));
}

fn disconnect(exchange: &mut Exchange<'_>) {
    exchange.close();
}

#[test]
fn when_both_fail_the_plan_continues() {
    let gate = Arc::new(Semaphore::default());
    let (first, second, fine) = (
        failing_late(&gate, respond_with_error),
        failing(),
        healthy_upstream(),
    );
    let gateway = hedged(&[&first, &second, &fine], "").start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    let labels = [("provider", "p1"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    gate.release();
    let response = client.response();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-trunkline-attempts"), Some("3"));
    assert_eq!(response.header("x-trunkline-provider"), Some("p2"));
    gateway.access_lines(1);
    let output = gateway.finish();
    assert_eq!(output.matches("attempt failed").count(), 2, "{output}");
}

#[test]
fn a_request_that_one_of_two_may_have_processed_is_not_retried() {
    for (processed, status) in [(false, 502), (true, 200)] {
        for first_is_processed in [true, false] {
            let gate = Arc::new(Semaphore::default());
            let mut scripts: [fn(&mut Exchange<'_>); 2] = [respond_with_error, disconnect];
            if !first_is_processed {
                scripts.swap(0, 1);
            }
            let [early, late] = scripts;
            let first = failing_late(&gate, late);
            let second = Upstream::start(move |exchange| {
                exchange.read_body();
                early(exchange);
            });
            let fine = healthy_upstream();
            let lines = format!("retry = {{ non_idempotent = {processed} }}");
            let gateway = hedged(&[&first, &second, &fine], &lines).start();
            let mut client = gateway.client();
            client.send(&Request::chat("m").bytes());
            let result = if first_is_processed {
                "failed"
            } else {
                "no_response"
            };
            let labels = [("provider", "p1"), ("result", result)];
            gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
            gate.release();
            let response = client.response();
            if processed {
                assert_eq!(response.status, status, "{}", response.text());
            } else {
                assert_response::error(&response, status, "upstream_disconnected", None);
                assert_eq!(response.header("x-should-retry"), Some("false"));
                assert!(fine.requests().is_empty());
            }
        }
    }
}

#[test]
fn the_delay_can_be_a_quantile_of_recent_latencies() {
    let first = Upstream::start(|exchange| {
        if exchange.index >= 5 {
            return never_respond(exchange);
        }
        exchange.read_body();
        exchange.send(response::good_stream());
    });
    let fine = healthy_upstream();
    let rule = "hedge = { quantile = 90, floor = \"100ms\", samples = 5 }";
    let gateway = in_order(&[first.base_url(), fine.base_url()], rule).start();
    for _ in 0..5 {
        let response = gateway.send(&Request::stream("m"));
        assert_eq!(response.header("x-trunkline-provider"), Some("p0"));
    }
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.header("x-trunkline-provider"), Some("p1"));
    await_hedges(&gateway, "p1", "won", 1.0);
    first.wait_for_closed(1);
}
