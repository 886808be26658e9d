//! Errors, case by case as in docs/errors.md.

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, response};

const CHAT: &str = "/v1/chat/completions";

fn with_script(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::start(script);
    let gateway = Setup::with_upstream(&upstream).start();
    (upstream, gateway)
}

fn with_response(bytes: Vec<u8>) -> (Upstream, Gateway) {
    with_script(move |exchange| {
        exchange.read_body();
        exchange.send(&bytes);
    })
}

/// Asserts `x-should-retry: false`, which the SDKs obey.
#[track_caller]
fn assert_no_retry(response: &Response) {
    assert_eq!(response.header("x-should-retry"), Some("false"));
}

#[test]
fn a_missing_key_and_a_wrong_key_get_the_same_response() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    let missing = gateway.send(&Request::chat("m"));
    let wrong = gateway.send(&Request::chat("m").key("tk-bob"));
    for response in [&missing, &wrong] {
        assert_response::error(response, 401, "invalid_api_key", None);
        assert!(
            response
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
    }
    assert_eq!(missing.json(), wrong.json());
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_unknown_model_is_not_found_and_similar_names_are_suggested() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .model("mistral-tiny", "up", "x")
        .start();
    let response = gateway.send(&Request::chat("mistral-tinny"));
    let message = assert_response::error(&response, 404, "model_not_found", Some("model"));
    assert!(message.contains("mistral-tiny"), "{message}");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_model_without_its_credential_names_the_variable() {
    let gateway = Setup::new().top_level("demo = \"on\"").start();
    let response = gateway.send(&Request::chat("llama3-70b-groq"));
    let message = assert_response::error(&response, 503, "upstream_not_configured", Some("model"));
    assert!(message.contains("GROQ_API_KEY"), "{message}");
    assert_no_retry(&response);
}

#[test]
fn a_path_that_is_not_served_is_not_found() {
    let (upstream, gateway) = with_response(response::completion("hi"));
    for target in [
        "/v1",
        "/v1//chat/completions",
        "/providers/up/v2/files",
        "/openai/deployments/m",
        "/V1/chat/completions",
        "/metrics",
        "/livez",
        "/readyz",
        "/config",
    ] {
        let mut request = Request::chat("m");
        request.target = target.to_owned();
        assert_response::error(&gateway.send(&request), 404, "unknown_url", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_wrong_method_gets_the_allowed_ones() {
    let (upstream, gateway) = with_response(response::completion("hi"));
    for (method, target, allowed) in [
        ("PROPFIND", CHAT, "POST"),
        ("PROPFIND", "/v1/files", "DELETE"),
        ("POST", "/v1/models", "GET"),
    ] {
        let response = gateway.send(&Request::new(method, target).header("Content-Length", "0"));
        assert_response::error(&response, 405, "method_not_allowed", None);
        assert!(
            response.header("allow").unwrap().contains(allowed),
            "{method} {target}"
        );
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_body_with_another_content_type_than_json_is_rejected() {
    let (upstream, gateway) = with_response(response::completion("hi"));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "nonsense",
    ] {
        let request = Request::chat("m")
            .without("Content-Type")
            .header("Content-Type", kind);
        assert_response::error(&gateway.send(&request), 415, "unsupported_media_type", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn json_under_other_content_types_is_accepted() {
    let (_upstream, gateway) = with_response(response::completion("hi"));
    for kind in [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
    ] {
        let request = Request::chat("m")
            .without("Content-Type")
            .header("Content-Type", kind);
        assert_eq!(gateway.send(&request).status, 200, "{kind}");
    }
    assert_eq!(
        gateway
            .send(&Request::chat("m").without("Content-Type"))
            .status,
        200
    );
}

#[test]
fn an_upstream_that_refuses_connections_is_an_error() {
    let gateway = Setup::new()
        .provider("up", &refused_base_url(), "")
        .model("m", "up", "x")
        .start();
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 502, "upstream_connect_failed", None);
    gateway.wait_until_idle();
}

#[test]
fn an_upstream_whose_name_does_not_resolve_is_an_error() {
    let gateway = Setup::new()
        .provider("up", "https://no-such-host.invalid/v1", "")
        .model("m", "up", "x")
        .start();
    let response = gateway.send(&Request::chat("m"));
    let message = assert_response::error(&response, 502, "upstream_dns_failed", None);
    assert!(!message.contains("no-such-host"), "{message}");
}

#[test]
fn an_upstream_that_redirects_is_not_followed() {
    let elsewhere = Upstream::with_response(response::completion("stolen"));
    let location = format!("Location: {}/chat/completions", elsewhere.base_url());
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent",
    ] {
        let (_upstream, gateway) = with_response(response::with_body(status, &[&location], ""));
        let response = gateway.send(&Request::chat("m"));
        assert_response::error(&response, 502, "upstream_redirect", None);
        assert_eq!(response.header("location"), None);
        assert_no_retry(&response);
    }
    assert_eq!(
        elsewhere.connections(),
        0,
        "the key was sent to another host"
    );
}

#[test]
fn an_upstream_that_rejects_our_credential_is_not_quoted() {
    for (status, expected, code) in [
        ("401 Unauthorized", 502, "upstream_auth_failed"),
        ("403 Forbidden", 403, "upstream_forbidden"),
    ] {
        let body = format!(
            r#"{{"error":{{"message":"bad key {}"}}}}"#,
            crate::support::gateway::UPSTREAM_KEY
        );
        let (_upstream, gateway) = with_response(response::json(status, &body));
        let response = gateway.send(&Request::chat("m"));
        assert_response::error(&response, expected, code, None);
        assert_no_retry(&response);
        assert!(
            !response
                .text()
                .contains(crate::support::gateway::UPSTREAM_KEY)
        );
    }
}

#[test]
fn an_upstream_that_disconnects_before_it_responds_is_an_error() {
    let (_upstream, gateway) = with_script(|exchange| {
        exchange.read_body();
        exchange.close();
    });
    assert_response::error(
        &gateway.send(&Request::chat("m")),
        502,
        "upstream_disconnected",
        None,
    );
    let (_upstream, gateway) = with_script(|exchange| {
        exchange.read_body();
        exchange.reset();
    });
    assert_response::error(
        &gateway.send(&Request::chat("m")),
        502,
        "upstream_disconnected",
        None,
    );
    gateway.wait_until_idle();
}

#[test]
fn an_upstream_that_is_too_slow_to_respond_is_a_timeout() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        assert!(
            exchange.wait_for_disconnect(),
            "the connection to a silent upstream was kept"
        );
    });
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.up.timeouts]\nresponse_header = \"200ms\"")
        .start();
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 504, "upstream_timeout", None);
    assert_no_retry(&response);
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
}

#[test]
fn an_upstreams_own_error_is_forwarded_with_its_bytes_and_headers() {
    let body = r#"{ "error": {"message":"slow down","type":"tokens","code":"rate_limit_exceeded","param":null} }"#;
    for status in [
        "400 Bad",
        "404 No",
        "409 Conflict",
        "422 Un",
        "429 Many",
        "498 Capacity",
        "500 Err",
        "503 Un",
        "529 Over",
    ] {
        let headers = [
            "Content-Type: application/json",
            "Retry-After: 7",
            "retry-after-ms: 6500",
            "x-ratelimit-reset-tokens: 6ms",
        ];
        let (_upstream, gateway) = with_response(response::with_body(status, &headers, body));
        let response = gateway.send(&Request::chat("m"));
        assert_eq!(response.status, status[..3].parse::<u16>().unwrap());
        assert_eq!(response.text(), body, "{status}");
        // The others are left to the SDK.
        let is_final = ["400", "404", "422", "498"].contains(&&status[..3]);
        let should_retry = is_final.then_some("false");
        assert_eq!(response.header("x-should-retry"), should_retry, "{status}");
        assert_eq!(response.header("retry-after"), Some("7"));
        assert_eq!(response.header("retry-after-ms"), Some("6500"));
        assert_eq!(response.header("x-ratelimit-reset-tokens"), Some("6ms"));
        assert!(!response.request_id().is_empty());
    }
}

#[test]
fn an_upstreams_error_page_is_wrapped() {
    let page = "<html><body>upstream nginx at 10.1.2.3</body></html>";
    let html = ["Content-Type: text/html"];
    for status in [
        "500 Err",
        "502 Bad Gateway",
        "503 Unavailable",
        "429 Many",
        "410 Gone",
    ] {
        let code = status[..3].parse::<u16>().unwrap();
        for bytes in [
            response::with_body(status, &html, page),
            response::with_body(status, &[], ""),
            response::json(status, ""),
        ] {
            let (_upstream, gateway) = with_response(bytes);
            let response = gateway.send(&Request::chat("m"));
            assert_response::error(&response, code, "upstream_error", None);
            assert!(!response.text().contains("nginx"), "{}", response.text());
        }
    }
}

#[test]
fn an_error_page_keeps_its_retry_after() {
    let headers = [
        "Content-Type: text/html",
        "Retry-After: 7",
        "x-ratelimit-remaining-requests: 0",
    ];
    for status in ["503 Unavailable", "429 Many"] {
        let (_upstream, gateway) =
            with_response(response::with_body(status, &headers, "<html></html>"));
        let response = gateway.send(&Request::chat("m"));
        assert_response::error(
            &response,
            status[..3].parse().unwrap(),
            "upstream_error",
            None,
        );
        assert_eq!(response.header("retry-after"), Some("7"));
    }
}

#[test]
fn a_page_instead_of_a_stream_is_an_error() {
    let html = ["Content-Type: text/html"];
    let (_upstream, gateway) =
        with_response(response::with_body("200 OK", &html, "<html>login</html>"));
    let response = gateway.send(&Request::stream("m"));
    assert_response::error(&response, 502, "upstream_bad_content_type", None);
    assert!(!response.text().contains("login"));
}

#[test]
fn an_error_can_be_found_in_the_log_by_its_id() {
    let (_upstream, gateway) = with_response(response::completion("hi"));
    let response = gateway.send(&Request::chat("no-such-model"));
    assert_eq!(
        response.header("x-request-id"),
        Some(response.request_id().as_str())
    );
    let line = gateway.access_line(&response.request_id());
    assert_eq!(
        crate::support::gateway::text(&line, "outcome"),
        "client_error"
    );
    assert_eq!(crate::support::gateway::value(&line, "status"), 404);
}

#[test]
fn a_routing_error_can_be_found_in_the_log_by_its_id() {
    let (_upstream, gateway) = with_response(response::completion("hi"));
    for request in [
        Request::get("/nothing"),
        Request::new("PROPFIND", CHAT),
        Request::chat("m").without("Host"),
    ] {
        let response = gateway.send(&request);
        let line = gateway.access_line(&response.request_id());
        assert_eq!(
            crate::support::gateway::text(&line, "outcome"),
            "client_error"
        );
        assert_eq!(
            crate::support::gateway::value(&line, "status"),
            response.status
        );
    }
}

#[test]
fn two_errors_have_two_ids() {
    let (_upstream, gateway) = with_response(response::completion("hi"));
    let [one, other] = [(); 2].map(|()| gateway.send(&Request::chat("no-such-model")).request_id());
    assert_ne!(one, other);
}
