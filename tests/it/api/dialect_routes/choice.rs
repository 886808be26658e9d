use super::{
    CHAT, MESSAGES, NO_SUCH_CALL, RESPONSES, chat, messages, responses, server, targets, text,
};
use crate::support::assert_response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

const ALL: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/v1/responses"];

fn gateway(upstream: &Upstream, lines: &str) -> Gateway {
    Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start()
}

#[test]
fn ca3_every_client_reaches_every_dialect() {
    for (lines, path) in [
        (CHAT, "/v1/chat/completions"),
        (MESSAGES, "/v1/messages"),
        (RESPONSES, "/v1/responses"),
    ] {
        let upstream = server(&ALL, 0);
        let gateway = gateway(&upstream, lines);
        for request in [chat(), messages(), responses()] {
            let response = gateway.send(&request);
            assert_eq!(response.status, 200, "{lines} {}", response.text());
            assert_eq!(text(&response.json()), "hello", "{lines}");
        }
        assert_eq!(targets(&upstream), [path; 3], "{lines}");
        gateway.wait_until_idle();
        let tokens = |kind| {
            let labels = [("model", "m"), ("kind", kind)];
            gateway.metrics().sum("trunkline_tokens_total", &labels)
        };
        assert_eq!(
            (tokens("input"), tokens("output")),
            (Some(33.0), Some(21.0)),
            "{lines}"
        );
    }
}

#[test]
fn the_clients_own_dialect_is_preferred_then_the_shorter_translation() {
    for (lines, request, expected) in [
        (
            "[\"chat\", \"messages\", \"responses\"]",
            messages(),
            ALL[1],
        ),
        ("[\"responses\", \"messages\", \"chat\"]", chat(), ALL[0]),
        ("[\"chat\", \"responses\"]", messages(), ALL[0]),
        ("[\"messages\", \"chat\"]", responses(), ALL[0]),
        ("[\"messages\", \"responses\"]", chat(), ALL[2]),
    ] {
        let upstream = server(&ALL, 0);
        let gateway = gateway(&upstream, &format!("dialects = {lines}"));
        assert_eq!(gateway.send(&request).status, 200, "{lines}");
        assert_eq!(targets(&upstream), [expected], "{lines}");
    }
}

#[test]
fn a_provider_that_says_nothing_is_asked_once_for_responses() {
    for row in 0..NO_SUCH_CALL.len() {
        let upstream = server(&ALL[..1], row);
        let gateway = gateway(&upstream, "");
        for _ in 0..2 {
            let response = gateway.send(&responses());
            assert_eq!(response.status, 200, "{row} {}", response.text());
            assert_eq!(text(&response.json()), "hello");
        }
        assert_eq!(targets(&upstream), [ALL[2], ALL[0], ALL[0]], "{row}");
        let parts = ["call refused", "\"call\":\"responses\""];
        gateway.await_log("WARN", &parts, 1);
        gateway.wait_until_idle();
        let labels = [("provider", "up"), ("result", "responded")];
        gateway.await_metric("trunkline_attempts_total", &labels, 2.0);
    }
}

#[test]
fn what_was_found_missing_is_remembered_over_a_reload() {
    let upstream = server(&ALL[..1], 0);
    let gateway = gateway(&upstream, "");
    assert_eq!(gateway.send(&responses()).status, 200);
    gateway.reload(|text| text + "\n[models.n]\nprovider = \"up\"\n");
    assert_eq!(gateway.send(&responses()).status, 200);
    assert_eq!(targets(&upstream), [ALL[2], ALL[0], ALL[0]]);
}

#[test]
fn a_provider_of_responses_alone_is_found_by_a_chat() {
    let upstream = server(&ALL[2..], 0);
    let gateway = gateway(&upstream, "");
    for request in [chat(), messages(), chat()] {
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(text(&response.json()), "hello");
    }
    assert_eq!(targets(&upstream), [ALL[0], ALL[2], ALL[2], ALL[2]]);
}

#[test]
fn an_old_version_of_a_local_server_gets_messages_translated() {
    let upstream = server(&ALL[..1], 2);
    let gateway = Setup::new()
        .section(&format!(
            "[providers.ollama]\nbase_url = \"{}\"",
            upstream.base_url()
        ))
        .model("m", "ollama", "qwen")
        .start();
    for _ in 0..2 {
        assert_eq!(gateway.send(&messages()).status, 200);
    }
    assert_eq!(targets(&upstream), [ALL[1], ALL[0], ALL[0]]);
    let sent = upstream.requests();
    assert!(sent[0].header("anthropic-version").is_some());
    assert!(sent[1].header("anthropic-version").is_none());
}

/// As Claude Code sends it, and templates of Qwen's kind refuse it.
#[test]
fn ca1_a_template_that_refuses_the_messages_gets_them_translated() {
    let refusal = r#"{"error":{"code":400,"message":"System message must be at the beginning.","type":"invalid_request_error"}}"#;
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let is_messages = exchange.request().target == ALL[1];
        exchange.send(if is_messages {
            response::json("400 Bad Request", refusal)
        } else {
            response::completion("hello")
        });
    });
    let gateway = gateway(&upstream, "dialects = [\"chat\", \"messages\"]");
    for _ in 0..2 {
        assert_eq!(gateway.send(&messages()).status, 200);
    }
    assert_eq!(targets(&upstream), [ALL[1], ALL[0], ALL[0]]);
}

#[test]
fn a_missing_model_is_no_missing_call() {
    let missing = r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
    let upstream = Upstream::with_response(response::json("404 Not Found", missing));
    let gateway = gateway(&upstream, "");
    for request in [responses(), chat()] {
        let response = gateway.send(&request);
        assert_eq!(
            (response.status, response.text()),
            (404, missing.to_owned())
        );
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    assert_eq!(targets(&upstream), [ALL[2], ALL[0]]);
}

#[test]
fn other_calls_of_the_responses_api_are_refused_without_it() {
    for lines in [CHAT, MESSAGES] {
        let upstream = server(&ALL, 0);
        let gateway = gateway(&upstream, lines);
        for request in [
            Request::post("/v1/responses/compact", r#"{"model":"m","input":"x"}"#),
            Request::post("/v1/responses/input_tokens", r#"{"model":"m","input":"x"}"#),
            Request::get("/v1/responses/resp_1"),
            Request::get("/v1/responses/resp_1/input_items"),
            Request::post("/v1/responses/resp_1/cancel", ""),
        ] {
            let response = gateway.send(&request);
            let target = &request.target;
            let code = "unsupported_endpoint";
            let message = assert_response::error(&response, 400, code, None);
            assert!(message.contains("provider up"), "{target}: {message}");
            assert_eq!(response.header("x-should-retry"), Some("false"), "{target}");
        }
        assert!(upstream.requests().is_empty());
    }
}
