//! Requests that are translated into chat: usage, and the name of the limit.

use super::{
    REFUSAL, asked, asks, assert_streams, messages, stream_with_usage, strict, with_member,
};
use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

#[test]
fn wu05_old_versions_of_azure_get_no_option() {
    for (version, is_added) in [
        ("2024-02-01", false),
        ("2024-06-01", false),
        ("2024-09-01-preview", true),
        ("2024-10-21", true),
    ] {
        let upstream = healthy_upstream();
        let base = upstream.base_url();
        let lines = format!("api_version = \"{version}\"");
        let gateway = Setup::new()
            .provider("azure", &base, &lines)
            .model("m", "azure", "gpt-4o")
            .start();
        let sources = r#""data_sources":[{"type":"azure_search","parameters":{}}]"#;
        assert_streams(&gateway, &Request::stream("m"));
        assert_streams(&gateway, &with_member(sources));
        let response = gateway.send(&messages());
        assert!(response.complete && response.text().contains("message_stop"));
        assert_eq!(asked(&upstream), [is_added, false, is_added], "{version}");
        let translated = upstream.requests()[2].text();
        let limit = if is_added {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        assert!(
            translated.contains(&format!("\"{limit}\":64")),
            "{translated}"
        );
    }
}

#[test]
fn a_translated_stream_asks_for_usage_unless_that_is_switched_off() {
    for (mode, asks_when_translated) in [
        ("", true),
        ("stream_usage = \"translated\"", true),
        ("stream_usage = \"inject\"", true),
        ("stream_usage = \"observe\"", false),
    ] {
        let upstream = Upstream::start(|exchange| {
            let reports = asks(&exchange.read_body());
            exchange.send(if reports {
                stream_with_usage()
            } else {
                response::good_stream()
            });
        });
        let gateway = Setup::new()
            .provider("up", &upstream.base_url(), mode)
            .model("m", "up", "real-model")
            .start();
        let response = gateway.send(&messages());
        assert!(response.complete && response.text().contains("message_stop"));
        let reported = response.text().contains(r#""output_tokens":7"#);
        assert_eq!(
            reported,
            asks_when_translated,
            "{mode}: {}",
            response.text()
        );
        assert_streams(&gateway, &Request::stream("m"));
        assert_eq!(
            asked(&upstream),
            [asks_when_translated, mode.contains("inject")],
            "{mode}"
        );
    }
}

#[test]
fn wu05_a_messages_client_can_use_a_provider_that_refuses_the_option() {
    for mode in [
        "",
        "stream_usage = \"inject\"",
        "stream_usage = \"observe\"",
    ] {
        let upstream = strict(response::json("422 Unprocessable Entity", REFUSAL));
        let gateway = Setup::new()
            .provider("up", &upstream.base_url(), mode)
            .model("m", "up", "real-model")
            .start();
        for _ in 0..2 {
            let response = gateway.send(&messages());
            let text = response.text();
            assert_eq!(response.status, 200, "{text}");
            assert!(
                text.contains("two") && text.contains("message_stop"),
                "{text}"
            );
        }
        let expected: &[bool] = if mode.contains("observe") {
            &[false, false]
        } else {
            &[true, false, false]
        };
        assert_eq!(asked(&upstream), expected, "{mode}");
        // Learned for both kinds of clients.
        assert_streams(&gateway, &Request::stream("m"));
        assert_eq!(asked(&upstream).last(), Some(&false));
    }
}

#[test]
fn a_translated_limit_takes_its_other_name_where_one_is_refused() {
    const OTHER_NAME: &str = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#;
    const UNKNOWN: &str = r#"{"error":{"message":"Unrecognized request argument supplied: max_completion_tokens","type":"invalid_request_error","param":null,"code":null}}"#;
    for (quirks, refused, error) in [
        ("", "max_tokens", OTHER_NAME),
        (
            "quirks = [\"max_completion_tokens\"]",
            "max_completion_tokens",
            UNKNOWN,
        ),
    ] {
        // Names what it refuses one by one.
        let upstream = Upstream::start(move |exchange| {
            let body = exchange.read_body();
            let text = String::from_utf8_lossy(&body).into_owned();
            exchange.send(if text.contains(&format!("\"{refused}\"")) {
                response::json("400 Bad Request", error)
            } else if asks(&body) {
                response::json("400 Bad Request", REFUSAL)
            } else {
                response::good_stream()
            });
        });
        let gateway = Setup::new()
            .provider("up", &upstream.base_url(), quirks)
            .model("m", "up", "real-model")
            .start();
        for count in [3, 4, 5] {
            let response = gateway.send(&messages());
            assert_eq!(response.status, 200, "{}", response.text());
            assert!(response.text().contains("message_stop"));
            assert_eq!(upstream.requests().len(), count, "{refused}");
        }
    }
    // An error about the value is passed on.
    let value = r#"{"error":{"message":"max_tokens is too large: 64","type":"invalid_request_error","param":"max_tokens","code":null}}"#;
    let upstream = Upstream::with_response(response::json("400 Bad Request", value));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&messages());
    assert_eq!(response.status, 400);
    assert!(response.text().contains("too large"), "{}", response.text());
    assert_eq!(upstream.requests().len(), 1);
}
