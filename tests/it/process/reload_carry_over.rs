//! State that survives a reload: upstream connections, health of targets, counters
//! and responses in progress.

use std::sync::Arc;

use crate::routing::failover::{BUSY, gateway_over, healthy_upstream};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

fn add_alias(text: String) -> String {
    text + "\n[models.other]\nprovider = \"up\"\nmodel = \"other\"\n"
}

/// An upstream that streams one event, then the rest once the gate opens.
fn gated_stream(gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        gate.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    })
}

#[test]
fn an_idle_connection_stays_while_its_provider_is_unchanged() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.reload(add_alias);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(gateway.send(&Request::chat("other")).status, 200);
    assert_eq!(upstream.connections(), 1);
    // For connections, this is another provider.
    gateway.reload(|text| text.replace("[providers.up]\n", "[providers.up]\nhttp = \"http1\"\n"));
    upstream.wait_for_closed(1);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(upstream.connections(), 2);
    gateway.await_metric("trunkline_upstream_connections", &[], 1.0);
}

#[test]
fn a_stream_continues_at_its_upstream_while_new_requests_go_elsewhere() {
    let gate = Arc::new(Semaphore::default());
    let (old, new) = (gated_stream(&gate), healthy_upstream());
    let gateway = Setup::with_upstream(&old).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.read_exact(response::delta("one").len());
    gateway.reload(|text| text.replace(&old.base_url(), &new.base_url()));
    // The generation is released, but not what the stream needs of it.
    gateway.await_metric("trunkline_config_generations_held", &[], 1.0);
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.status, 200);
    assert_eq!((old.requests().len(), new.requests().len()), (1, 1));
    gate.release_all();
    let (rest, complete) = client.read_body();
    assert!(complete);
    assert_eq!(
        String::from_utf8(rest).unwrap(),
        response::finish() + response::DONE
    );
    // No request will use that connection again.
    old.wait_for_closed(1);
    gateway.wait_until_idle();
}

#[test]
fn a_generation_is_held_until_its_last_request_is_finished() {
    let gate = Arc::new(Semaphore::default());
    let waiting = {
        let gate = Arc::clone(&gate);
        Upstream::start(move |exchange| {
            exchange.read_body();
            gate.acquire();
            exchange.send(response::completion("late"));
        })
    };
    let gateway = Setup::with_upstream(&waiting).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    waiting.wait_for_requests(1);
    gateway.reload(add_alias);
    gateway.reload(|text| text + "\n[cors]\nallow_origins = []\n");
    // The generation in between had no request.
    gateway.await_metric("trunkline_config_generations_held", &[], 2.0);
    gate.release_all();
    assert_eq!(client.response().status, 200);
    gateway.await_metric("trunkline_config_generations_held", &[], 1.0);
}

#[test]
fn a_cooldown_continues_after_a_reload() {
    let busy = Upstream::with_response(response::with_body(
        "429 Too Many Requests",
        &["Content-Type: application/json", "Retry-After: 50"],
        BUSY,
    ));
    let fine = healthy_upstream();
    let gateway = gateway_over(&[&busy, &fine], "");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(busy.requests().len(), 1);
    // The numbers of targets and providers change too.
    gateway.reload(|text| {
        text + "\n[providers.a]\nbase_url = \"http://127.0.0.1:9/v1\"\n[models.a]\ntargets = [{ provider = \"a\", model = \"x\" }, { provider = \"p0\", model = \"y\" }]\n"
    });
    for _ in 0..3 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    assert_eq!(
        busy.requests().len(),
        1,
        "the reload has reset the cooldown"
    );
    // With another key it is another target.
    gateway.reload(|text| text.replace("key-0", "key-9"));
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(busy.requests().len(), 2);
}

#[test]
fn an_ejected_target_stays_ejected_and_leaves_the_gauge_when_removed() {
    let failing = Upstream::with_response(response::json("500 Internal Server Error", BUSY));
    let fine = healthy_upstream();
    let gateway = gateway_over(&[&failing, &fine], "");
    for _ in 0..8 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    let ejected = [("provider", "p0")];
    gateway.await_metric("trunkline_targets_ejected", &ejected, 1.0);
    let seen = failing.requests().len();
    gateway.reload(|text| text + "\n[cors]\nallow_origins = []\n");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
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
fn limits_change_and_held_permits_count() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .server("max_in_flight = 1")
        .start();
    let open_stream = || {
        let mut client = gateway.client();
        client.send(&Request::stream("m").bytes());
        let status = client.head().status;
        (client, status)
    };
    let first = open_stream();
    assert_eq!((first.1, open_stream().1), (200, 503));
    gateway.reload(|text| text.replace("max_in_flight = 1", "max_in_flight = 2"));
    let second = open_stream();
    assert_eq!((second.1, open_stream().1), (200, 503));
    gateway.reload(|text| text.replace("max_in_flight = 2", "max_in_flight = 1"));
    assert_eq!(open_stream().1, 503);
    gate.release_all();
    for (mut client, _) in [first, second] {
        assert!(client.read_body().1);
    }
    gateway.wait_until_idle();
    assert_eq!(open_stream().1, 200);
}

#[test]
fn permits_at_a_provider_are_counted_across_generations() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let lines = "pool = { max_in_flight = 1, acquire_timeout = \"0s\" }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let mut stream = gateway.client();
    stream.send(&Request::stream("m").bytes());
    assert_eq!(stream.head().status, 200);
    // Another key means another upstream; the permit is still held.
    gateway.reload(|text| text.replace("upstream-secret-5f3a", "upstream-secret-6"));
    assert_response::error(
        &gateway.send(&Request::stream("m")),
        503,
        "overloaded",
        None,
    );
    gateway.reload(|text| text.replace("max_in_flight = 1", "max_in_flight = 2"));
    gate.release_all();
    assert_eq!(gateway.send(&Request::stream("m")).status, 200);
    assert!(stream.read_body().1);
}

#[test]
fn the_status_keeps_its_counts() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    for _ in 0..3 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    gateway.wait_until_idle();
    gateway.reload(|text| {
        text.replace("\"m\"", "\"n\"") + "\n[models.m]\nprovider = \"up\"\nmodel = \"real-model\"\n"
    });
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(gateway.send(&Request::chat("n")).status, 200);
    gateway.wait_until_idle();
    let status = gateway.send(&Request::get("/trunkline/status")).json();
    assert_eq!(status["requests"]["total"], 5);
    assert_eq!(status["requests"]["in_flight"], 0);
    assert_eq!(status["recent"].as_array().unwrap().len(), 5);
}
