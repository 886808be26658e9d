//! `x-trunkline-provider` and `x-trunkline-model`: the origin of a response.

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

fn names(response: &Response) -> [Option<&str>; 2] {
    ["x-trunkline-provider", "x-trunkline-model"].map(|name| {
        let named = response.head.headers.iter().filter(|(it, _)| it == name);
        assert!(named.count() <= 1, "{name} twice");
        response.header(name)
    })
}

#[test]
fn responses_name_their_provider_and_model() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("\"stream\":true") {
            response::good_stream()
        } else {
            response::completion("hi")
        });
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let expected = [Some("up"), Some("real-model")];
    assert_eq!(names(&gateway.send(&Request::chat("m"))), expected);
    assert_eq!(names(&gateway.send(&Request::stream("m"))), expected);
    let unnamed = gateway.send(&Request::chat("up/vendor/other"));
    assert_eq!(names(&unnamed), [Some("up"), Some("vendor/other")]);
}

#[test]
fn errors_name_them_once_a_provider_was_tried() {
    let error = r#"{"error":{"message":"slow down"}}"#;
    let upstream = Upstream::with_response(response::json("429 Too Many Requests", error));
    let gateway = Setup::with_upstream(&upstream)
        .provider("gone", &crate::support::upstream::refused_base_url(), "")
        .model("n", "gone", "far")
        .start();
    let relayed = gateway.send(&Request::chat("m"));
    assert_eq!(relayed.text(), error);
    assert_eq!(names(&relayed), [Some("up"), Some("real-model")]);
    let refused = gateway.send(&Request::chat("n"));
    assert_response::error(&refused, 502, "upstream_connect_failed", None);
    assert_eq!(names(&refused), [Some("gone"), Some("far")]);
    for request in [Request::chat("nothing"), Request::get("/v1/models")] {
        assert_eq!(names(&gateway.send(&request)), [None, None]);
    }
}

#[test]
fn a_providers_own_headers_of_these_names_are_dropped() {
    let headers = [
        "Content-Type: application/json",
        "X-Trunkline-Provider: forged",
        "X-Trunkline-Model: forged",
        "x-trunkline-model: forged too",
        "X-Trunkline-Request-Id: forged",
        "X-Trunkline-Else: forged",
    ];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, "{}"));
    let gateway = Setup::with_upstream(&upstream)
        .model("odd", "up", "mödel")
        .start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(names(&response), [Some("up"), Some("real-model")]);
    // A name that no header can hold is omitted.
    let odd = gateway.send(&Request::chat("odd"));
    assert_eq!(names(&odd), [Some("up"), None]);
    for response in [response, odd] {
        assert_eq!(response.status, 200);
        let head = String::from_utf8_lossy(&response.head.raw).into_owned();
        assert!(!head.contains("forged"), "{head}");
    }
}

#[test]
fn an_allowed_origin_may_read_them() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let allowed = "https://chat.example.com";
    let gateway = Setup::with_upstream(&upstream)
        .section(&format!("[cors]\nallow_origins = [\"{allowed}\"]"))
        .start();
    let response = gateway.send(&Request::chat("m").header("Origin", allowed));
    let exposed = response.header("access-control-expose-headers").unwrap();
    let exposed: Vec<&str> = exposed.split(", ").collect();
    for name in ["*", "x-trunkline-attempts", "x-trunkline-provider"] {
        assert!(exposed.contains(&name), "{name}: {exposed:?}");
    }
    assert_eq!(names(&response)[0], Some("up"));
}
