//! Paths that an upstream may take for others (docs/faults.md#a7).

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

/// What leads out of `/v1/files`, to some server.
const OUTWARD: [&str; 16] = [
    "../admin",
    "%2e%2e/admin",
    "..%2f..%2fadmin",
    "%2e%2e%2fadmin",
    "a%2f..%2f..%2fadmin",
    "..%5cadmin",
    "..;/admin",
    ".;a=b/admin",
    "..%3b/admin",
    "%252e%252e/admin",
    "..%252f..%252fadmin",
    "..%c0%afadmin",
    "%c0%ae%c0%ae/admin",
    "%u002e%u002e/admin",
    "..%00/admin",
    "..%20/admin",
];

#[test]
fn a7_no_spelling_of_a_dot_segment_leads_out_of_the_base_url() {
    let upstream = Upstream::with_response(response::json("200 OK", "{}"));
    let gateway = Setup::with_upstream(&upstream).start();
    let prefixes = [
        "/v1/files",
        "/v1",
        "/providers/up/v1/files",
        "/openai/v1/files",
        "/openai/files",
        "/openai/deployments/m",
        "/v1/files/a;b",
    ];
    for outward in OUTWARD {
        for prefix in prefixes {
            for method in ["GET", "POST", "DELETE"] {
                let request = Request::new(method, &format!("{prefix}/{outward}"));
                let response = gateway.send(&request.body(""));
                let message = assert_response::error(&response, 400, "invalid_path", None);
                assert!(message.contains("dot segment"), "{message}");
            }
        }
    }
    let handshake = crate::support::websocket::handshake("/v1/realtime/..%2fadmin?model=m");
    assert_response::error(&gateway.send(&handshake), 400, "invalid_path", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a7_legal_paths_pass_unchanged() {
    let upstream = Upstream::with_response(response::json("200 OK", "{}"));
    let gateway = Setup::with_upstream(&upstream).start();
    let paths = [
        "/v1/files/file-1.jsonl",
        "/v1/files/a..b/content",
        "/v1/files/..a",
        "/v1/files/.hidden",
        "/v1/files/meta%2Fllama",
        "/v1/files/100%25",
        "/v1/files/a%5Cb;v=1",
        "/v1/files/%e4%bd%a0",
        "/v1/files/x?path=../..%2f",
    ];
    for (count, path) in (1..).zip(paths) {
        let response = gateway.send(&Request::get(path));
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        assert_eq!(upstream.wait_for_requests(count)[count - 1].target, path);
    }
}

/// Azure has the model in the path, and so has the deletion of a model.
#[test]
fn a7_a_models_name_leads_out_neither() {
    let upstream = Upstream::with_response(response::json("200 OK", "{\"choices\":[1]}"));
    let gateway = Setup::new()
        .provider(
            "azure",
            &upstream.base_url(),
            "api_version = \"2024-10-21\"",
        )
        .start();
    for name in [
        "..",
        "../admin",
        "a/../../admin",
        "..\\\\admin",
        "%2e%2e/admin",
    ] {
        let response = gateway.send(&Request::chat(&format!("azure/{name}")));
        assert_response::error(&response, 400, "invalid_value", Some("model"));
    }
    assert!(upstream.requests().is_empty());
    let response = gateway.send(&Request::chat("azure/gpt-4.1..x"));
    assert_eq!(response.status, 200, "{}", response.text());
    let target = upstream.only_request().target;
    let expected = "/v1/deployments/gpt-4.1..x/chat/completions?api-version=2024-10-21";
    assert_eq!(target, expected);
}
