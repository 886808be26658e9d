//! Which header fields pass, in both directions (docs/faults.md#a17).

use crate::support::client::{Client, Request};
use crate::support::gateway::{Setup, UPSTREAM_KEY};
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::{Upstream, response};
use crate::support::websocket::{echo, handshake, send_handshake, switching_protocols};

const ADDRESS: &str = "192.0.2.77";

/// Fields that name the client, its credentials or its network.
const KEPT_BACK: [&str; 30] = [
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-User",
    "X-Forwarded-Client-Cert",
    "X-Original-Forwarded-For",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Client-Cert",
    "Remote-User",
    "X-Auth-Request-Email",
    "X-Amzn-Oidc-Data",
    "X-Goog-Iap-Jwt-Assertion",
    "X-Goog-Api-Key",
    "X-Amz-Security-Token",
    "Ocp-Apim-Subscription-Key",
    "Proxy-Authorization",
    "Cookie",
    // CGI servers read these as the names with hyphens.
    "x_forwarded_for",
    "X_Forwarded-For",
    "x_api_key",
    "x_goog_api_key",
    "proxy_authorization",
    "transfer_encoding",
    "content_length",
];
const FORWARDED: [&str; 5] = ["OpenAI-Beta", "X-Title", "User_Id", "X-Forward", "CDN-Loop"];

fn with_fields(mut request: Request) -> Request {
    for name in KEPT_BACK.iter().chain(&FORWARDED) {
        request = request.header(name, ADDRESS);
    }
    request
}

/// The names among [`KEPT_BACK`] and [`FORWARDED`] that were received.
fn received<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let all = || KEPT_BACK.iter().chain(&FORWARDED);
    let names = names.map(str::to_ascii_lowercase);
    let mut found: Vec<String> = names
        .filter(|name| all().any(|it| it.eq_ignore_ascii_case(name)))
        .collect();
    found.sort_unstable();
    found
}

fn forwarded(more: &[&str]) -> Vec<String> {
    let names = FORWARDED.iter().chain(more);
    let mut names: Vec<String> = names.map(|name| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names
}

fn requests() -> Vec<Request> {
    let upload = Request::new("POST", "/v1/uploads/u/parts")
        .header("Content-Type", "application/octet-stream")
        .body("x");
    let requests = [Request::chat("m"), Request::get("/v1/files"), upload];
    requests.map(with_fields).to_vec()
}

#[test]
fn a17_addresses_users_and_credentials_stay_here_over_http1() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for (count, request) in (1..).zip(requests()) {
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{}", response.text());
        let seen = upstream.wait_for_requests(count).remove(count - 1);
        let names = seen.headers.iter().map(|(name, _)| &**name);
        assert_eq!(received(names), forwarded(&[]), "{}", seen.target);
        let key = format!("Bearer {UPSTREAM_KEY}");
        assert_eq!(seen.header_values("authorization"), [&*key]);
        assert_eq!(seen.header_values("x-trunkline-hops").len(), 1);
    }
}

#[test]
fn a17_addresses_users_and_credentials_stay_here_over_http2() {
    let upstream = Http2Upstream::start(None, "application/json", "{\"choices\":[1]}");
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    for (count, request) in (1..).zip(requests()) {
        assert_eq!(gateway.send(&request).status, 200);
        let seen = upstream.requests().remove(count - 1);
        let names = seen.headers.keys().map(http::HeaderName::as_str);
        assert_eq!(received(names), forwarded(&[]), "{}", seen.target);
        assert!(seen.headers.contains_key("x-trunkline-hops"));
    }
}

#[test]
fn a17_addresses_users_and_credentials_stay_here_in_handshakes() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(switching_protocols(&["Set-Cookie: a=b", "X-Own: 1"]));
        echo(exchange);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let request = with_fields(handshake("/v1/realtime?model=m"));
    // hyper takes no body's length from a name with underscores, and neither do we.
    let (_client, head): (Client, _) = send_handshake(&gateway, &request);
    assert_eq!(head.status, 101);
    assert_eq!(head.text("x-own"), Some("1"));
    assert_eq!(head.text("set-cookie"), None);
    let seen = upstream.wait_for_requests(1).remove(0);
    let names = seen.headers.iter().map(|(name, _)| &**name);
    assert_eq!(received(names), forwarded(&[]));
    assert_eq!(seen.header_values("x-trunkline-hops").len(), 1);
}

#[test]
fn a17_what_a_provider_is_to_have_is_configured() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let lines = "forward_headers = [\"x-forwarded-for\", \"Remote-User\", \"cookie\"]";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let request = with_fields(Request::chat("m"));
    assert_eq!(gateway.send(&request).status, 200);
    let seen = upstream.only_request();
    let names = seen.headers.iter().map(|(name, _)| &**name);
    let expected = forwarded(&["x-forwarded-for", "remote-user", "cookie"]);
    assert_eq!(received(names), expected);
    assert_eq!(seen.header_values("x-forwarded-for"), [ADDRESS]);
    let dump = gateway.get_admin("/config").json();
    assert_eq!(
        dump["providers"]["up"]["forward_headers"],
        serde_json::json!(["x-forwarded-for", "remote-user", "cookie"])
    );
}

#[test]
fn a17_what_a_browser_or_a_proxy_would_apply_to_the_gateway_stays_there() {
    let kept_back = [
        "Set-Cookie: a=b",
        "Alt-Svc: h3=\":443\"",
        "Strict-Transport-Security: max-age=1",
        "Clear-Site-Data: \"*\"",
        "NEL: {}",
        "Report-To: {}",
        "X-Accel-Redirect: /internal/secret",
        "X-Sendfile: /etc/passwd",
        "Access-Control-Allow-Origin: *",
        "Connection: X-Hop",
        "X-Hop: 1",
    ];
    let forwarded = [
        "Content-Type: application/json",
        "Content-Security-Policy: sandbox",
        "Server: up",
        "Via: 1.1 up",
        "X-Accel-Buffering: no",
    ];
    let headers = [&kept_back[..], &forwarded[..]].concat();
    let upstream =
        Upstream::with_response(response::with_body("200 OK", &headers, "{\"choices\":[1]}"));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 200);
    for line in kept_back
        .iter()
        .filter(|line| !line.starts_with("Connection"))
    {
        let name = line.split_once(':').unwrap().0.to_ascii_lowercase();
        assert_eq!(response.header(&name), None, "{name}");
    }
    for line in forwarded {
        let (name, value) = line.split_once(": ").unwrap();
        let found = response.header(&name.to_ascii_lowercase());
        assert_eq!(found, Some(value), "{name}");
    }
}
