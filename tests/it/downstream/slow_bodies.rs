//! Clients that send their bodies slowly keep nobody out.

use std::sync::Arc;
use std::time::Duration;

use crate::support::assert_response;
use crate::support::client::Client;
use crate::support::gateway::{Gateway, Setup};
use crate::support::request::Request;
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

const BOUNDARY: &str = "multipart/form-data; boundary=b";

fn form() -> Request {
    let field = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n";
    Request::new("POST", "/v1/audio/transcriptions")
        .header("Content-Type", BOUNDARY)
        .body(field)
}

/// Sends all but the last bytes of as many requests, and waits until they have arrived.
fn half_sent(gateway: &Gateway, request: &Request, count: usize) -> (Vec<Client>, Vec<u8>) {
    let bytes = request.bytes();
    let (most, rest) = bytes.split_at(bytes.len() - 5);
    let mut clients: Vec<Client> = (0..count).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(most);
    }
    gateway.await_metric("trunkline_requests_in_flight", &[], count as f64);
    (clients, rest.to_vec())
}

#[test]
fn a3_bodies_that_are_awaited_hold_no_permit() {
    for slow in [Request::chat("m"), form()] {
        let upstream = Upstream::with_response(response::completion("hi"));
        let gateway = Setup::with_upstream(&upstream)
            .server("max_in_flight = 4\nworkers = 2")
            .start();
        let (mut clients, rest) = half_sent(&gateway, &slow, 20);
        for _ in 0..3 {
            assert_eq!(gateway.send(&Request::chat("m")).status, 200);
        }
        for client in &mut clients {
            client.send(&rest);
            assert_eq!(client.response().status, 200, "{}", slow.target);
        }
        gateway.await_metric("trunkline_shed_total", &[], 0.0);
    }
}

#[test]
fn a3_a_complete_body_waits_for_no_permit() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    for slow in [Request::chat("m"), form()] {
        let gateway = Setup::with_upstream(&upstream)
            .server("max_in_flight = 1")
            .start();
        let (mut late, rest) = half_sent(&gateway, &slow, 1);
        let before = upstream.requests().len();
        let mut first = gateway.client();
        first.send(&Request::chat("m").bytes());
        upstream.wait_for_requests(before + 1);
        late[0].send(&rest);
        let refused = late[0].response();
        assert_response::error(&refused, 503, "overloaded", None);
        assert!(refused.header("retry-after").is_some());
        gate.release();
        assert_eq!(first.response().status, 200);
        assert_eq!(upstream.requests().len(), before + 1);
    }
}

/// No byte is late by itself; all of them would take 6 s.
fn send_slowly(gateway: &Gateway, request: &Request) {
    let bytes = request.bytes();
    let (most, rest) = bytes.split_at(bytes.len() - 60);
    let mut client = gateway.client();
    client.send(most);
    let sent = rest.iter().take_while(|byte| {
        std::thread::sleep(Duration::from_millis(100));
        client.try_send(&[**byte]).is_ok()
    });
    assert!(sent.count() < rest.len(), "{}", request.target);
    assert_response::error(&client.response(), 408, "request_timeout", None);
    client.assert_closed();
}

#[test]
fn a3_a_body_below_the_least_rate_is_ended() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("body_idle_timeout = \"800ms\"\nbody_min_rate = \"100KiB\"")
        .start();
    let file = Request::new("POST", "/v1/files")
        .header("Content-Type", "application/octet-stream")
        .body(vec![b'x'; 1000]);
    let requests = [Request::chat("m"), form(), file];
    std::thread::scope(|scope| {
        for request in &requests {
            scope.spawn(|| send_slowly(&gateway, request));
        }
    });
    assert!(upstream.requests().iter().all(|it| !it.complete));
    gateway.wait_until_idle();
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
}
