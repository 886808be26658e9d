use super::{CHAT, MESSAGES, NO_SUCH_CALL};
use crate::support::assert_response;
use crate::support::client::Response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};
use crate::support::websocket::{echo_upstream, handshake};

/// 426, as Codex needs it to go on over HTTP, on the same connection.
#[track_caller]
fn assert_leads_to_http(gateway: &Gateway, request: &Request) -> Response {
    let mut client = gateway.client();
    client.send(&request.bytes());
    let response = client.response();
    assert_response::error(&response, 426, "websocket_unavailable", None);
    assert_eq!(response.header("upgrade"), Some("HTTP/1.1"));
    assert_eq!(response.header("x-should-retry"), Some("false"));
    let connection = response.header("connection").unwrap_or_default();
    assert!(connection.eq_ignore_ascii_case("upgrade"), "{connection}");
    client.send(&Request::get("/v1/models").bytes());
    assert_eq!(client.response().status, 200);
    response
}

#[test]
fn ca2_without_a_provider_a_websocket_for_responses_leads_to_http() {
    let upstream = echo_upstream();
    let two = Setup::with_upstream(&upstream).provider("other", &upstream.base_url(), "");
    let gateway = two.start();
    for target in ["/v1/responses", "/openai/v1/responses", "/v1/responses/"] {
        assert_leads_to_http(&gateway, &handshake(target));
    }
    assert!(upstream.requests().is_empty());
    // What is named is an error of its own, and so are other WebSockets.
    let named = handshake("/v1/responses?model=unknown");
    assert_eq!(gateway.send(&named).status, 404);
    let named = handshake("/v1/responses").header("x-trunkline-provider", "unknown");
    assert_eq!(gateway.send(&named).status, 404);
    assert_eq!(gateway.send(&handshake("/v1/realtime")).status, 400);
}

#[test]
fn ca2_a_default_provider_that_is_not_ready_leads_to_http() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .top_level("default_provider = \"openai\"")
        .start();
    assert_leads_to_http(&gateway, &handshake("/v1/responses"));
}

#[test]
fn ca2_a_provider_of_another_dialect_leads_to_http() {
    for lines in [CHAT, MESSAGES] {
        let upstream = echo_upstream();
        let gateway = Setup::new()
            .provider("up", &upstream.base_url(), lines)
            .model("m", "up", "real-model")
            .start();
        for target in [
            "/v1/responses",
            "/v1/responses?model=m",
            "/providers/up/v1/responses",
        ] {
            assert_leads_to_http(&gateway, &handshake(target));
        }
        assert!(upstream.requests().is_empty());
    }
}

#[test]
fn ca2_an_upstream_without_websockets_leads_to_http() {
    for (status, kind, body) in NO_SUCH_CALL {
        let kind = format!("Content-Type: {kind}");
        let upstream = Upstream::with_response(response::with_body(status, &[&kind], body));
        let gateway = Setup::with_upstream(&upstream).start();
        assert_leads_to_http(&gateway, &handshake("/v1/responses"));
        assert_eq!(upstream.requests().len(), 1);
    }
    let error = r#"{"error":{"message":"No","type":"server_error","param":null,"code":null}}"#;
    let upstream = Upstream::with_response(response::json("503 Unavailable", error));
    let gateway = Setup::with_upstream(&upstream).start();
    assert_eq!(gateway.send(&handshake("/v1/responses")).status, 503);
}
