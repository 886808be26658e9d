//! Connections without a complete request do not hold up the exit.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::downstream::tls::with_tls;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};

/// Far below the time of a request head, an idle connection and the drain.
const PROMPT: Duration = Duration::from_secs(5);
const TIMEOUTS: &str = "header_timeout = \"60s\"\nidle_timeout = \"60s\"\ndrain_timeout = \"60s\"";
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The head of a TLS record with a handshake message that never arrives.
const HALF_HANDSHAKE: &[u8] = &[22, 3, 1, 0, 200];

#[track_caller]
fn assert_prompt_exit(gateway: Gateway, sent: &[&[u8]]) {
    let mut clients = Vec::new();
    for bytes in sent {
        let mut client = gateway.client();
        client.send(bytes);
        clients.push(client);
    }
    let admin = Client::connect(gateway.admin);
    let open = sent.len() as f64;
    gateway.await_metric("trunkline_connections", &[], open);
    let start = Instant::now();
    let output = gateway.finish();
    let took = start.elapsed();
    assert!(took < PROMPT, "{took:?}");
    assert!(output.contains("\"end\":\"empty\""), "{output}");
    drop((clients, admin));
}

#[test]
fn silent_connections_and_half_heads_do_not_hold_up_the_exit() {
    let gateway = Setup::new().server(TIMEOUTS).start();
    let half_head = &Request::get("/health").bytes()[..20];
    assert_prompt_exit(
        gateway,
        &[
            b"",
            b"G",
            half_head,
            b"PRI",
            HTTP2_PREFACE,
            &HTTP2_PREFACE[..20],
        ],
    );
}

#[test]
fn half_a_tls_handshake_does_not_hold_up_the_exit() {
    let authority = CertificateAuthority::new();
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let gateway = with_tls(Setup::new().server(TIMEOUTS), &issued, "").start();
    assert_prompt_exit(gateway, &[b"", HALF_HANDSHAKE]);
}

#[test]
fn a_head_that_arrives_at_once_gets_a_response_during_a_drain() {
    let mut gateway = Setup::new().server(TIMEOUTS).start();
    let bytes = Request::get("/health").bytes();
    let mut client = gateway.client();
    client.send(&bytes[..20]);
    gateway.await_metric("trunkline_connections", &[], 1.0);
    gateway.signal("TERM");
    gateway.await_log("INFO", &["draining"], 1);
    client.send(&bytes[20..]);
    let response = client.response();
    assert!([200, 503].contains(&response.status), "{}", response.status);
    let mut rest = Vec::new();
    client.socket().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    assert!(gateway.wait_for_exit().success());
}
