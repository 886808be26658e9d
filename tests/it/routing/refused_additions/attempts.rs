//! The repetition is part of its attempt, and what was learned from it stays.

use super::{REFUSAL, asked, asks, assert_streams, strict};
use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::{Exchange, Upstream, response};

#[test]
fn a_refusal_counts_neither_as_an_attempt_nor_against_the_target() {
    let (first, spare) = (
        strict(response::json("400 Bad Request", REFUSAL)),
        healthy_upstream(),
    );
    let inject = "stream_usage = \"inject\"";
    let gateway = Setup::new()
        .provider("first", &first.base_url(), inject)
        .provider("spare", &spare.base_url(), inject)
        .section("[breaker]\nfailures = 1\n[retry]\nattempts = 1\nbudget = 0")
        .section(
            "[models.m]\ntargets = [{ provider = \"first\" }, { provider = \"spare\", priority = 1 }]",
        )
        .start();
    for _ in 0..2 {
        let response = gateway.send(&Request::stream("m"));
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("x-trunkline-attempts"), Some("1"));
        assert_eq!(response.header("x-trunkline-provider"), Some("first"));
    }
    assert_eq!(asked(&first), [true, false, false]);
    assert!(spare.requests().is_empty());
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("trunkline_ejections_total", &[]), Some(0.0));
    assert_eq!(metrics.sum("trunkline_retries_total", &[]), None);
}

#[test]
fn the_repetition_may_fail_over_and_needs_no_second_permit() {
    // Refuses the option, and is overloaded without it.
    let busy = Upstream::start(|exchange| {
        let refuses = asks(&exchange.read_body());
        exchange.send(if refuses {
            response::json("400 Bad Request", REFUSAL)
        } else {
            response::json("503 Service Unavailable", r#"{"error":{"message":"busy"}}"#)
        });
    });
    let spare = healthy_upstream();
    let lines =
        "stream_usage = \"inject\"\npool = { max_in_flight = 1, acquire_timeout = \"100ms\" }";
    let gateway = Setup::new()
        .provider("busy", &busy.base_url(), lines)
        .provider("spare", &spare.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"busy\" }, { provider = \"spare\", priority = 1 }]",
        )
        .start();
    assert_streams(&gateway, &Request::stream("m"));
    assert_eq!(asked(&busy), [true, false]);
    assert_eq!(spare.requests().len(), 1);
}

#[test]
fn a_stalled_error_is_not_waited_for_to_its_end() {
    let upstream = Upstream::start(|exchange: &mut Exchange<'_>| {
        let refuses = asks(&exchange.read_body());
        if !refuses {
            exchange.send(response::good_stream());
            return;
        }
        let headers = ["Content-Type: application/json", "Content-Length: 9999"];
        exchange.send(response::head("400 Bad Request", &headers));
        exchange.send(REFUSAL);
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    assert_streams(&gateway, &Request::stream("m"));
    assert_eq!(asked(&upstream), [true, false]);
}

#[test]
fn a_reload_keeps_what_was_learned() {
    let upstream = strict(response::json("400 Bad Request", REFUSAL));
    let gateway = Setup::injecting_usage(&upstream).start();
    assert_streams(&gateway, &Request::stream("m"));
    gateway.reload(|config| {
        config.replace("real-model", "real-model\"\ntimeouts = { idle = \"9s\" } #")
    });
    assert_streams(&gateway, &Request::stream("m"));
    assert_eq!(asked(&upstream), [true, false, false]);
}

#[test]
fn over_http2_too_the_request_is_repeated() {
    let upstream = Http2Upstream::scripted(None, |body| {
        if asks(body) {
            (400, "application/json", REFUSAL)
        } else {
            (200, "text/event-stream", response::DONE)
        }
    });
    let lines = "stream_usage = \"inject\"\nhttp = \"http2\"";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    for _ in 0..2 {
        let response = gateway.send(&Request::stream("m").header("x-client", "kept"));
        assert_eq!(
            (response.status, response.text()),
            (200, response::DONE.to_owned())
        );
    }
    let requests = upstream.requests();
    let asked: Vec<_> = requests.iter().map(|it| asks(&it.body)).collect();
    assert_eq!(asked, [true, false, false]);
    assert!(requests.iter().all(|it| it.headers["x-client"] == "kept"));
}
