//! Hedging where the silent target is reached over HTTP/2: its stream is reset,
//! and the connection, which is other requests' as well, goes on.

use h2::Reason;

use crate::routing::failover::good;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::upstream::http2_faults::{Act, Faulty, open};

const SENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null}]}\n\n";

#[test]
fn the_loser_is_reset_and_its_connection_is_used_again() {
    let gate = open();
    let silent = Faulty::start(&gate, 100, |index| match index {
        0 => Act::Cut(SENT),
        1 | 3 => Act::Silent,
        _ => Act::Answer,
    });
    let fine = good();
    let gateway = Setup::new()
        // Each worker has connections of its own.
        .server("workers = 1")
        .provider("p0", &silent.base_url(), "http = \"http2\"")
        .provider("p1", &fine.base_url(), "")
        .section(
            "[models.m]\nhedge = { after = \"1s\" }\ntargets = [\
             { provider = \"p0\", priority = 0 }, { provider = \"p1\", priority = 1 }]",
        )
        .start();
    // A stream that is open all the time.
    let mut neighbour = gateway.client();
    neighbour.send(&Request::stream("m").bytes());
    assert_eq!(
        neighbour.head().get("x-trunkline-provider"),
        Some(&b"p0"[..])
    );
    assert_eq!(neighbour.take(SENT.len()), SENT.as_bytes());
    for round in 1..=2 {
        let hedged = gateway.ask(&Request::chat("m"));
        assert_eq!(hedged.status, 200, "{}", hedged.text());
        assert_eq!(hedged.header("x-trunkline-provider"), Some("p1"));
        silent.resets.wait("the reset of the loser", |resets| {
            (resets.len() == round).then_some(())
        });
        let next = gateway.ask(&Request::chat("m"));
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
    // The upstream ends it, after all that was said.
    gate.open_for_good();
    let (rest, _) = neighbour.rest();
    assert!(
        String::from_utf8(rest)
            .unwrap()
            .contains("upstream_disconnected")
    );
    gateway.settle();
}
