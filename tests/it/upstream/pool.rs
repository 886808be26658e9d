//! Connections to upstreams that are kept, and the races of keeping them
//! (FAULTS, U-22, U-29).

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Watched;

/// Answers, promising to keep the connection, and closes some all the same.
fn fickle() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::completion("hi"));
        if exchange.index % (1 + exchange.request().connection % 3) == 0 {
            exchange.close();
        }
    })
}

/// Which requests came upstream, each once.
#[track_caller]
fn numbers(upstream: &Upstream) -> Vec<String> {
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
fn u22_connections_closed_while_at_rest_cost_nobody_an_error() {
    const REQUESTS: usize = 2000;
    let upstream = fickle();
    let gateway = Setup::over(&upstream).start();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    for n in 0..REQUESTS {
        let at = n % clients.len();
        clients[at].send(
            &Request::chat("m")
                .header("X-Number", &n.to_string())
                .bytes(),
        );
        assert_eq!(clients[at].answer().status, 200, "request {n}");
        // The next request begins only after the close, if there is one.
        upstream.settled(n + 1);
    }
    assert_eq!(numbers(&upstream).len(), REQUESTS);
    gateway.settle();
}

#[test]
fn u22_connections_closed_while_a_request_is_on_its_way_never_double_it() {
    const REQUESTS: usize = 2000;
    let upstream = fickle();
    let gateway = Setup::over(&upstream).start();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    let mut lost = 0;
    for n in 0..REQUESTS {
        let at = n % clients.len();
        clients[at].send(
            &Request::chat("m")
                .header("X-Number", &n.to_string())
                .bytes(),
        );
        let answer = clients[at].answer();
        if answer.status != 200 {
            // It was written into a connection that was closing: it may have
            // run, so the caller is told, and nobody tries again unasked.
            assert_response::error(&answer, 502, "upstream_disconnected", None);
            lost += 1;
        }
    }
    assert!(lost < REQUESTS / 50, "{lost} of {REQUESTS} were lost");
    assert!(numbers(&upstream).len() >= REQUESTS - lost);
    gateway.settle();
}

#[test]
fn a_request_that_may_have_run_is_never_sent_again() {
    // The second request on a connection is read, and then the connection
    // dies without an answer: it may have run.
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        if exchange.request().header("x-number") == Some("0") {
            exchange.send(reply::completion("hi"));
        } else {
            exchange.close();
        }
    });
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    let mut client = gateway.client();
    let ask = |client: &mut Client, n: &str| {
        client.send(&Request::chat("m").header("X-Number", n).bytes());
        client.answer()
    };
    assert_eq!(ask(&mut client, "0").status, 200);
    let answer = ask(&mut client, "1");
    assert_response::error(&answer, 502, "upstream_disconnected", None);
    let again = upstream
        .requests()
        .iter()
        .filter(|seen| seen.header("x-number") == Some("1"))
        .count();
    assert_eq!(again, 1, "it was sent {again} times");
    assert_eq!(ask(&mut client, "0").status, 200);
}

#[test]
fn u29_a_connection_that_says_close_is_not_used_again() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::whole(
            "200 OK",
            &["Content-Type: application/json", "Connection: close"],
            "{}",
        ));
        assert!(exchange.gateway_left(), "the connection was kept");
    });
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    let mut client = gateway.client();
    for _ in 0..5 {
        client.send(&Request::chat("m").bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert_ne!(
            answer.header("connection"),
            Some("close"),
            "the upstream's close became ours"
        );
    }
    assert_eq!(upstream.connections(), 5);
    upstream.ended(5);
}

#[test]
fn connections_are_shared_by_callers_and_counted() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    for _ in 0..10 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    gateway.await_metric("trunkline_upstream_connections", &[], 1.0);
}

#[test]
fn a_connection_at_rest_for_too_long_is_closed() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .section("[providers.up.pool]\nidle_timeout = \"200ms\"")
        .start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    upstream.ended(1);
    gateway.await_metric("trunkline_upstream_connections", &[], 0.0);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
}

#[test]
fn no_more_connections_rest_than_allowed() {
    let arrived = Arc::new(Watched::new(0_usize));
    let counter = Arc::clone(&arrived);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        counter.with(|count| *count += 1);
        // All answer together, so that all connections come to rest together.
        counter.wait("all requests", |count| (*count >= 6).then_some(()));
        exchange.send(reply::completion("hi"));
    });
    let gateway = Setup::over(&upstream)
        .server("workers = 1")
        .section("[providers.up.pool]\nmax_idle = 2")
        .start();
    let mut clients: Vec<Client> = (0..6).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(upstream.connections(), 6);
    upstream.ended(4);
    gateway.await_metric("trunkline_upstream_connections", &[], 2.0);
}

#[test]
fn a_cut_stream_takes_its_connection_with_it() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"stream\":true") {
            exchange.send(reply::stream_head());
            exchange.send(reply::chunk(reply::delta("one")));
            exchange.gateway_left();
        } else {
            exchange.send(reply::completion("hi"));
        }
    });
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    drop(client);
    upstream.ended(1);
    let answer = gateway.ask(&Request::chat("m"));
    assert!(answer.text().contains("hi"));
    wait::until("one connection for each", || {
        (upstream.connections() == 2).then_some(())
    });
}
