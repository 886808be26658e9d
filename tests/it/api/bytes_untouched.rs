//! Forwarded bytes differ from the client's only in the model's name and the key.

use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::random_json;
use crate::support::random_json::{Rng, Streaming};
use crate::support::upstream::{Upstream, response};

/// The body that the upstream must receive.
fn spliced(body: &random_json::Body) -> String {
    let mut expected = body.text.clone();
    expected.replace_range(body.model.clone(), "\"real-model\"");
    expected
}

#[test]
fn a_thousand_bodies_differ_only_in_the_value_of_model() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::injecting_usage(&upstream).start();
    let mut client = gateway.client();
    for seed in 0..1000 {
        let mut rng = Rng::new(seed);
        let body = random_json::body(&mut rng, Streaming::Off);
        let request = Request::post("/v1/chat/completions", &body.text);
        if seed % 2 == 0 {
            client.send(&request.bytes());
        } else {
            client.send(&request.chunked(&[1 + rng.below(9), 1 + rng.below(200)]));
        }
        let response = client.response();
        assert_eq!(
            response.status,
            200,
            "seed {seed}: {} for {}",
            response.text(),
            body.text
        );
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(seen.text(), spliced(&body), "seed {seed}");
    }
    assert_eq!(upstream.requests().len(), 1000);
}

#[test]
fn streamed_bodies_differ_only_in_the_value_of_model_where_usage_is_observed() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    for seed in 0..200 {
        let body = random_json::body(&mut Rng::new(seed), Streaming::WithOptions);
        client.send(&Request::post("/v1/chat/completions", &body.text).bytes());
        assert_eq!(client.response().status, 200, "seed {seed}: {}", body.text);
        assert_eq!(
            upstream.requests().pop().unwrap().text(),
            spliced(&body),
            "seed {seed}"
        );
    }
}

#[test]
fn an_injected_option_is_one_insertion_into_otherwise_equal_bytes() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = Setup::injecting_usage(&upstream).start();
    let mut client = gateway.client();
    for seed in 0..500 {
        let streaming = if seed % 2 == 0 {
            Streaming::On
        } else {
            Streaming::WithOptions
        };
        let body = random_json::body(&mut Rng::new(seed), streaming);
        client.send(&Request::post("/v1/chat/completions", &body.text).bytes());
        assert_eq!(client.response().status, 200, "seed {seed}: {}", body.text);
        let seen = upstream.requests().pop().unwrap().text();
        let inserted = insertion(&spliced(&body), &seen);
        assert!(
            inserted.contains("usage"),
            "seed {seed}: {inserted:?} in {seen}"
        );
        let options: Options = serde_json::from_str(&seen).expect(&seen);
        assert!(options.stream_options.include_usage, "seed {seed}: {seen}");
    }
}

/// The members of the upstream's body that the test above asserts; a duplicate
/// member is an error here.
#[derive(serde::Deserialize)]
struct Options {
    stream_options: StreamOptions,
}

#[derive(serde::Deserialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The one run of bytes that `after` has in addition to `before`.
#[track_caller]
fn insertion(before: &str, after: &str) -> String {
    let (before, after) = (before.as_bytes(), after.as_bytes());
    let prefix = before
        .iter()
        .zip(after)
        .take_while(|(one, other)| one == other)
        .count();
    let back = before.iter().rev().zip(after.iter().rev());
    let suffix = back.take_while(|(one, other)| one == other).count();
    let added = after
        .len()
        .checked_sub(before.len())
        .expect("bytes were lost");
    assert!(
        prefix + suffix >= before.len(),
        "more than an insertion:\n{}\n{}",
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after)
    );
    String::from_utf8(after[prefix..prefix + added].to_vec()).unwrap()
}

#[test]
fn a_body_that_requests_usage_is_forwarded_unchanged() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = Setup::injecting_usage(&upstream).start();
    let body = r#"{ "stream_options" : {"include_usage": true }, "stream":true,"model":"m" }"#;
    assert_eq!(
        gateway
            .send(&Request::post("/v1/chat/completions", body))
            .status,
        200
    );
    assert_eq!(
        upstream.only_request().text(),
        body.replace("\"m\"", "\"real-model\"")
    );
}

#[test]
fn responses_are_equal_over_random_segmentations() {
    let upstream = Upstream::start(|exchange| {
        let seed = exchange.index as u64;
        exchange.read_body();
        let mut rng = Rng::new(seed);
        let bytes = segmented(&mut rng, &content(seed));
        let segments: Vec<Vec<u8>> = rng
            .split(&bytes, 400)
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect();
        exchange.send_segments(segments.iter().map(Vec::as_slice));
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    for seed in 0..200 {
        client.send(&Request::stream("m").bytes());
        let response = client.response();
        assert!(response.complete, "seed {seed}");
        assert_eq!(response.text(), content(seed), "seed {seed}");
    }
    assert_eq!(upstream.requests().len(), 200);
}

/// A stream with generated values in its deltas.
fn content(seed: u64) -> String {
    let mut rng = Rng::new(seed + 1_000_000);
    let mut text = String::new();
    for _ in 0..=rng.below(12) {
        if rng.below(4) == 0 {
            text.push_str(": a comment\n\n");
        }
        let generated = random_json::body(&mut rng, Streaming::Off)
            .text
            .replace(['\r', '\n'], " ");
        let data =
            format!(r#"{{"choices":[{{"index":0,"delta":{generated},"finish_reason":null}}]}}"#);
        text.push_str(&response::event(&data));
    }
    text + &response::finish() + response::DONE
}

/// The response in HTTP chunks of random sizes, or without chunking.
fn segmented(rng: &mut Rng, content: &str) -> Vec<u8> {
    if rng.below(4) == 0 {
        return response::with_body("200 OK", &["Content-Type: text/event-stream"], content);
    }
    let longest = [3, 40, 1000][rng.below(3)];
    let chunks: Vec<u8> = rng
        .split(content.as_bytes(), longest)
        .into_iter()
        .flat_map(response::chunk)
        .collect();
    [
        response::stream_head().as_bytes(),
        &chunks,
        response::LAST_CHUNK,
    ]
    .concat()
}

const PASSED: [(&str, &str); 6] = [
    ("X-Custom", "a  b"),
    ("X-Empty", ""),
    (
        "Traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    ("X-Utf8", "grün"),
    ("X-Twice", "1"),
    ("X-Twice", "2"),
];
const DROPPED: [(&str, &str); 15] = [
    ("Authorization", "Bearer the-clients"),
    ("Cookie", "session=1"),
    ("Api-Key", "the-clients"),
    ("X-Api-Key", "the-clients"),
    ("Proxy-Authorization", "Basic eA=="),
    ("OpenAI-Organization", "org"),
    ("OpenAI-Project", "proj"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("Trailer", "X-Sum"),
    ("Upgrade", "h2c"),
    ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
    ("X-Listed", "1"),
    (
        "Connection",
        "keep-alive, x-listed, Upgrade, HTTP2-Settings",
    ),
];

#[test]
fn request_headers_are_forwarded_except_hop_by_hop_and_credentials() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let all = PASSED.iter().chain(&DROPPED);
    let request = all.fold(Request::chat("m"), |request, (name, value)| {
        request.header(name, value)
    });
    let response = gateway.send(&request.header("Accept-Encoding", "gzip, br"));
    assert_eq!(response.status, 200, "{}", response.text());
    let seen = upstream.only_request();
    for (name, value) in PASSED {
        assert!(
            seen.header_values(name).contains(&value),
            "{name}: {:?}",
            seen.header_values(name)
        );
    }
    assert_eq!(seen.header_values("x-twice"), ["1", "2"]);
    for (name, value) in DROPPED {
        assert!(
            !seen.header_values(name).contains(&value),
            "{name} was forwarded upstream"
        );
        assert_eq!(
            seen.header(name).is_some(),
            name == "Authorization",
            "{name}"
        );
    }
    assert!(
        !seen
            .header("accept-encoding")
            .unwrap_or_default()
            .contains("gzip")
    );
    assert_eq!(
        seen.header_values("content-length"),
        [seen.body.len().to_string()]
    );
}

#[test]
fn names_listed_by_connection_never_remove_the_gateways_own_headers() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    let request = Request::chat("m")
        .key("tk-alice")
        .header("X-Request-Id", "client-chosen")
        .header(
            "Connection",
            "close, Authorization, Content-Type, Content-Length, Host, x-request-id",
        );
    let response = gateway.send(&request);
    assert_eq!(response.status, 200, "{}", response.text());
    let seen = upstream.only_request();
    let key = format!("Bearer {}", crate::support::gateway::UPSTREAM_KEY);
    assert_eq!(seen.header_values("authorization"), [key]);
    assert_eq!(seen.header_values("host").len(), 1);
    assert_eq!(seen.text(), request_body_spliced(&request));
}

fn request_body_spliced(request: &Request) -> String {
    String::from_utf8(request.body.clone().unwrap())
        .unwrap()
        .replace("\"m\"", "\"real-model\"")
}

#[test]
fn response_headers_are_forwarded_except_hop_by_hop() {
    let headers = [
        "Content-Type: application/json",
        "X-Request-Id: req_upstream",
        "OpenAI-Processing-Ms: 12",
        "X-RateLimit-Remaining-Requests: 59",
        "X-Twice: 1",
        "X-Twice: 2",
        "X-Hop: 1",
        "Connection: keep-alive, x-hop",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "Set-Cookie: __cf_bm=1",
        "Set-Cookie: other=2",
        "Alt-Svc: h3=\":443\"",
        "Strict-Transport-Security: max-age=1",
    ];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, r#"{"a":1}"#));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-request-id"), Some("req_upstream"));
    assert!(!response.request_id().is_empty());
    assert_eq!(response.header("openai-processing-ms"), Some("12"));
    assert_eq!(
        response.header("x-ratelimit-remaining-requests"),
        Some("59")
    );
    let values = response
        .head
        .headers
        .iter()
        .filter(|(name, _)| name == "x-twice");
    let values: Vec<&[u8]> = values.map(|(_, value)| value.as_slice()).collect();
    assert_eq!(values, [b"1", b"2"]);
    for name in [
        "x-hop",
        "keep-alive",
        "proxy-authenticate",
        "set-cookie",
        "alt-svc",
        "strict-transport-security",
    ] {
        assert_eq!(
            response.header(name),
            None,
            "{name} was forwarded to the client"
        );
    }
}

#[test]
fn a_compressed_response_is_forwarded_unchanged() {
    let body = b"\x1f\x8b\x08\x00not really gzip, and any bytes will do";
    let headers = ["Content-Type: application/json", "Content-Encoding: gzip"];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, body));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(response.body, body);
}

#[test]
fn a_compressed_stream_is_forwarded_unchanged() {
    let body = b"\x1f\x8b\x08\x00data: nothing that can be looked into";
    let headers = ["Content-Type: text/event-stream", "Content-Encoding: gzip"];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, body));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    assert_eq!(response.body, body);
}

#[test]
fn an_upstream_status_is_forwarded_unchanged() {
    for status in [
        "201 Created",
        "202 Accepted",
        "418 I'm a teapot",
        "422 Unprocessable Entity",
    ] {
        let upstream = Upstream::with_response(response::json(status, r#"{"detail": "x"}"#));
        let gateway = Setup::with_upstream(&upstream).start();
        let response = gateway.send(&Request::chat("m"));
        assert_eq!(response.status, status[..3].parse::<u16>().unwrap());
        assert_eq!(response.text(), r#"{"detail": "x"}"#);
    }
}
