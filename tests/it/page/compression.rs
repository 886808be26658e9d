//! Compression of the JSON that the gateway makes itself: what the page loads.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const PATHS: [&str; 5] = [
    "/openapi.json",
    "/trunkline/limits",
    "/trunkline/page",
    "/trunkline/status",
    "/v1/models",
];

/// With a list of models that is worth compressing.
fn gateway(upstream: &Upstream) -> Gateway {
    let setup = Setup::with_upstream(upstream);
    (0..40)
        .fold(setup, |setup, index| {
            setup.model(&format!("model-{index}"), "up", "m")
        })
        .start()
}

fn get(gateway: &Gateway, path: &str, accept: &str) -> Response {
    let request = Request::get(path);
    let response = gateway.send(&request.header("Accept-Encoding", accept));
    assert_eq!(response.status, 200, "{path}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    response
}

fn decoded(response: &Response) -> Value {
    let mut text = Vec::new();
    let mut body = &*response.body;
    if response.header("content-encoding") == Some("gzip") {
        GzDecoder::new(&mut body).read_to_end(&mut text).unwrap();
        assert!(body.is_empty(), "bytes follow the end");
    } else {
        text.extend_from_slice(body);
    }
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn what_the_page_loads_is_compressed_where_that_is_accepted() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = gateway(&upstream);
    for path in PATHS {
        let plain = gateway.send(&Request::get(path));
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        let is_long = plain.body.len() >= 1024;
        let expected = decoded(&plain);
        for (accept, compresses) in [
            ("gzip, deflate, br, zstd", true),
            ("gzip;q=0.1", true),
            ("*", true),
            ("gzip;q=0.5, identity;q=0.5", true),
            ("gzip;q=0.4, identity;q=0.5", false),
            ("gzip;q=0", false),
            ("*;q=0", false),
            ("br, zstd, deflate", false),
            ("", false),
        ] {
            let response = get(&gateway, path, accept);
            let coding = (is_long && compresses).then_some("gzip");
            assert_eq!(
                response.header("content-encoding"),
                coding,
                "{path} {accept}"
            );
            assert_eq!(response.header("vary"), Some("accept-encoding"), "{path}");
            let length = response.body.len().to_string();
            assert_eq!(response.header("content-length"), Some(&*length), "{path}");
            if coding.is_some() {
                assert!(response.body.len() * 2 < plain.body.len(), "{path}");
            }
            let mut body = decoded(&response);
            if path == "/trunkline/status" {
                for changing in ["at", "uptime_ms"] {
                    assert!(body[changing].is_number());
                    body[changing] = expected[changing].clone();
                }
            }
            assert_eq!(body, expected, "{path}");
        }
    }
}

#[test]
fn the_description_of_the_api_is_not_sent_again() {
    let gateway = Setup::new().start();
    let tag = |accept| {
        let response = get(&gateway, "/openapi.json", accept);
        assert_eq!(response.header("cache-control"), Some("no-cache"));
        response.header("etag").unwrap().to_owned()
    };
    let [plain, compressed] = ["identity", "gzip"].map(tag);
    assert_ne!(plain, compressed);
    let again = |known: &str| {
        let request = Request::get("/openapi.json").header("Accept-Encoding", "gzip");
        gateway.send(&request.header("If-None-Match", known))
    };
    assert_eq!(again(&compressed).status, 304);
    assert_eq!(again(&compressed).body, b"");
    assert_eq!(again(&plain).status, 200);
}

/// Who reads the length of a compressed text learns nothing, since no secret is in it.
#[test]
fn what_is_compressed_holds_no_secret() {
    let upstream = Upstream::with_response(response::completion("an answer"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice-secret", "")
        .start();
    let chat = Request::chat("m").key("tk-alice-secret");
    assert_eq!(gateway.send(&chat).status, 200);
    let address = upstream.base_url();
    let address = address.trim_start_matches("http://");
    let host = address.split('/').next().unwrap();
    let request_content = "\"hi\"";
    for path in PATHS {
        let request = Request::get(path).key("tk-alice-secret");
        let text = gateway.send(&request).text();
        for secret in ["tk-alice-secret", "an answer", request_content, host] {
            assert!(!text.contains(secret), "{path} holds {secret}");
        }
        assert!(!text.contains(crate::support::gateway::UPSTREAM_KEY));
    }
}
