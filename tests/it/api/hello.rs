//! `HEAD` requests by which coding agents find out whether they are connected.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

const HELLO: [&str; 5] = [
    "/",
    "/api/hello",
    "/api/api/hello",
    "/providers/up/api/hello",
    "/providers/up/",
];

#[test]
fn a_head_request_finds_the_gateway_with_the_page_and_without() {
    let upstream = Upstream::with_response(response::completion("hi"));
    for page in [true, false] {
        let gateway = Setup::with_upstream(&upstream)
            .server(&format!("page = {page}"))
            .key("team", "tk-team", "")
            .start();
        for target in HELLO {
            let response = gateway.send(&Request::new("HEAD", target));
            assert_eq!(response.status, 200, "{target}");
        }
        for target in ["/api/hello", "/providers/up/api/hello"] {
            let response = gateway.send(&Request::get(target));
            assert_response::error(&response, 404, "unknown_url", None);
        }
        let response = gateway.send(&Request::new("HEAD", "/api/goodbye"));
        assert_eq!(response.status, 404);
    }
    let gateway = Setup::with_upstream(&upstream)
        .server("root_path = \"/llm\"")
        .start();
    for target in ["/llm/api/hello", "/llm/", "/llm/providers/up/api/hello"] {
        let response = gateway.send(&Request::new("HEAD", target));
        assert_eq!(response.status, 200, "{target}");
    }
    assert!(upstream.requests().is_empty());
}
