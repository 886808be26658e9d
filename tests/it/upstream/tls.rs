//! TLS to upstreams: no flaw is overlooked, none is told in detail (U-04).

use std::io::{Read, Write};

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Upstream, reply};

/// A gateway that trusts the authority for its provider.
fn trusting(authority: &Authority, base_url: &str, lines: &str) -> Gateway {
    let setup = Setup::new();
    let ca = setup.file("ca.pem", authority.pem().as_bytes());
    setup
        .provider(
            "up",
            base_url,
            &format!("ca_file = \"{}\"\n{lines}", ca.display()),
        )
        .model("m", "up", "real-model")
        .start()
}

#[track_caller]
fn refused(gateway: &Gateway) {
    let answer = gateway.ask(&Request::chat("m"));
    let message = assert_response::error(&answer, 502, "upstream_tls_failed", None);
    for word in [
        "127.0.0.1",
        "elsewhere.test",
        "CN=",
        "rustls",
        "UnknownIssuer",
    ] {
        assert!(!message.contains(word), "{message}");
    }
    gateway.settle();
}

fn answering(authority: &Authority, flaw: Flaw, protocols: &[&str]) -> Upstream {
    Upstream::start_tls(authority.server(flaw, protocols), |exchange| {
        exchange.read_body();
        exchange.send(reply::completion("hi"));
    })
}

#[test]
fn a_certificate_of_a_trusted_authority_is_taken() {
    let authority = Authority::new();
    for protocols in [&[][..], &["http/1.1"][..]] {
        let upstream = answering(&authority, Flaw::None, protocols);
        let gateway = trusting(&authority, &upstream.base_url(), "");
        for _ in 0..3 {
            assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
        }
        assert_eq!(upstream.requests().len(), 3);
    }
}

#[test]
fn u04_bad_certificates_are_refused_and_get_nothing() {
    let authority = Authority::new();
    for flaw in [Flaw::WrongName, Flaw::Expired, Flaw::SelfSigned] {
        let upstream = answering(&authority, flaw, &[]);
        let gateway = trusting(&authority, &upstream.base_url(), "");
        refused(&gateway);
        assert!(upstream.requests().is_empty(), "{flaw:?} got a request");
    }
}

#[test]
fn u04_an_authority_of_nobodys_choice_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = answering(&other, Flaw::None, &[]);
    refused(&trusting(&authority, &upstream.base_url(), ""));
    let plain = Setup::new()
        .provider("up", &upstream.base_url(), "")
        .model("m", "up", "x")
        .start();
    refused(&plain);
    assert!(upstream.requests().is_empty());
}

#[test]
fn u04_plain_http_behind_an_https_address_is_refused() {
    let authority = Authority::new();
    let upstream = Upstream::raw("https", |mut socket| {
        let mut hello = [0; 1024];
        let _ = socket.read(&mut hello);
        let _ = socket.write_all(&reply::whole(
            "400 Bad Request",
            &[],
            "plain HTTP was expected",
        ));
    });
    refused(&trusting(&authority, &upstream.base_url(), ""));
}

#[test]
fn u04_a_connection_dropped_inside_the_handshake() {
    let authority = Authority::new();
    let upstream = Upstream::raw("https", |mut socket| {
        let mut hello = [0; 16];
        let _ = socket.read(&mut hello);
    });
    let gateway = trusting(&authority, &upstream.base_url(), "");
    let answer = gateway.ask(&Request::chat("m"));
    assert_response::error(&answer, 502, "upstream_tls_failed", None);
}

#[test]
fn u04_a_handshake_that_stalls_counts_in_the_connect_limit() {
    let authority = Authority::new();
    let upstream = Upstream::raw("https", |mut socket| {
        let mut bytes = [0; 1024];
        while socket.read(&mut bytes).is_ok_and(|count| count > 0) {}
    });
    let limit = "[providers.up.timeouts]\nconnect = \"300ms\"";
    let gateway = trusting(&authority, &upstream.base_url(), limit);
    let answer = gateway.ask(&Request::chat("m"));
    assert_response::error(&answer, 504, "upstream_connect_timeout", None);
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn u04_the_cause_is_in_our_log() {
    let authority = Authority::new();
    let upstream = answering(&authority, Flaw::Expired, &[]);
    let gateway = trusting(&authority, &upstream.base_url(), "");
    refused(&gateway);
    crate::support::wait::until("the cause in the log", || {
        gateway
            .said()
            .to_lowercase()
            .contains("expired")
            .then_some(())
    });
}

#[test]
fn a_break_behind_tls_without_a_goodbye_is_a_break() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(authority.server(Flaw::None, &[]), |exchange| {
        exchange.read_body();
        exchange.send(reply::head("200 OK", &["Content-Type: application/json"]));
        exchange.send("{\"half\":");
        // No content-length, no close_notify: whoever cuts the wire could
        // make this look whole.
        exchange.close();
    });
    let gateway = trusting(&authority, &upstream.base_url(), "");
    let answer = gateway.ask(&Request::chat("m"));
    assert!(
        answer.status == 502 || !answer.complete,
        "looks whole: {}",
        answer.text()
    );
}
