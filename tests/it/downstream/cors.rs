//! Browsers: exact origins, preflights, and pages that have no business here.

use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};

const FRIEND: &str = "https://chat.example.com";

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .section(&format!("[cors]\nallow_origins = [\"{FRIEND}\"]"))
        .start();
    (upstream, gateway)
}

fn preflight(gateway: &Gateway, origin: &str) -> Answer {
    gateway.ask(
        &Request::new("OPTIONS", "/v1/chat/completions")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header(
                "Access-Control-Request-Headers",
                "authorization,content-type,x-stainless-lang",
            ),
    )
}

#[track_caller]
fn allowed(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(FRIEND));
    let vary = answer
        .header("vary")
        .unwrap_or_default()
        .to_ascii_lowercase();
    assert!(vary.contains("origin"), "vary: {vary}");
}

#[track_caller]
fn not_allowed(answer: &Answer) {
    for (name, _) in &answer.head.headers {
        assert!(
            !name.starts_with("access-control-allow"),
            "{name} to a stranger"
        );
    }
}

#[test]
fn a_preflight_of_a_friend_is_granted() {
    let (upstream, gateway) = start();
    let answer = preflight(&gateway, FRIEND);
    assert!(matches!(answer.status, 200 | 204), "{}", answer.status);
    allowed(&answer);
    let methods = answer.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("POST"), "{methods}");
    let headers = answer
        .header("access-control-allow-headers")
        .unwrap()
        .to_ascii_lowercase();
    for name in ["authorization", "content-type", "x-stainless-lang"] {
        assert!(headers.contains(name), "{name} is not in {headers}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn answers_and_errors_to_a_friend_can_be_read() {
    let (_upstream, gateway) = start();
    let good = gateway.ask(&Request::chat("m").header("Origin", FRIEND));
    assert_eq!(good.status, 200);
    allowed(&good);
    // Without credentials, `*` stands for every name (Fetch, section 3.3.3).
    let exposed = good
        .header("access-control-expose-headers")
        .unwrap_or_default();
    assert!(
        exposed == "*" || exposed.to_ascii_lowercase().contains("x-request-id"),
        "{exposed}"
    );
    let bad = gateway.ask(&Request::chat("nobody").header("Origin", FRIEND));
    assert_eq!(bad.status, 404);
    allowed(&bad);
    allowed(&gateway.ask(&Request::get("/v1/models").header("Origin", FRIEND)));
}

#[test]
fn r13_strangers_are_granted_nothing() {
    let (upstream, gateway) = start();
    for origin in [
        "https://evil.example",
        "null",
        "https://chat.example.com.evil.example",
        "http://chat.example.com",
        "https://chat.example.com:8443",
        "https://CHAT.example.com.",
        "*",
    ] {
        not_allowed(&preflight(&gateway, origin));
        not_allowed(&gateway.ask(&Request::get("/v1/models").header("Origin", origin)));
        not_allowed(&gateway.ask(&Request::chat("m").header("Origin", origin)));
    }
    drop(upstream);
}

#[test]
fn j14_a_strangers_page_cannot_post_in_a_simple_request() {
    let (upstream, gateway) = start();
    for kind in [
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
    ] {
        let request = Request::chat("m")
            .without("Content-Type")
            .header("Origin", "https://evil.example");
        let request = kind.into_iter().fold(request, |request, kind| {
            request.header("Content-Type", kind)
        });
        let answer = gateway.ask(&request);
        assert!(
            matches!(answer.status, 403 | 415),
            "{kind:?}: {}",
            answer.status
        );
    }
    assert!(
        upstream.requests().is_empty(),
        "a stranger's page spent our key"
    );
}

#[test]
fn a_page_without_a_type_cannot_post_either_while_access_is_open() {
    let (upstream, gateway) = start();
    // `fetch` with a Blob of no type sends no content-type, and no preflight.
    let request = Request::chat("m")
        .without("Content-Type")
        .header("Origin", "https://evil.example");
    let answer = gateway.ask(&request);
    assert!(matches!(answer.status, 403 | 415), "{}", answer.status);
    assert!(
        upstream.requests().is_empty(),
        "a stranger's page spent our key"
    );
}

#[test]
fn without_origins_configured_nothing_is_granted() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    not_allowed(&preflight(&gateway, FRIEND));
    not_allowed(&gateway.ask(&Request::get("/v1/models").header("Origin", FRIEND)));
}

#[test]
fn a_request_without_an_origin_gets_no_cors_headers() {
    let (_upstream, gateway) = start();
    not_allowed(&gateway.ask(&Request::chat("m")));
}

#[test]
fn the_originals_variables_name_origins_too() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .variable("FRONTEND_URL", "http://localhost:3000")
        .variable(
            "ADDITIONAL_CORS_ORIGINS",
            "https://one.example, https://two.example",
        )
        .start();
    for origin in [
        "http://localhost:3000",
        "https://one.example",
        "https://two.example",
    ] {
        let answer = preflight(&gateway, origin);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    not_allowed(&preflight(&gateway, "https://three.example"));
}

#[test]
fn an_upstreams_own_cors_headers_do_not_open_us() {
    let headers = [
        "Content-Type: application/json",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
    ];
    let upstream = Upstream::answering(reply::whole("200 OK", &headers, "{}"));
    let gateway = Setup::over(&upstream).start();
    not_allowed(&gateway.ask(&Request::chat("m").header("Origin", "https://evil.example")));
}
