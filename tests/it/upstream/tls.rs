//! TLS to upstreams: every defect is rejected, and errors show no details
//! (docs/faults.md#u-04).

use std::io::{Read, Write};

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

/// A gateway whose provider has this authority as `ca_file`.
fn gateway_trusting(authority: &CertificateAuthority, base_url: &str, lines: &str) -> Gateway {
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
fn assert_rejected(gateway: &Gateway) {
    let response = gateway.send(&Request::chat("m"));
    let message = assert_response::error(&response, 502, "upstream_tls_failed", None);
    for detail in [
        "127.0.0.1",
        "elsewhere.test",
        "CN=",
        "rustls",
        "UnknownIssuer",
    ] {
        assert!(!message.contains(detail), "{message}");
    }
    gateway.wait_until_idle();
}

fn tls_upstream(authority: &CertificateAuthority, flaw: Flaw, protocols: &[&str]) -> Upstream {
    Upstream::start_tls(authority.server(flaw, protocols), |exchange| {
        exchange.read_body();
        exchange.send(response::completion("hi"));
    })
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted() {
    let authority = CertificateAuthority::new();
    for protocols in [&[][..], &["http/1.1"][..]] {
        let upstream = tls_upstream(&authority, Flaw::None, protocols);
        let gateway = gateway_trusting(&authority, &upstream.base_url(), "");
        for _ in 0..3 {
            assert_eq!(gateway.send(&Request::chat("m")).status, 200);
        }
        assert_eq!(upstream.requests().len(), 3);
    }
}

#[test]
fn u04_invalid_certificates_are_rejected_and_no_request_is_sent() {
    let authority = CertificateAuthority::new();
    for flaw in [Flaw::WrongName, Flaw::Expired, Flaw::SelfSigned] {
        let upstream = tls_upstream(&authority, flaw, &[]);
        let gateway = gateway_trusting(&authority, &upstream.base_url(), "");
        assert_rejected(&gateway);
        assert!(upstream.requests().is_empty(), "{flaw:?} got a request");
    }
}

#[test]
fn u04_an_authority_that_is_not_configured_is_rejected() {
    let (authority, other) = (CertificateAuthority::new(), CertificateAuthority::new());
    let upstream = tls_upstream(&other, Flaw::None, &[]);
    assert_rejected(&gateway_trusting(&authority, &upstream.base_url(), ""));
    let plain = Setup::new()
        .provider("up", &upstream.base_url(), "")
        .model("m", "up", "x")
        .start();
    assert_rejected(&plain);
    assert!(upstream.requests().is_empty());
}

#[test]
fn u04_plain_http_at_an_https_address_is_rejected() {
    let authority = CertificateAuthority::new();
    let upstream = Upstream::raw("https", |mut socket| {
        let mut hello = [0; 1024];
        let _ = socket.read(&mut hello);
        let _ = socket.write_all(&response::with_body(
            "400 Bad Request",
            &[],
            "plain HTTP was expected",
        ));
    });
    assert_rejected(&gateway_trusting(&authority, &upstream.base_url(), ""));
}

#[test]
fn u04_a_connection_dropped_within_the_handshake_is_a_tls_error() {
    let authority = CertificateAuthority::new();
    let upstream = Upstream::raw("https", |mut socket| {
        let mut hello = [0; 16];
        let _ = socket.read(&mut hello);
    });
    let gateway = gateway_trusting(&authority, &upstream.base_url(), "");
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 502, "upstream_tls_failed", None);
}

#[test]
fn u04_a_stalled_handshake_counts_towards_the_connect_timeout() {
    let authority = CertificateAuthority::new();
    let upstream = Upstream::raw("https", |mut socket| {
        let mut bytes = [0; 1024];
        while socket.read(&mut bytes).is_ok_and(|count| count > 0) {}
    });
    let limit = "[providers.up.timeouts]\nconnect = \"300ms\"";
    let gateway = gateway_trusting(&authority, &upstream.base_url(), limit);
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 504, "upstream_connect_timeout", None);
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
}

#[test]
fn u04_the_cause_is_in_the_log() {
    let authority = CertificateAuthority::new();
    let upstream = tls_upstream(&authority, Flaw::Expired, &[]);
    let gateway = gateway_trusting(&authority, &upstream.base_url(), "");
    assert_rejected(&gateway);
    wait::until("the cause in the log", || {
        gateway
            .output()
            .to_lowercase()
            .contains("expired")
            .then_some(())
    });
}

#[test]
fn a_tls_connection_without_close_notify_is_truncated() {
    let authority = CertificateAuthority::new();
    let upstream = Upstream::start_tls(authority.server(Flaw::None, &[]), |exchange| {
        exchange.read_body();
        exchange.send(response::head(
            "200 OK",
            &["Content-Type: application/json"],
        ));
        exchange.send("{\"half\":");
        // No content-length and no close_notify: an attacker who cuts the
        // connection could make this look complete.
        exchange.close();
    });
    let gateway = gateway_trusting(&authority, &upstream.base_url(), "");
    let response = gateway.send(&Request::chat("m"));
    assert!(
        response.status == 502 || !response.complete,
        "looks complete: {}",
        response.text()
    );
}

/// A gateway without `ca_file`.
fn plain_gateway(setup: Setup, base_url: &str) -> Gateway {
    setup
        .provider("up", base_url, "")
        .model("m", "up", "x")
        .start()
}

#[track_caller]
fn wait_for_log(gateway: &Gateway, parts: &[&str]) {
    let has_all = |line: &str| parts.iter().all(|part| line.contains(part));
    wait::until(&format!("a log line with {parts:?}"), || {
        gateway.output().lines().any(has_all).then_some(())
    });
}

#[test]
fn wo05_the_log_names_an_unknown_issuer_and_the_key_that_trusts_it() {
    let authority = CertificateAuthority::new();
    let upstream = tls_upstream(&authority, Flaw::None, &[]);
    let gateway = plain_gateway(Setup::new(), &upstream.base_url());
    assert_rejected(&gateway);
    wait_for_log(&gateway, &["unknown issuer", "ca_file", "\"up\""]);
    let output = gateway.finish();
    let named = output.lines().filter(|line| line.contains("ca_file"));
    assert_eq!(named.count(), 1, "{output}");
}

#[test]
fn wo05_the_log_says_that_the_upstream_speaks_no_tls() {
    let upstream = Upstream::raw("https", |mut socket| {
        let mut hello = [0; 1024];
        let _ = socket.read(&mut hello);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let gateway = plain_gateway(Setup::new(), &upstream.base_url());
    assert_rejected(&gateway);
    wait_for_log(&gateway, &["no TLS", "http://", "base_url"]);
}

#[test]
fn wo05_an_authority_of_a_variable_is_trusted() {
    let authority = CertificateAuthority::new();
    let upstream = tls_upstream(&authority, Flaw::None, &[]);
    let setup = Setup::new();
    let file = setup.file("ca.pem", authority.pem().as_bytes());
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let setup = Setup::new();
        let path = match name {
            "SSL_CERT_FILE" => file.as_path(),
            _ => file.parent().unwrap(),
        };
        let setup = setup.env(name, path.to_str().unwrap());
        let gateway = plain_gateway(setup, &upstream.base_url());
        assert_eq!(gateway.send(&Request::chat("m")).status, 200, "{name}");
        assert!(!gateway.finish().contains("SSL_CERT"), "{name}");
    }
}

#[test]
fn wo05_a_variable_whose_authorities_cannot_be_read_is_warned_of_at_the_start_and_by_check() {
    for (name, value) in [
        ("SSL_CERT_FILE", "/no/such/file"),
        ("SSL_CERT_FILE", "/etc"),
        ("SSL_CERT_DIR", "/no/such/directory"),
    ] {
        let setup = || Setup::new().env(name, value);
        let (status, stdout, _) = run(&setup(), &["check"]);
        assert!(status.success());
        let warning = format!("warning: {name}: ");
        let line = stdout.lines().find(|line| line.starts_with(&warning));
        assert!(
            line.unwrap().contains("Mozilla's certificate authorities"),
            "{stdout}"
        );
        let gateway = setup().start();
        wait_for_log(&gateway, &["configuration warning", name, "Mozilla's"]);
    }
}

#[test]
fn wo05_an_exchanged_ca_file_counts_after_a_reload() {
    let (authority, other) = (CertificateAuthority::new(), CertificateAuthority::new());
    let upstream = tls_upstream(&authority, Flaw::None, &[]);
    let gateway = gateway_trusting(&other, &upstream.base_url(), "");
    assert_rejected(&gateway);
    let pem = format!("# new\r\n{}", authority.pem().replace('\n', "\r\n"));
    std::fs::write(gateway.directory().join("ca.pem"), pem).unwrap();
    gateway.signal("HUP");
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}
