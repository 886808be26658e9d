//! `x-trunkline-provider` and `x-trunkline-model`: where an answer comes from.

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, reply};

fn names(answer: &Answer) -> [Option<&str>; 2] {
    ["x-trunkline-provider", "x-trunkline-model"].map(|name| {
        let named = answer.head.headers.iter().filter(|(it, _)| it == name);
        assert!(named.count() <= 1, "{name} twice");
        answer.header(name)
    })
}

#[test]
fn answers_say_which_provider_gave_them_and_by_which_model() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("\"stream\":true") {
            reply::good_stream()
        } else {
            reply::completion("hi")
        });
    });
    let gateway = Setup::over(&upstream).start();
    let told = [Some("up"), Some("real-model")];
    assert_eq!(names(&gateway.ask(&Request::chat("m"))), told);
    assert_eq!(names(&gateway.ask(&Request::stream("m"))), told);
    let unnamed = gateway.ask(&Request::chat("up/vendor/other"));
    assert_eq!(names(&unnamed), [Some("up"), Some("vendor/other")]);
}

#[test]
fn errors_say_it_once_a_provider_was_asked() {
    let error = r#"{"error":{"message":"slow down"}}"#;
    let upstream = Upstream::answering(reply::json("429 Too Many Requests", error));
    let gateway = Setup::over(&upstream)
        .provider("gone", &crate::support::upstream::refused_base_url(), "")
        .model("n", "gone", "far")
        .start();
    let relayed = gateway.ask(&Request::chat("m"));
    assert_eq!(relayed.text(), error);
    assert_eq!(names(&relayed), [Some("up"), Some("real-model")]);
    let refused = gateway.ask(&Request::chat("n"));
    assert_response::error(&refused, 502, "upstream_connect_failed", None);
    assert_eq!(names(&refused), [Some("gone"), Some("far")]);
    for request in [Request::chat("nothing"), Request::get("/v1/models")] {
        assert_eq!(names(&gateway.ask(&request)), [None, None]);
    }
}

#[test]
fn a_providers_own_headers_of_these_names_do_not_pass() {
    let headers = [
        "Content-Type: application/json",
        "X-Trunkline-Provider: forged",
        "X-Trunkline-Model: forged",
        "x-trunkline-model: forged too",
        "X-Trunkline-Request-Id: forged",
        "X-Trunkline-Else: forged",
    ];
    let upstream = Upstream::answering(reply::whole("200 OK", &headers, "{}"));
    let gateway = Setup::over(&upstream).model("odd", "up", "mödel").start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(names(&answer), [Some("up"), Some("real-model")]);
    // A name that no header can carry is left out.
    let odd = gateway.ask(&Request::chat("odd"));
    assert_eq!(names(&odd), [Some("up"), None]);
    for answer in [answer, odd] {
        assert_eq!(answer.status, 200);
        let head = String::from_utf8_lossy(&answer.head.raw).into_owned();
        assert!(!head.contains("forged"), "{head}");
    }
}

#[test]
fn a_page_that_may_call_may_read_them() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let friend = "https://chat.example.com";
    let gateway = Setup::over(&upstream)
        .section(&format!("[cors]\nallow_origins = [\"{friend}\"]"))
        .start();
    let answer = gateway.ask(&Request::chat("m").header("Origin", friend));
    assert_eq!(answer.header("access-control-expose-headers"), Some("*"));
    assert_eq!(names(&answer)[0], Some("up"));
}
