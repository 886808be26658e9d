use super::{NO_SUCH_CALL, RESPONSES, chat, messages, server, targets};
use crate::routing::failover::in_order;
use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

#[test]
fn a_missing_call_is_reported_as_ours_with_the_name_of_the_provider() {
    for row in 0..NO_SUCH_CALL.len() {
        let upstream = server(&[], row);
        let gateway = Setup::with_upstream(&upstream).start();
        for request in [
            chat(),
            Request::post("/v1/embeddings", r#"{"model":"m","input":"x"}"#),
            Request::post("/v1/responses/compact", r#"{"model":"m","input":"x"}"#),
            Request::post("/v1/responses/input_tokens", r#"{"model":"m","input":"x"}"#),
        ] {
            let response = gateway.send(&request);
            let message = assert_response::error(&response, 400, "unsupported_endpoint", None);
            assert!(message.contains("provider up"), "{row} {message}");
            assert_eq!(response.header("x-should-retry"), Some("false"));
            assert_eq!(response.header("x-trunkline-provider"), Some("up"));
        }
        let body = gateway.send(&messages()).json();
        assert_eq!(body["error"]["type"], "invalid_request_error", "{body}");
    }
}

#[test]
fn a_missing_object_passes_as_it_is() {
    for (row, (status, _, body)) in NO_SUCH_CALL.into_iter().enumerate().take(2) {
        let upstream = server(&[], row);
        let gateway = Setup::with_upstream(&upstream).start();
        for target in ["/v1/files/file-1", "/v1/responses/resp_1", "/v1/batches/b"] {
            let response = gateway.send(&Request::get(target));
            assert!(status.starts_with(&response.status.to_string()));
            assert_eq!(response.text(), body, "{target}");
        }
    }
}

#[test]
fn a_missing_call_leads_to_the_next_target_and_harms_none() {
    let lacks = server(&[], 1);
    let has = Upstream::with_response(response::completion("hi"));
    let gateway = in_order(&[lacks.base_url(), has.base_url()], "").start();
    for count in 1..=8 {
        let response = gateway.send(&chat());
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(has.requests().len(), count);
    }
    // Both of its calls, each time: it was not ejected.
    assert_eq!(targets(&lacks).len(), 16);
}

#[test]
fn a_known_dialect_that_is_refused_names_the_provider() {
    let upstream = server(&[], 0);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), RESPONSES)
        .model("m", "up", "real-model")
        .start();
    let response = gateway.send(&chat());
    let message = assert_response::error(&response, 400, "unsupported_endpoint", None);
    // The chat call itself may be there.
    let expected = "has no /v1/responses to translate /v1/chat/completions to";
    assert!(message.contains(expected), "{message}");
    assert!(
        message.contains("providers.up.base_url or `dialects`"),
        "{message}"
    );
    assert_eq!(targets(&upstream), ["/v1/responses"]);
}
