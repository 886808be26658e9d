//! Names that have addresses of two families, and servers that listen on one
//! (docs/faults.md#wo-02).

use std::io::{Read, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::thread;

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, refused_base_url, response};

fn gateway_to_localhost(port: u16, lines: &str) -> Gateway {
    Setup::new()
        .provider("up", &format!("http://localhost:{port}/v1"), lines)
        .model("m", "up", "x")
        .start()
}

#[test]
fn wo02_localhost_reaches_a_server_on_the_ipv4_address_alone() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let health = "health = { path = \"/models\", interval = \"1s\" }";
    let gateway = gateway_to_localhost(upstream.port(), health);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let passed = [("provider", "up"), ("result", "passed")];
    gateway.await_metric("trunkline_health_checks_total", &passed, 1.0);
}

#[test]
fn wo02_localhost_reaches_a_server_on_the_ipv6_address_alone() {
    let names_ipv6 = ("localhost", 0).to_socket_addrs().unwrap();
    let (true, Ok(listener)) = (
        names_ipv6.into_iter().any(|it| it.is_ipv6()),
        TcpListener::bind("[::1]:0"),
    ) else {
        // `upstream::pool` has a test that needs no such system.
        eprintln!("skipped: localhost has no IPv6 address here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = socket.read(&mut request);
        socket.write_all(&response::completion("hi")).unwrap();
    });
    let gateway = gateway_to_localhost(port, "");
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    server.join().unwrap();
}

#[test]
fn wo02_localhost_without_a_server_is_a_connect_error() {
    let base_url = refused_base_url();
    let port = base_url.trim_end_matches("/v1").rsplit(':').next().unwrap();
    let gateway = gateway_to_localhost(port.parse().unwrap(), "");
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 502, "upstream_connect_failed", None);
}
