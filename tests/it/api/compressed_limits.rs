//! Compressed requests that are refused, and the limits of decoding.

use super::compressed_requests::{BODY, Pair, SENT};
use crate::support::assert_response;
use crate::support::client::{Client, Request, Response};
use crate::support::coding::{CODINGS, encode, encoded, field_value};

#[test]
fn wc01_an_unknown_coding_is_refused_with_those_accepted() {
    let pair = Pair::start("");
    for target in [
        "/v1/responses",
        "/v1/whatever",
        "/v1/responses/input_tokens",
    ] {
        for coding in [
            "compress",
            "foo",
            "gzip, foo",
            "gzip;q=1",
            "gzip, gzip, gzip",
        ] {
            let request = Request::post(target, BODY).header("Content-Encoding", coding);
            let response = pair.gateway.send(&request);
            let message = assert_response::error(&response, 415, "unsupported_encoding", None);
            assert!(message.contains("zstd, gzip, deflate, br"), "{message}");
            assert_eq!(
                response.header("accept-encoding"),
                Some("zstd, gzip, deflate, br")
            );
        }
    }
    let messages = Request::post("/v1/messages", BODY)
        .header("anthropic-version", "2023-06-01")
        .header("Content-Encoding", "compress");
    let response = pair.gateway.send(&messages);
    assert_eq!(
        (response.status, response.json()["type"].as_str()),
        (415, Some("error"))
    );
    pair.assert_nothing_sent();
}

#[test]
fn wc01_rubbish_and_cut_bodies_are_refused() {
    let pair = Pair::start("");
    for coding in CODINGS {
        let whole = encode(coding, &BODY.repeat(40).into_bytes());
        for (kind, body) in [
            ("rubbish", BODY.as_bytes().to_vec()),
            ("cut short", whole[..whole.len() - 1].to_vec()),
            ("cut in half", whole[..whole.len() / 2].to_vec()),
            ("trailing data", [&whole[..], b"}"].concat()),
        ] {
            let request = Request::post("/v1/responses", body)
                .header("Content-Encoding", field_value(coding));
            let response = pair.gateway.send(&request);
            assert_eq!(response.status, 400, "{coding}, {kind}");
            assert_response::error(&response, 400, "invalid_body", None);
        }
    }
    let empty = Request::post("/v1/responses", "").header("Content-Encoding", "gzip");
    assert_response::error(&pair.gateway.send(&empty), 400, "empty_body", None);
    let not_json = encoded(Request::post("/v1/responses", "hello"), "gzip");
    assert_response::error(&pair.gateway.send(&not_json), 400, "invalid_json", None);
    pair.assert_nothing_sent();
}

#[test]
fn wc01_the_limit_is_that_of_the_decoded_body() {
    let pair = Pair::start("max_body = \"300KiB\"");
    let body_of = |size: usize| BODY.replace("hi", &"x".repeat(size - BODY.len() + 2));
    for coding in CODINGS {
        let fits = Request::post("/v1/responses", body_of(300 * 1024));
        let response = pair.gateway.send(&encoded(fits, coding));
        assert_eq!(response.status, 200, "{coding}: {}", response.text());
        for size in [300 * 1024 + 1, 2 * 1024 * 1024] {
            let bomb = encoded(Request::post("/v1/responses", body_of(size)), coding);
            assert!(bomb.body.as_ref().unwrap().len() < 300 * 1024);
            let response = pair.gateway.send(&bomb);
            let message = assert_response::error(&response, 413, "request_too_large", None);
            assert!(message.contains("server.max_body"), "{message}");
        }
    }
    let long =
        Request::post("/v1/responses", vec![0; 300 * 1024 + 1]).header("Content-Encoding", "zstd");
    assert_response::error(&pair.gateway.send(&long), 413, "request_too_large", None);
    assert_eq!(pair.up.requests().len(), CODINGS.len());
    pair.gateway.wait_until_idle();
    let held = pair.gateway.metrics().sum("trunkline_buffered_bytes", &[]);
    assert_eq!(held, Some(0.0));
}

#[test]
fn wc01_decoded_bytes_count_as_buffered() {
    let pair = Pair::start("max_body = \"4MiB\"\nmax_buffered = \"4MiB\"");
    let body = BODY.replace("hi", &"x".repeat(4 * 1024 * 1024 - 100));
    let plain = Request::post("/v1/responses", &body);
    assert_eq!(pair.gateway.send(&plain).status, 200);
    // It needs the space of its compressed bytes as well.
    let response = pair.gateway.send(&encoded(plain, "zstd"));
    assert_response::error(&response, 503, "overloaded", None);
    let smaller = Request::post("/v1/responses", body.replace("xx", "x"));
    assert_eq!(pair.gateway.send(&encoded(smaller, "zstd")).status, 200);
    pair.gateway.wait_until_idle();
}

#[test]
fn wc01_a_compressed_body_that_stalls_times_out() {
    let pair = Pair::start("body_idle_timeout = \"300ms\"");
    let request = encoded(Request::post("/v1/responses", BODY), "zstd");
    let mut bytes = request.bytes();
    bytes.pop();
    let mut client = pair.gateway.client();
    client.send(&bytes);
    assert_response::error(&client.response(), 408, "request_timeout", None);
    pair.assert_nothing_sent();
}

/// The next request on a connection, after a decoding that failed.
#[test]
fn wc01_the_connection_is_usable_after_a_body_that_cannot_be_decoded() {
    let pair = Pair::start("max_body = \"300KiB\"");
    let send = |client: &mut Client, request: &Request| -> Response {
        client.send(&request.bytes());
        client.response()
    };
    let mut client = pair.gateway.client();
    let rubbish = Request::post("/v1/responses", BODY).header("Content-Encoding", "zstd");
    let bomb = encoded(Request::post("/v1/responses", " ".repeat(400_000)), "gzip");
    assert_eq!(send(&mut client, &rubbish).status, 400);
    assert_eq!(send(&mut client, &bomb).status, 413);
    let good = encoded(Request::post("/v1/responses", BODY), "br");
    assert_eq!(send(&mut client, &good).status, 200);
    assert_eq!(pair.up.only_request().text(), SENT);
}

#[test]
fn wc01_large_bodies_are_decoded_beside_other_requests() {
    let pair = Pair::start("");
    let body = BODY.replace("hi", &"the same words again ".repeat(100_000));
    let large = encoded(Request::post("/v1/responses", &body), "gzip");
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| pair.gateway.send(&large).status))
            .collect();
        let small = encoded(Request::post("/v1/responses", BODY), "zstd");
        assert_eq!(pair.gateway.send(&small).status, 200);
        for client in clients {
            assert_eq!(client.join().unwrap(), 200);
        }
    });
    let sent = body.len() + SENT.len() - BODY.len();
    let seen = pair.up.requests();
    let complete = seen.iter().filter(|seen| seen.body.len() == sent);
    assert_eq!(complete.count(), 6);
}
