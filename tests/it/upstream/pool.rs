//! Keep-alive connections to upstreams and their races (docs/faults.md#u-22,
//! #u-29).

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Watched;

/// Promises keep-alive, but closes some connections.
fn unreliable_upstream() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::completion("hi"));
        if exchange.index % (1 + exchange.request().connection % 3) == 0 {
            exchange.close();
        }
    })
}

/// The numbers of the requests received; each must have arrived once.
#[track_caller]
fn received_numbers(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.requests();
    let mut numbers: Vec<String> = requests
        .iter()
        .map(|seen| seen.header("x-number").unwrap().to_owned())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), requests.len(), "a request was sent twice");
    numbers
}

#[test]
fn u22_connections_closed_while_idle_cause_no_error() {
    const REQUESTS: usize = 2000;
    let upstream = unreliable_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    for n in 0..REQUESTS {
        let at = n % clients.len();
        clients[at].send(
            &Request::chat("m")
                .header("X-Number", &n.to_string())
                .bytes(),
        );
        assert_eq!(clients[at].response().status, 200, "request {n}");
        // The next request starts only after the close, if there is one.
        upstream.wait_for_finished(n + 1);
    }
    assert_eq!(received_numbers(&upstream).len(), REQUESTS);
    gateway.wait_until_idle();
}

#[test]
fn u22_connections_closed_while_a_request_is_sent_never_duplicate_it() {
    const REQUESTS: usize = 2000;
    let upstream = unreliable_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    let mut lost = 0;
    for n in 0..REQUESTS {
        let at = n % clients.len();
        clients[at].send(
            &Request::chat("m")
                .header("X-Number", &n.to_string())
                .bytes(),
        );
        let response = clients[at].response();
        if response.status != 200 {
            // It was written to a connection that was closing. It may have been
            // processed, so the client gets an error and it is not retried.
            assert_response::error(&response, 502, "upstream_disconnected", None);
            lost += 1;
        }
    }
    assert!(lost < REQUESTS / 50, "{lost} of {REQUESTS} were lost");
    assert!(received_numbers(&upstream).len() >= REQUESTS - lost);
    gateway.wait_until_idle();
}

#[test]
fn a_request_that_may_have_been_processed_is_never_sent_again() {
    // The second request on a connection is read, and then the connection is
    // closed without a response: it may have been processed.
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        if exchange.request().header("x-number") == Some("0") {
            exchange.send(response::completion("hi"));
        } else {
            exchange.close();
        }
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    let mut client = gateway.client();
    let send = |client: &mut Client, n: &str| {
        client.send(&Request::chat("m").header("X-Number", n).bytes());
        client.response()
    };
    assert_eq!(send(&mut client, "0").status, 200);
    let response = send(&mut client, "1");
    assert_response::error(&response, 502, "upstream_disconnected", None);
    let again = upstream
        .requests()
        .iter()
        .filter(|seen| seen.header("x-number") == Some("1"))
        .count();
    assert_eq!(again, 1, "it was sent {again} times");
    assert_eq!(send(&mut client, "0").status, 200);
}

#[test]
fn u29_a_connection_with_connection_close_is_not_reused() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::with_body(
            "200 OK",
            &["Content-Type: application/json", "Connection: close"],
            "{}",
        ));
        assert!(exchange.wait_for_disconnect(), "the connection was kept");
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    let mut client = gateway.client();
    for _ in 0..5 {
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        assert_eq!(response.status, 200);
        assert_ne!(
            response.header("connection"),
            Some("close"),
            "the upstream's close was forwarded"
        );
    }
    assert_eq!(upstream.connections(), 5);
    upstream.wait_for_closed(5);
}

#[test]
fn connections_are_shared_by_clients_and_counted() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    for _ in 0..10 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    gateway.await_metric("trunkline_upstream_connections", &[], 1.0);
}

#[test]
fn a_connection_idle_for_too_long_is_closed() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.up.pool]\nidle_timeout = \"200ms\"")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    upstream.wait_for_closed(1);
    gateway.await_metric("trunkline_upstream_connections", &[], 0.0);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn a_connection_past_its_maximum_age_is_replaced_between_two_requests() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .section("[providers.up.pool]\nmax_age = \"200ms\"")
        .start();
    let mut client = gateway.client();
    let mut ask = || {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
    };
    wait::until("a third connection under load", || {
        ask();
        (upstream.connections() >= 3).then_some(())
    });
    assert!(upstream.requests().len() > upstream.connections());
    upstream.wait_for_closed(2);
}

#[test]
fn idle_connections_are_bounded() {
    let arrived = Arc::new(Watched::new(0_usize));
    let counter = Arc::clone(&arrived);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        counter.with(|count| *count += 1);
        // All respond together, so that all connections become idle together.
        counter.wait("all requests", |count| (*count >= 6).then_some(()));
        exchange.send(response::completion("hi"));
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .section("[providers.up.pool]\nmax_idle = 2")
        .start();
    let mut clients: Vec<Client> = (0..6).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(upstream.connections(), 6);
    upstream.wait_for_closed(4);
    gateway.await_metric("trunkline_upstream_connections", &[], 2.0);
}

#[test]
fn an_aborted_stream_closes_its_connection() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"stream\":true") {
            exchange.send(response::stream_head());
            exchange.send(response::chunk(response::delta("one")));
            exchange.wait_for_disconnect();
        } else {
            exchange.send(response::completion("hi"));
        }
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    drop(client);
    upstream.wait_for_closed(1);
    let response = gateway.send(&Request::chat("m"));
    assert!(response.text().contains("hi"));
    wait::until("one connection for each", || {
        (upstream.connections() == 2).then_some(())
    });
}
