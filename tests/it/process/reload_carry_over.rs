//! What a reload leaves alone: connections to upstreams, what is known of
//! targets, what is counted, and answers under way.

use std::sync::Arc;

use crate::routing::failover::{BUSY, good, over};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, reply};
use crate::support::wait::Gate;

fn add_alias(text: String) -> String {
    text + "\n[models.other]\nprovider = \"up\"\nmodel = \"other\"\n"
}

/// Streams one event, and the rest once the gate is open.
fn gated(gate: &Arc<Gate>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        gate.pass();
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    })
}

#[test]
fn a_connection_at_rest_stays_while_its_provider_does() {
    let upstream = good();
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    gateway.reload(add_alias);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(gateway.ask(&Request::chat("other")).status, 200);
    assert_eq!(upstream.connections(), 1);
    // Another provider, as far as connections go.
    gateway.reload(|text| text.replace("[providers.up]\n", "[providers.up]\nhttp = \"http1\"\n"));
    upstream.ended(1);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(upstream.connections(), 2);
    gateway.await_metric("trunkline_upstream_connections", &[], 1.0);
}

#[test]
fn a_stream_goes_on_where_it_began_while_new_requests_go_elsewhere() {
    let gate = Arc::new(Gate::default());
    let (old, new) = (gated(&gate), good());
    let gateway = Setup::over(&old).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.take(reply::delta("one").len());
    gateway.reload(|text| text.replace(&old.base_url(), &new.base_url()));
    // The generation is gone; what the stream needs of it is not.
    gateway.await_metric("trunkline_config_generations_held", &[], 1.0);
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(answer.status, 200);
    assert_eq!((old.requests().len(), new.requests().len()), (1, 1));
    gate.open_for_good();
    let (rest, complete) = client.rest();
    assert!(complete);
    assert_eq!(
        String::from_utf8(rest).unwrap(),
        reply::finish() + reply::DONE
    );
    // Nobody will need that connection again.
    old.ended(1);
    gateway.settle();
}

#[test]
fn a_generation_is_held_until_its_last_request_is_answered() {
    let gate = Arc::new(Gate::default());
    let waiting = {
        let gate = Arc::clone(&gate);
        Upstream::start(move |exchange| {
            exchange.read_body();
            gate.pass();
            exchange.send(reply::completion("late"));
        })
    };
    let gateway = Setup::over(&waiting).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    waiting.arrived(1);
    gateway.reload(add_alias);
    gateway.reload(|text| text + "\n[cors]\nallow_origins = []\n");
    // The one in between had no request.
    gateway.await_metric("trunkline_config_generations_held", &[], 2.0);
    gate.open_for_good();
    assert_eq!(client.answer().status, 200);
    gateway.await_metric("trunkline_config_generations_held", &[], 1.0);
}

#[test]
fn a_cooling_target_goes_on_cooling() {
    let busy = Upstream::answering(reply::whole(
        "429 Too Many Requests",
        &["Content-Type: application/json", "Retry-After: 50"],
        BUSY,
    ));
    let fine = good();
    let gateway = over(&[&busy, &fine], "");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(busy.requests().len(), 1);
    // The numbers of targets and providers change with it.
    gateway.reload(|text| {
        text + "\n[providers.a]\nbase_url = \"http://127.0.0.1:9/v1\"\n[models.a]\ntargets = [{ provider = \"a\", model = \"x\" }, { provider = \"p0\", model = \"y\" }]\n"
    });
    for _ in 0..3 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    assert_eq!(
        busy.requests().len(),
        1,
        "the reload has forgotten its rest"
    );
    // With another key it is another target.
    gateway.reload(|text| text.replace("key-0", "key-9"));
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(busy.requests().len(), 2);
}

#[test]
fn an_ejected_target_stays_out_and_leaves_the_gauge_when_it_is_removed() {
    let failing = Upstream::answering(reply::json("500 Internal Server Error", BUSY));
    let fine = good();
    let gateway = over(&[&failing, &fine], "");
    for _ in 0..8 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    let ejected = [("provider", "p0")];
    gateway.await_metric("trunkline_targets_ejected", &ejected, 1.0);
    let seen = failing.requests().len();
    gateway.reload(|text| text + "\n[cors]\nallow_origins = []\n");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(failing.requests().len(), seen);
    gateway.await_metric("trunkline_targets_ejected", &ejected, 1.0);
    gateway.reload(|text| {
        text.replace(
            "{ provider = \"p0\", model = \"model-0\", priority = 0 }, ",
            "",
        )
    });
    gateway.await_metric("trunkline_targets_ejected", &ejected, 0.0);
}

#[test]
fn limits_change_and_what_is_taken_counts() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let gateway = Setup::over(&upstream).server("max_in_flight = 1").start();
    let open = || {
        let mut client = gateway.client();
        client.send(&Request::stream("m").bytes());
        let status = client.head().status;
        (client, status)
    };
    let first = open();
    assert_eq!((first.1, open().1), (200, 503));
    gateway.reload(|text| text.replace("max_in_flight = 1", "max_in_flight = 2"));
    let second = open();
    assert_eq!((second.1, open().1), (200, 503));
    gateway.reload(|text| text.replace("max_in_flight = 2", "max_in_flight = 1"));
    assert_eq!(open().1, 503);
    gate.open_for_good();
    for (mut client, _) in [first, second] {
        assert!(client.rest().1);
    }
    gateway.settle();
    assert_eq!(open().1, 200);
}

#[test]
fn places_at_a_provider_are_counted_over_generations() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let lines = "pool = { max_in_flight = 1, wait = \"0s\" }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let mut held = gateway.client();
    held.send(&Request::stream("m").bytes());
    assert_eq!(held.head().status, 200);
    // Another key, so another upstream; the place is still taken.
    gateway.reload(|text| text.replace("upstream-secret-5f3a", "upstream-secret-6"));
    assert_response::error(&gateway.ask(&Request::stream("m")), 503, "overloaded", None);
    gateway.reload(|text| text.replace("max_in_flight = 1", "max_in_flight = 2"));
    gate.open_for_good();
    assert_eq!(gateway.ask(&Request::stream("m")).status, 200);
    assert!(held.rest().1);
}

#[test]
fn the_status_goes_on_counting() {
    let upstream = good();
    let gateway = Setup::over(&upstream).start();
    for _ in 0..3 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    gateway.settle();
    gateway.reload(|text| {
        text.replace("\"m\"", "\"n\"") + "\n[models.m]\nprovider = \"up\"\nmodel = \"real-model\"\n"
    });
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(gateway.ask(&Request::chat("n")).status, 200);
    gateway.settle();
    let status = gateway.ask(&Request::get("/trunkline/status")).json();
    assert_eq!(status["requests"]["total"], 5);
    assert_eq!(status["requests"]["in_flight"], 0);
    assert_eq!(status["recent"].as_array().unwrap().len(), 5);
}
