//! Promise 5, clear errors: the table of the design, row by row.

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, reply};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose upstream does what the script says.
fn over(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::start(script);
    let gateway = Setup::over(&upstream).start();
    (upstream, gateway)
}

fn answering(bytes: Vec<u8>) -> (Upstream, Gateway) {
    over(move |exchange| {
        exchange.read_body();
        exchange.send(&bytes);
    })
}

/// Checks that the SDKs are told not to try again.
#[track_caller]
fn final_word(answer: &Answer) {
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[test]
fn no_key_and_a_wrong_key_get_the_same_answer() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).key("alice", "tk-alice", "").start();
    let missing = gateway.ask(&Request::chat("m"));
    let wrong = gateway.ask(&Request::chat("m").key("tk-bob"));
    for answer in [&missing, &wrong] {
        assert_response::error(answer, 401, "invalid_api_key", None);
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
    }
    assert_eq!(missing.json(), wrong.json());
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_unknown_model_is_not_found_and_near_names_are_offered() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .model("mistral-tiny", "up", "x")
        .start();
    let answer = gateway.ask(&Request::chat("mistral-tinny"));
    let message = assert_response::error(&answer, 404, "model_not_found", Some("model"));
    assert!(message.contains("mistral-tiny"), "{message}");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_model_without_its_credential_names_the_variable() {
    let gateway = Setup::new().root("demo = \"on\"").start();
    let answer = gateway.ask(&Request::chat("llama3-70b-groq"));
    let message = assert_response::error(&answer, 503, "upstream_not_configured", Some("model"));
    assert!(message.contains("GROQ_API_KEY"), "{message}");
    final_word(&answer);
}

#[test]
fn a_path_that_is_not_served_is_unknown() {
    let (upstream, gateway) = answering(reply::completion("hi"));
    for target in [
        "/v1",
        "/v1//chat/completions",
        "/v1/../v1/chat/completions",
        "/v1/chat/%2e%2e/chat/completions",
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
        assert_response::error(&gateway.ask(&request), 404, "unknown_url", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_wrong_method_says_which_are_right() {
    let (upstream, gateway) = answering(reply::completion("hi"));
    for (method, target, allowed) in [
        ("PROPFIND", CHAT, "POST"),
        ("PROPFIND", "/v1/files", "DELETE"),
        ("POST", "/v1/models", "GET"),
    ] {
        let answer = gateway.ask(&Request::new(method, target).header("Content-Length", "0"));
        assert_response::error(&answer, 405, "method_not_allowed", None);
        assert!(
            answer.header("allow").unwrap().contains(allowed),
            "{method} {target}"
        );
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_body_that_is_no_json_by_its_type_is_refused() {
    let (upstream, gateway) = answering(reply::completion("hi"));
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
        assert_response::error(&gateway.ask(&request), 415, "unsupported_media_type", None);
    }
    for coding in ["gzip", "br", "identity, gzip", "zstd"] {
        let request = Request::chat("m").header("Content-Encoding", coding);
        assert_response::error(&gateway.ask(&request), 415, "unsupported_encoding", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn json_by_other_names_is_taken() {
    let (_upstream, gateway) = answering(reply::completion("hi"));
    for kind in [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
    ] {
        let request = Request::chat("m")
            .without("Content-Type")
            .header("Content-Type", kind);
        assert_eq!(gateway.ask(&request).status, 200, "{kind}");
    }
    assert_eq!(
        gateway
            .ask(&Request::chat("m").without("Content-Type"))
            .status,
        200
    );
    assert_eq!(
        gateway
            .ask(&Request::chat("m").header("Content-Encoding", "identity"))
            .status,
        200
    );
}

#[test]
fn an_upstream_that_refuses_connections() {
    let gateway = Setup::new()
        .provider("up", &refused_base_url(), "")
        .model("m", "up", "x")
        .start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_response::error(&answer, 502, "upstream_connect_failed", None);
    gateway.settle();
}

#[test]
fn an_upstream_whose_name_does_not_resolve() {
    let gateway = Setup::new()
        .provider("up", "https://no-such-host.invalid/v1", "")
        .model("m", "up", "x")
        .start();
    let answer = gateway.ask(&Request::chat("m"));
    let message = assert_response::error(&answer, 502, "upstream_dns_failed", None);
    assert!(!message.contains("no-such-host"), "{message}");
}

#[test]
fn an_upstream_that_redirects_is_not_followed() {
    let elsewhere = Upstream::answering(reply::completion("stolen"));
    let location = format!("Location: {}/chat/completions", elsewhere.base_url());
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent",
    ] {
        let (_upstream, gateway) = answering(reply::whole(status, &[&location], ""));
        let answer = gateway.ask(&Request::chat("m"));
        assert_response::error(&answer, 502, "upstream_redirect", None);
        assert_eq!(answer.header("location"), None);
        final_word(&answer);
    }
    assert_eq!(elsewhere.connections(), 0, "the key went elsewhere");
}

#[test]
fn an_upstream_that_refuses_our_credential_is_not_quoted() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let body = format!(
            r#"{{"error":{{"message":"bad key {}"}}}}"#,
            crate::support::gateway::UPSTREAM_KEY
        );
        let (_upstream, gateway) = answering(reply::json(status, &body));
        let answer = gateway.ask(&Request::chat("m"));
        assert_response::error(&answer, 502, "upstream_auth_failed", None);
        final_word(&answer);
        assert!(
            !answer
                .text()
                .contains(crate::support::gateway::UPSTREAM_KEY)
        );
    }
}

#[test]
fn an_upstream_that_leaves_before_it_answers() {
    let (_upstream, gateway) = over(|exchange| {
        exchange.read_body();
        exchange.close();
    });
    assert_response::error(
        &gateway.ask(&Request::chat("m")),
        502,
        "upstream_disconnected",
        None,
    );
    let (_upstream, gateway) = over(|exchange| {
        exchange.read_body();
        exchange.reset();
    });
    assert_response::error(
        &gateway.ask(&Request::chat("m")),
        502,
        "upstream_disconnected",
        None,
    );
    gateway.settle();
}

#[test]
fn an_upstream_that_is_too_slow_to_answer() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        assert!(exchange.gateway_left(), "a silent upstream was kept");
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.timeouts]\nhead = \"200ms\"")
        .start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_response::error(&answer, 504, "upstream_timeout", None);
    final_word(&answer);
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn an_upstreams_own_error_passes_with_its_bytes_and_headers() {
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
        let (_upstream, gateway) = answering(reply::whole(status, &headers, body));
        let answer = gateway.ask(&Request::chat("m"));
        assert_eq!(answer.status, status[..3].parse::<u16>().unwrap());
        assert_eq!(answer.text(), body, "{status}");
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(answer.header("retry-after-ms"), Some("6500"));
        assert_eq!(answer.header("x-ratelimit-reset-tokens"), Some("6ms"));
        assert!(!answer.request_id().is_empty());
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
        "404 No",
    ] {
        let code = status[..3].parse::<u16>().unwrap();
        for bytes in [
            reply::whole(status, &html, page),
            reply::whole(status, &[], ""),
            reply::json(status, ""),
        ] {
            let (_upstream, gateway) = answering(bytes);
            let answer = gateway.ask(&Request::chat("m"));
            assert_response::error(&answer, code, "upstream_error", None);
            assert!(!answer.text().contains("nginx"), "{}", answer.text());
        }
    }
}

#[test]
fn an_error_page_that_says_when_to_come_back_still_does() {
    let headers = [
        "Content-Type: text/html",
        "Retry-After: 7",
        "x-ratelimit-remaining-requests: 0",
    ];
    for status in ["503 Unavailable", "429 Many"] {
        let (_upstream, gateway) = answering(reply::whole(status, &headers, "<html></html>"));
        let answer = gateway.ask(&Request::chat("m"));
        assert_response::error(
            &answer,
            status[..3].parse().unwrap(),
            "upstream_error",
            None,
        );
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
}

#[test]
fn a_page_in_place_of_a_stream_is_an_error() {
    let html = ["Content-Type: text/html"];
    let (_upstream, gateway) = answering(reply::whole("200 OK", &html, "<html>login</html>"));
    let answer = gateway.ask(&Request::stream("m"));
    assert_response::error(&answer, 502, "upstream_bad_content_type", None);
    assert!(!answer.text().contains("login"));
}

#[test]
fn an_error_can_be_found_in_the_log_by_its_id() {
    let (_upstream, gateway) = answering(reply::completion("hi"));
    let answer = gateway.ask(&Request::chat("nobody"));
    assert_eq!(
        answer.header("x-request-id"),
        Some(answer.request_id().as_str())
    );
    let line = gateway.access_line(&answer.request_id());
    assert_eq!(
        crate::support::gateway::text(&line, "outcome"),
        "client_error"
    );
    assert_eq!(crate::support::gateway::value(&line, "status"), 404);
}

#[test]
fn so_can_an_error_of_the_router() {
    let (_upstream, gateway) = answering(reply::completion("hi"));
    for request in [
        Request::get("/nothing"),
        Request::new("PROPFIND", CHAT),
        Request::chat("m").without("Host"),
    ] {
        let answer = gateway.ask(&request);
        let line = gateway.access_line(&answer.request_id());
        assert_eq!(
            crate::support::gateway::text(&line, "outcome"),
            "client_error"
        );
        assert_eq!(
            crate::support::gateway::value(&line, "status"),
            answer.status
        );
    }
}

#[test]
fn two_errors_have_two_ids() {
    let (_upstream, gateway) = answering(reply::completion("hi"));
    let [one, other] = [(); 2].map(|()| gateway.ask(&Request::chat("nobody")).request_id());
    assert_ne!(one, other);
}
