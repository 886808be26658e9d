//! Clients that are authenticated by certificate.

use std::sync::Arc;

use rustls::ClientConfig;
use sha2::{Digest, Sha256};

use crate::downstream::tls::with_tls;
use crate::routing::failover::healthy_upstream;
use crate::support::assert_response;
use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;
use crate::support::upstream::tls::{CertificateAuthority, Flaw};

const ERRORS: &str = "trunkline_connection_errors_total";
const FAILED: [(&str, &str); 1] = [("kind", "tls_handshake")];

/// A gateway that requests certificates of `authority`.
fn with_client_auth(upstream: &Upstream, authority: &CertificateAuthority, auth: &str) -> Setup {
    let setup = Setup::with_upstream(upstream);
    setup.file("ca.pem", authority.pem().as_bytes());
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let lines = format!("client_ca_file = \"ca.pem\"\nclient_auth = \"{auth}\"");
    with_tls(setup, &issued, &lines)
}

fn certificate(name: &str, lines: &str) -> String {
    format!("[access.certificates.{name}]\n{lines}\n")
}

#[track_caller]
fn send(gateway: &Gateway, config: &Arc<ClientConfig>, request: &Request) -> Response {
    let mut client = Client::connect_tls(gateway.listen, config);
    client.send(&request.bytes());
    client.response()
}

/// Asserts a rejection in the handshake or at the first read: with TLS 1.3 a
/// client may send before its certificate has been verified.
#[track_caller]
fn assert_rejected(gateway: &Gateway, config: &Arc<ClientConfig>) {
    let mut client = Client::connect_tls(gateway.listen, config);
    if client.try_send(&Request::chat("m").bytes()).is_ok() {
        assert!(client.try_head().is_none());
    }
}

#[test]
fn a_listed_certificate_grants_what_its_entry_allows() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let batch = authority.issue("spiffe://example.com/batch", Flaw::None);
    let chat = authority.issue("Chat.example.com", Flaw::None);
    let pinned = authority.issue("pinned.example.com", Flaw::None);
    let hash: String = Sha256::digest(pinned.der())
        .iter()
        .map(|byte| format!("{byte:02X}:"))
        .collect();
    let gateway = with_client_auth(&upstream, &authority, "required")
        .model("other", "up", "real-other")
        .section(&certificate(
            "batch",
            "san = \"spiffe://example.com/batch\"\nmodels = [\"m\"]",
        ))
        .section(&certificate("chat", "san = \"chat.example.com\""))
        .section(&certificate(
            "pinned",
            &format!("sha256 = \"{}\"", hash.trim_end_matches(':')),
        ))
        .start();
    for (name, issued) in [("batch", &batch), ("chat", &chat), ("pinned", &pinned)] {
        let config = authority.client(&[], Some(issued));
        // SDKs always send some key.
        for request in [Request::chat("m"), Request::chat("m").key("unused")] {
            let response = send(&gateway, &config, &request);
            assert_eq!(response.status, 200, "{name}: {}", response.text());
            let line = gateway.access_line(&response.request_id());
            assert_eq!(line["key"], name);
        }
    }
    let config = authority.client(&[], Some(&batch));
    let response = send(&gateway, &config, &Request::chat("other"));
    assert_response::error(&response, 404, "model_not_found", Some("model"));
    let models = send(&gateway, &config, &Request::get("/v1/models")).json();
    assert_eq!(models["data"].as_array().unwrap().len(), 1);
    assert!(!models.to_string().contains("other"));
}

#[test]
fn a_cross_origin_page_gains_nothing_from_the_browsers_certificate() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let chat = authority.issue("chat.example.com", Flaw::None);
    let gateway = with_client_auth(&upstream, &authority, "optional")
        .section("[cors]\nallow_origins = [\"https://ours.example\"]")
        .section(&certificate("chat", "san = \"chat.example.com\""))
        .start();
    let config = authority.client(&[], Some(&chat));
    let from = |origin: &str| {
        let request = Request::chat("m").header("Origin", origin);
        send(&gateway, &config, &request)
    };
    assert_response::error(&from("https://evil.example"), 403, "forbidden_origin", None);
    assert!(upstream.requests().is_empty());
    assert_eq!(from("https://ours.example").status, 200);
    assert_eq!(from("https://127.0.0.1").status, 200);
}

#[test]
fn a_client_without_a_listed_certificate_needs_a_key() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let unlisted = authority.issue("unlisted.example.com", Flaw::None);
    let old = authority.issue("old.example.com", Flaw::None);
    let gateway = with_client_auth(&upstream, &authority, "optional")
        .key("team", "sk-team", "")
        .section(&certificate(
            "old",
            "san = \"old.example.com\"\nexpires = \"2020-01-01\"",
        ))
        .start();
    for certificate in [None, Some(&unlisted), Some(&old)] {
        let config = authority.client(&[], certificate);
        let response = send(&gateway, &config, &Request::chat("m"));
        assert_response::error(&response, 401, "invalid_api_key", None);
        let response = send(&gateway, &config, &Request::chat("m").key("sk-wrong"));
        assert_response::error(&response, 401, "invalid_api_key", None);
        let response = send(&gateway, &config, &Request::get("/v1/models"));
        assert_response::error(&response, 401, "invalid_api_key", None);
        let response = send(&gateway, &config, &Request::chat("m").key("sk-team"));
        assert_eq!(response.status, 200);
        let line = gateway.access_line(&response.request_id());
        assert_eq!(line["key"], "team");
    }
}

#[test]
fn an_invalid_certificate_ends_the_handshake() {
    let (authority, foreign, upstream) = (
        CertificateAuthority::new(),
        CertificateAuthority::new(),
        healthy_upstream(),
    );
    let name = "chat.example.com";
    let expired = authority.issue(name, Flaw::Expired);
    let forged = foreign.issue(name, Flaw::None);
    let own = authority.issue(name, Flaw::SelfSigned);
    for auth in ["required", "optional"] {
        let gateway = with_client_auth(&upstream, &authority, auth)
            .section(&certificate("chat", "san = \"chat.example.com\""))
            .start();
        for certificate in [&expired, &forged, &own] {
            assert_rejected(&gateway, &authority.client(&[], Some(certificate)));
        }
        gateway.await_metric(ERRORS, &FAILED, 3.0);
        if auth == "required" {
            assert_rejected(&gateway, &authority.client(&[], None));
            gateway.await_metric(ERRORS, &FAILED, 4.0);
        }
        let valid = authority.issue(name, Flaw::None);
        let config = authority.client(&[], Some(&valid));
        assert_eq!(send(&gateway, &config, &Request::chat("m")).status, 200);
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_required_certificate_suffices_on_a_listener_without_a_list() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = with_client_auth(&upstream, &authority, "required")
        .server("allowed_hosts = [\"127.0.0.1\"]")
        .start();
    let issued = authority.issue("anyone.example.com", Flaw::None);
    let config = authority.client(&[], Some(&issued));
    assert_eq!(send(&gateway, &config, &Request::chat("m")).status, 200);
    assert_rejected(&gateway, &authority.client(&[], None));
}

#[test]
fn a_changed_list_applies_to_open_connections_too() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let chat = authority.issue("chat.example.com", Flaw::None);
    let gateway = with_client_auth(&upstream, &authority, "required")
        .key("team", "sk-team", "")
        .section(&certificate("chat", "san = \"chat.example.com\""))
        .start();
    let config = authority.client(&[], Some(&chat));
    let mut client = Client::connect_tls(gateway.listen, &config);
    let mut status = || {
        client.send(&Request::chat("m").bytes());
        client.response().status
    };
    assert_eq!(status(), 200);
    gateway.reload(|text| text.replace("san = \"chat.example.com\"", "san = \"talk.example.com\""));
    assert_eq!(status(), 401);
    gateway.reload(|text| text.replace("san = \"talk.example.com\"", "san = \"chat.example.com\""));
    assert_eq!(status(), 200);
    // A resumed session still has its certificate.
    assert_eq!(send(&gateway, &config, &Request::chat("m")).status, 200);
    assert_eq!(send(&gateway, &config, &Request::chat("m")).status, 200);
}
