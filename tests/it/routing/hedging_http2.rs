//! Hedging against an HTTP/2 target: the superseded stream is reset, and the shared
//! connection stays open.

use h2::Reason;

use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::upstream::http2_faults::{FaultyHttp2Upstream, StreamAction, open_gate};

const SENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null}]}\n\n";

#[test]
fn the_superseded_stream_is_reset_and_its_connection_reused() {
    let gate = open_gate();
    let silent = FaultyHttp2Upstream::start(&gate, 100, |index| match index {
        0 => StreamAction::ResetAfter(SENT),
        1 | 3 => StreamAction::Silent,
        _ => StreamAction::Respond,
    });
    let fine = healthy_upstream();
    let gateway = Setup::new()
        // Each worker has its own connections.
        .server("workers = 1")
        .provider("p0", &silent.base_url(), "http = \"http2\"")
        .provider("p1", &fine.base_url(), "")
        .section(
            "[models.m]\nhedge = { after = \"1s\" }\ntargets = [\
             { provider = \"p0\", priority = 0 }, { provider = \"p1\", priority = 1 }]",
        )
        .start();
    // A stream that stays open throughout.
    let mut neighbour = gateway.client();
    neighbour.send(&Request::stream("m").bytes());
    assert_eq!(
        neighbour.head().get("x-trunkline-provider"),
        Some(&b"p0"[..])
    );
    assert_eq!(neighbour.read_exact(SENT.len()), SENT.as_bytes());
    for round in 1..=2 {
        let hedged = gateway.send(&Request::chat("m"));
        assert_eq!(hedged.status, 200, "{}", hedged.text());
        assert_eq!(hedged.header("x-trunkline-provider"), Some("p1"));
        silent
            .resets
            .wait("the reset of the superseded stream", |resets| {
                (resets.len() == round).then_some(())
            });
        let next = gateway.send(&Request::chat("m"));
        assert_eq!(next.header("x-trunkline-provider"), Some("p0"));
        assert_eq!(next.text(), "{\"a\":1}");
    }
    let cancelled = [Reason::CANCEL; 2];
    silent
        .resets
        .with(|resets| assert_eq!(resets[..], cancelled));
    assert_eq!((silent.streams(), silent.connections()), (5, 1));
    let labels = [("provider", "p1"), ("result", "won")];
    gateway.await_metric("trunkline_hedges_total", &labels, 2.0);
    // The upstream ends it after the last event.
    gate.release_all();
    let (rest, _) = neighbour.read_body();
    assert!(
        String::from_utf8(rest)
            .unwrap()
            .contains("upstream_disconnected")
    );
    gateway.wait_until_idle();
}
