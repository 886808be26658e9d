//! CORS: exact origins, preflights, and pages of other origins.

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const ALLOWED: &str = "https://chat.example.com";

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .section(&format!("[cors]\nallow_origins = [\"{ALLOWED}\"]"))
        .start();
    (upstream, gateway)
}

fn preflight(gateway: &Gateway, origin: &str) -> Response {
    gateway.send(
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
fn assert_allowed(response: &Response) {
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some(ALLOWED)
    );
    let headers = response.head.headers.iter();
    let vary = headers.filter(|(name, _)| name.eq_ignore_ascii_case("vary"));
    let vary: Vec<_> = vary.map(|(_, value)| value.to_ascii_lowercase()).collect();
    assert!(
        vary.iter()
            .any(|it| it.as_slice().windows(6).any(|it| it == b"origin")),
        "vary: {vary:?}"
    );
}

#[track_caller]
fn assert_not_allowed(response: &Response) {
    for (name, _) in &response.head.headers {
        assert!(
            !name.starts_with("access-control-allow"),
            "{name} to another origin"
        );
    }
}

#[test]
fn a_preflight_of_an_allowed_origin_is_granted() {
    let (upstream, gateway) = start();
    let response = preflight(&gateway, ALLOWED);
    assert!(matches!(response.status, 200 | 204), "{}", response.status);
    assert_allowed(&response);
    let methods = response.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("POST"), "{methods}");
    let headers = response
        .header("access-control-allow-headers")
        .unwrap()
        .to_ascii_lowercase();
    for name in ["authorization", "content-type", "x-stainless-lang"] {
        assert!(headers.contains(name), "{name} is not in {headers}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_allowed_origin_can_read_responses_and_errors() {
    let (_upstream, gateway) = start();
    let good = gateway.send(&Request::chat("m").header("Origin", ALLOWED));
    assert_eq!(good.status, 200);
    assert_allowed(&good);
    // Without credentials, `*` stands for every name (Fetch, section 3.3.3).
    let exposed = good
        .header("access-control-expose-headers")
        .unwrap_or_default();
    assert!(
        exposed == "*" || exposed.to_ascii_lowercase().contains("x-request-id"),
        "{exposed}"
    );
    let bad = gateway.send(&Request::chat("no-such-model").header("Origin", ALLOWED));
    assert_eq!(bad.status, 404);
    assert_allowed(&bad);
    assert_allowed(&gateway.send(&Request::get("/v1/models").header("Origin", ALLOWED)));
}

#[test]
fn r13_other_origins_are_granted_nothing() {
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
        assert_not_allowed(&preflight(&gateway, origin));
        assert_not_allowed(&gateway.send(&Request::get("/v1/models").header("Origin", origin)));
        assert_not_allowed(&gateway.send(&Request::chat("m").header("Origin", origin)));
    }
    drop(upstream);
}

#[test]
fn j14_a_cross_origin_page_cannot_post_in_a_simple_request() {
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
        let response = gateway.send(&request);
        assert!(
            matches!(response.status, 403 | 415),
            "{kind:?}: {}",
            response.status
        );
    }
    assert!(
        upstream.requests().is_empty(),
        "a cross-origin page used our key"
    );
}

#[test]
fn a_post_without_a_content_type_is_rejected_while_access_is_open() {
    let (upstream, gateway) = start();
    // `fetch` with a Blob of no type sends no content-type, and no preflight.
    let request = Request::chat("m")
        .without("Content-Type")
        .header("Origin", "https://evil.example");
    let response = gateway.send(&request);
    assert!(matches!(response.status, 403 | 415), "{}", response.status);
    assert!(
        upstream.requests().is_empty(),
        "a cross-origin page used our key"
    );
}

#[test]
fn without_origins_configured_nothing_is_granted() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    assert_not_allowed(&preflight(&gateway, ALLOWED));
    assert_not_allowed(&gateway.send(&Request::get("/v1/models").header("Origin", ALLOWED)));
}

#[test]
fn a_request_without_an_origin_gets_no_cors_headers() {
    let (_upstream, gateway) = start();
    assert_not_allowed(&gateway.send(&Request::chat("m")));
}

#[test]
fn the_legacy_variables_configure_origins_too() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .env("FRONTEND_URL", "http://localhost:3000")
        .env(
            "ADDITIONAL_CORS_ORIGINS",
            "https://one.example, https://two.example",
        )
        .start();
    for origin in [
        "http://localhost:3000",
        "https://one.example",
        "https://two.example",
    ] {
        let response = preflight(&gateway, origin);
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
    }
    assert_not_allowed(&preflight(&gateway, "https://three.example"));
}

#[test]
fn an_upstreams_own_cors_headers_are_not_forwarded() {
    let headers = [
        "Content-Type: application/json",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
    ];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, "{}"));
    let gateway = Setup::with_upstream(&upstream).start();
    assert_not_allowed(&gateway.send(&Request::chat("m").header("Origin", "https://evil.example")));
}

#[test]
fn a_fetch_without_an_origin_that_another_page_causes_is_refused() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let models = Request::get("/v1/models");
    for (request, site, mode, status) in [
        (Request::chat("m"), "cross-site", "no-cors", 403),
        (Request::chat("m"), "same-site", "navigate", 403),
        (Request::chat("m"), "same-origin", "cors", 200),
        // Typed into the address bar, or of an extension.
        (Request::chat("m"), "none", "navigate", 200),
        // An image, or a script.
        (models.clone(), "cross-site", "no-cors", 403),
        (models.clone(), "same-site", "no-cors", 403),
        // A link.
        (models.clone(), "cross-site", "navigate", 200),
        (models, "same-origin", "cors", 200),
        (Request::get("/health"), "cross-site", "no-cors", 200),
    ] {
        let target = request.target.clone();
        let request = request.header("sec-fetch-site", site);
        let response = gateway.send(&request.header("sec-fetch-mode", mode));
        assert_eq!(response.status, status, "{target} {site} {mode}");
    }
    assert_eq!(upstream.requests().len(), 2);
}
