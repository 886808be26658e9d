//! Callers who are known by their certificate.

use std::sync::Arc;

use rustls::ClientConfig;
use sha2::{Digest, Sha256};

use crate::downstream::tls::with_tls;
use crate::routing::failover::good;
use crate::support::assert_response;
use crate::support::client::{Answer, Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;
use crate::support::upstream::tls::{Authority, Flaw};

const ERRORS: &str = "trunkline_connection_errors_total";
const FAILED: [(&str, &str); 1] = [("kind", "tls_handshake")];

/// A gateway that asks for certificates of `authority`.
fn asking(upstream: &Upstream, authority: &Authority, auth: &str) -> Setup {
    let setup = Setup::over(upstream);
    setup.file("ca.pem", authority.pem().as_bytes());
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let lines = format!("client_ca_file = \"ca.pem\"\nclient_auth = \"{auth}\"");
    with_tls(setup, &issued, &lines)
}

fn certificate(name: &str, lines: &str) -> String {
    format!("[access.certificates.{name}]\n{lines}\n")
}

#[track_caller]
fn ask(gateway: &Gateway, config: &Arc<ClientConfig>, request: &Request) -> Answer {
    let mut client = Client::connect_tls(gateway.listen, config);
    client.send(&request.bytes());
    client.answer()
}

/// Refused in the handshake, or at the first answer: with TLS 1.3 a client
/// may send before its certificate has been judged.
#[track_caller]
fn is_shut_out(gateway: &Gateway, config: &Arc<ClientConfig>) {
    let mut client = Client::connect_tls(gateway.listen, config);
    if client.try_send(&Request::chat("m").bytes()).is_ok() {
        assert!(client.try_head().is_none());
    }
}

#[test]
fn a_listed_certificate_opens_what_its_entry_says() {
    let (authority, upstream) = (Authority::new(), good());
    let batch = authority.issue("spiffe://example.com/batch", Flaw::None);
    let chat = authority.issue("Chat.example.com", Flaw::None);
    let pinned = authority.issue("pinned.example.com", Flaw::None);
    let hash: String = Sha256::digest(pinned.der())
        .iter()
        .map(|byte| format!("{byte:02X}:"))
        .collect();
    let gateway = asking(&upstream, &authority, "required")
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
            let answer = ask(&gateway, &config, &request);
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let line = gateway.access_line(&answer.request_id());
            assert_eq!(line["key"], name);
        }
    }
    let config = authority.client(&[], Some(&batch));
    let answer = ask(&gateway, &config, &Request::chat("other"));
    assert_response::error(&answer, 404, "model_not_found", Some("model"));
    let models = ask(&gateway, &config, &Request::get("/v1/models")).json();
    assert_eq!(models["data"].as_array().unwrap().len(), 1);
    assert!(!models.to_string().contains("other"));
}

#[test]
fn a_page_of_another_origin_gets_nothing_by_the_browsers_certificate() {
    let (authority, upstream) = (Authority::new(), good());
    let chat = authority.issue("chat.example.com", Flaw::None);
    let gateway = asking(&upstream, &authority, "optional")
        .section("[cors]\nallow_origins = [\"https://ours.example\"]")
        .section(&certificate("chat", "san = \"chat.example.com\""))
        .start();
    let config = authority.client(&[], Some(&chat));
    let from = |origin: &str| {
        let request = Request::chat("m").header("Origin", origin);
        ask(&gateway, &config, &request)
    };
    assert_response::error(&from("https://evil.example"), 403, "forbidden_origin", None);
    assert!(upstream.requests().is_empty());
    assert_eq!(from("https://ours.example").status, 200);
    assert_eq!(from("https://127.0.0.1").status, 200);
}

#[test]
fn who_is_not_listed_needs_a_key() {
    let (authority, upstream) = (Authority::new(), good());
    let stranger = authority.issue("stranger.example.com", Flaw::None);
    let old = authority.issue("old.example.com", Flaw::None);
    let gateway = asking(&upstream, &authority, "optional")
        .key("team", "sk-team", "")
        .section(&certificate(
            "old",
            "san = \"old.example.com\"\nexpires = \"2020-01-01\"",
        ))
        .start();
    for shown in [None, Some(&stranger), Some(&old)] {
        let config = authority.client(&[], shown);
        let answer = ask(&gateway, &config, &Request::chat("m"));
        assert_response::error(&answer, 401, "invalid_api_key", None);
        let answer = ask(&gateway, &config, &Request::chat("m").key("sk-wrong"));
        assert_response::error(&answer, 401, "invalid_api_key", None);
        let answer = ask(&gateway, &config, &Request::get("/v1/models"));
        assert_response::error(&answer, 401, "invalid_api_key", None);
        let answer = ask(&gateway, &config, &Request::chat("m").key("sk-team"));
        assert_eq!(answer.status, 200);
        let line = gateway.access_line(&answer.request_id());
        assert_eq!(line["key"], "team");
    }
}

#[test]
fn a_bad_certificate_ends_the_handshake() {
    let (authority, foreign, upstream) = (Authority::new(), Authority::new(), good());
    let name = "chat.example.com";
    let expired = authority.issue(name, Flaw::Expired);
    let forged = foreign.issue(name, Flaw::None);
    let own = authority.issue(name, Flaw::SelfSigned);
    for auth in ["required", "optional"] {
        let gateway = asking(&upstream, &authority, auth)
            .section(&certificate("chat", "san = \"chat.example.com\""))
            .start();
        for shown in [&expired, &forged, &own] {
            is_shut_out(&gateway, &authority.client(&[], Some(shown)));
        }
        gateway.await_metric(ERRORS, &FAILED, 3.0);
        if auth == "required" {
            is_shut_out(&gateway, &authority.client(&[], None));
            gateway.await_metric(ERRORS, &FAILED, 4.0);
        }
        let fine = authority.issue(name, Flaw::None);
        let config = authority.client(&[], Some(&fine));
        assert_eq!(ask(&gateway, &config, &Request::chat("m")).status, 200);
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_required_certificate_alone_opens_a_listener_without_a_list() {
    let (authority, upstream) = (Authority::new(), good());
    let gateway = asking(&upstream, &authority, "required")
        .server("allowed_hosts = [\"127.0.0.1\"]")
        .start();
    let anyone = authority.issue("anyone.example.com", Flaw::None);
    let config = authority.client(&[], Some(&anyone));
    assert_eq!(ask(&gateway, &config, &Request::chat("m")).status, 200);
    is_shut_out(&gateway, &authority.client(&[], None));
}

#[test]
fn a_list_that_changes_holds_for_open_connections_too() {
    let (authority, upstream) = (Authority::new(), good());
    let chat = authority.issue("chat.example.com", Flaw::None);
    let gateway = asking(&upstream, &authority, "required")
        .key("team", "sk-team", "")
        .section(&certificate("chat", "san = \"chat.example.com\""))
        .start();
    let config = authority.client(&[], Some(&chat));
    let mut client = Client::connect_tls(gateway.listen, &config);
    let mut status = || {
        client.send(&Request::chat("m").bytes());
        client.answer().status
    };
    assert_eq!(status(), 200);
    gateway.reload(|text| text.replace("san = \"chat.example.com\"", "san = \"talk.example.com\""));
    assert_eq!(status(), 401);
    gateway.reload(|text| text.replace("san = \"talk.example.com\"", "san = \"chat.example.com\""));
    assert_eq!(status(), 200);
    // A session that is resumed still has its certificate.
    assert_eq!(ask(&gateway, &config, &Request::chat("m")).status, 200);
    assert_eq!(ask(&gateway, &config, &Request::chat("m")).status, 200);
}
