//! Requests whose body is compressed: decoded within limits, and sent on plain.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::coding::{CODINGS, encode, encoded};
use crate::support::gateway::{Gateway, Setup, value};
use crate::support::upstream::{Upstream, response};

pub const BODY: &str = r#"{"model":"m","input":"hi"}"#;
pub const SENT: &str = r#"{"model":"real-model","input":"hi"}"#;
/// A zstd frame of one raw block; [`BODY`] follows as it is.
const RAW_FRAME: [u8; 9] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x1A, 0xD1, 0x00, 0x00];
const OK: &str = r#"{"id":"r1","object":"response","output":[]}"#;

fn raw_frame(target: &str) -> Request {
    let body = [&RAW_FRAME[..], BODY.as_bytes()].concat();
    Request::post(target, body)
}

/// Two providers; the model `m` is at the first, and the second is the default.
pub struct Pair {
    pub up: Upstream,
    other: Upstream,
    pub gateway: Gateway,
}

impl Pair {
    pub fn start(server: &str) -> Self {
        let upstream = || Upstream::with_response(response::json("200 OK", OK));
        let (up, other) = (upstream(), upstream());
        let gateway = Setup::with_upstream(&up)
            .provider("other", &other.base_url(), "")
            .top_level("default_provider = \"other\"")
            .server(server)
            .start();
        Self { up, other, gateway }
    }

    /// Sends a request, which has to arrive plain, with the model replaced.
    #[track_caller]
    fn assert_decoded(&self, request: &Request, sent: &str) {
        let response = self.gateway.send(request);
        assert_eq!(response.status, 200, "{}", response.text());
        let seen = self.up.requests().pop().unwrap();
        assert_eq!(seen.text(), sent);
        assert_eq!(seen.header("content-encoding"), None);
        assert_eq!(
            seen.header_values("content-length"),
            [sent.len().to_string()]
        );
        assert!(seen.header_values("transfer-encoding").is_empty());
        assert!(self.other.requests().is_empty());
    }

    #[track_caller]
    pub fn assert_nothing_sent(&self) {
        assert!(self.up.requests().is_empty());
        assert!(self.other.requests().is_empty());
    }
}

#[test]
fn wc01_a_compressed_body_is_decoded() {
    let pair = Pair::start("");
    let frame = || raw_frame("/v1/responses");
    for request in [
        frame().header("Content-Encoding", "zstd"),
        frame().header("Content-Encoding", "ZSTD"),
        frame().header("Content-Encoding", " identity, zstd ,"),
        frame()
            .header("Content-Encoding", "zstd")
            .header("Content-Encoding", "identity"),
        frame()
            .without("Content-Type")
            .header("Content-Encoding", "zstd"),
        raw_frame("/v1/whatever").header("Content-Encoding", "zstd"),
    ] {
        pair.assert_decoded(&request, SENT);
    }
    for coding in CODINGS {
        let request = encoded(Request::post("/v1/responses", BODY), coding);
        pair.assert_decoded(&request, SENT);
    }
}

#[test]
fn wc01_every_json_endpoint_takes_compressed_bodies() {
    let pair = Pair::start("");
    for path in [
        "chat/completions",
        "completions",
        "embeddings",
        "responses",
        "responses/compact",
        "responses/input_tokens",
        "moderations",
        "images/generations",
        "audio/speech",
        "batches",
        "fine_tuning/jobs",
        "audio/voices",
    ] {
        for prefix in ["/v1", "/openai/v1", "/providers/up/v1"] {
            let request = encoded(Request::post(&format!("{prefix}/{path}"), BODY), "zstd");
            pair.assert_decoded(&request, SENT);
        }
    }
    let deployed = Request::post("/openai/deployments/m/embeddings", r#"{"input":"hi"}"#);
    pair.assert_decoded(&encoded(deployed, "gzip"), SENT);
    let patch = Request::new("PATCH", "/v1/threads/t")
        .header("Content-Type", "application/json")
        .body(BODY);
    pair.assert_decoded(&encoded(patch, "br"), SENT);
}

#[test]
fn wc01_a_compressed_request_is_translated() {
    let completion = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&completion).start();
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let messages =
        |body: &str| Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01");
    assert_eq!(gateway.send(&messages(body)).status, 200);
    let plain = completion.only_request();
    for coding in CODINGS {
        let response = gateway.send(&encoded(messages(body), coding));
        assert_eq!(response.json()["content"][0]["text"], "hi", "{coding}");
        let seen = completion.requests().pop().unwrap();
        assert_eq!(seen.text(), plain.text(), "{coding}");
        assert_eq!(seen.header("content-encoding"), None);
    }
    let error = gateway.send(&messages(body).header("Content-Encoding", "zstd"));
    assert_eq!(error.status, 400);
    assert_eq!(error.json()["error"]["type"], "invalid_request_error");
}

#[test]
fn wc01_stacked_codings_are_decoded_from_the_last() {
    let pair = Pair::start("");
    let inner = encode("gzip", BODY.as_bytes());
    let stacked = || Request::post("/v1/responses", encode("zstd", &inner));
    for request in [
        stacked().header("Content-Encoding", "gzip, zstd"),
        stacked()
            .header("Content-Encoding", "gzip")
            .header("Content-Encoding", "zstd"),
    ] {
        pair.assert_decoded(&request, SENT);
    }
    let wrong = stacked().header("Content-Encoding", "zstd, gzip");
    assert_response::error(&pair.gateway.send(&wrong), 400, "invalid_body", None);
}

#[test]
fn wc01_identity_is_plain_everywhere() {
    let pair = Pair::start("");
    let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x--\r\n";
    let audio = Request::new("POST", "/v1/audio/transcriptions")
        .header("Content-Type", "multipart/form-data; boundary=x")
        .body(form);
    for coding in ["identity", "Identity", "IDENTITY, identity", ""] {
        for target in [
            "/v1/responses",
            "/v1/whatever",
            "/v1/batches",
            "/v1/responses/input_tokens",
        ] {
            let request = Request::post(target, BODY).header("Content-Encoding", coding);
            assert_eq!(pair.gateway.send(&request).status, 200, "{target} {coding}");
            assert_eq!(pair.up.requests().pop().unwrap().text(), SENT, "{target}");
        }
        let request = audio.clone().header("Content-Encoding", coding);
        assert_eq!(pair.gateway.send(&request).status, 200, "{coding}");
        let seen = pair.up.requests().pop().unwrap();
        assert_eq!(seen.text(), form.replace("\nm\r", "\nreal-model\r"));
    }
    assert!(pair.other.requests().is_empty());
}

#[test]
fn wc01_what_is_not_read_passes_as_it_is() {
    let pair = Pair::start("");
    let form = "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n";
    let upload = Request::new("POST", "/v1/files")
        .header("Content-Type", "multipart/form-data; boundary=x")
        .body(form);
    let bytes = Request::new("POST", "/v1/whatever")
        .header("Content-Type", "application/octet-stream")
        .body(BODY);
    for request in [
        encoded(upload, "zstd"),
        encoded(bytes.clone(), "gzip"),
        bytes.header("Content-Encoding", "foo"),
    ] {
        assert_eq!(pair.gateway.send(&request).status, 200);
        let seen = pair.other.requests().pop().unwrap();
        assert_eq!(Some(&seen.body), request.body.as_ref());
        let coding = &request.headers.last().unwrap().1;
        assert_eq!(seen.header("content-encoding"), Some(&**coding));
    }
    assert!(pair.up.requests().is_empty());
}

#[test]
fn wc01_a_compressed_form_is_decoded() {
    let pair = Pair::start("");
    let model = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n";
    let file = |size: usize| {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"";
        format!("--x\r\n{head}\r\n\r\n{}\r\n", "wave".repeat(size))
    };
    for parts in [
        [model, &file(10)],
        [&file(10), model],
        [model, &file(700_000)],
        [&file(700_000), model],
    ] {
        let form = parts.concat() + "--x--\r\n";
        for coding in ["zstd", "gzip"] {
            let request = Request::new("POST", "/v1/audio/transcriptions")
                .header("Content-Type", "multipart/form-data; boundary=x")
                .body(&form);
            let request = encoded(request, coding);
            pair.assert_decoded(&request, &form.replace("\nm\r", "\nreal-model\r"));
        }
    }
    let rubbish = Request::new("POST", "/v1/audio/transcriptions")
        .header("Content-Type", "multipart/form-data; boundary=x")
        .body(model);
    let invalid = rubbish.clone().header("Content-Encoding", "zstd");
    assert_response::error(&pair.gateway.send(&invalid), 400, "invalid_body", None);
    let unknown = rubbish.header("Content-Encoding", "foo");
    assert_response::error(
        &pair.gateway.send(&unknown),
        415,
        "unsupported_encoding",
        None,
    );
    pair.gateway.wait_until_idle();
    let held = pair.gateway.metrics().sum("trunkline_buffered_bytes", &[]);
    assert_eq!(held, Some(0.0));
}

#[test]
fn wc01_the_received_bytes_are_counted() {
    let pair = Pair::start("");
    let body = BODY.replace("hi", &"x".repeat(100_000));
    let request = encoded(Request::post("/v1/responses", &body), "zstd");
    let received = request.body.as_ref().unwrap().len();
    assert!(received < 1000, "{received}");
    let response = pair.gateway.send(&request);
    let line = pair.gateway.access_line(&response.request_id());
    assert_eq!(value(&line, "request_bytes"), received);
    let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x--\r\n";
    let request = encoded(
        Request::new("POST", "/v1/audio/transcriptions")
            .header("Content-Type", "multipart/form-data; boundary=x")
            .body(form),
        "zstd",
    );
    let response = pair.gateway.send(&request);
    let line = pair.gateway.access_line(&response.request_id());
    assert_eq!(
        value(&line, "request_bytes"),
        request.body.as_ref().unwrap().len()
    );
}

#[test]
fn wc01_a_retry_sends_the_decoded_body_again() {
    let busy = response::json("429 Busy", r#"{"error":{"message":"busy"}}"#);
    let failing = Upstream::with_response(busy);
    let serving = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::new()
        .provider("one", &failing.base_url(), "")
        .provider("two", &serving.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"one\", model = \"first\" }, \
             { provider = \"two\", model = \"second\", priority = 1 }]",
        )
        .start();
    let request = encoded(Request::chat("m"), "zstd");
    assert_eq!(gateway.send(&request).status, 200);
    for (upstream, model) in [(&failing, "first"), (&serving, "second")] {
        let seen = upstream.only_request();
        let plain = Request::chat(model).body.unwrap();
        assert_eq!(seen.text(), String::from_utf8(plain).unwrap());
        assert_eq!(seen.header("content-encoding"), None);
    }
}

#[test]
fn wc01_a_compressed_body_may_come_in_any_chunks() {
    let pair = Pair::start("");
    for coding in CODINGS {
        for sizes in [&[1][..], &[3, 1, 7]] {
            let request = encoded(Request::post("/v1/responses", BODY), coding);
            let mut client = pair.gateway.client();
            client.send(&request.chunked(sizes));
            assert_eq!(client.response().status, 200, "{coding} {sizes:?}");
            assert_eq!(pair.up.requests().pop().unwrap().text(), SENT, "{coding}");
        }
    }
}

#[test]
fn wc01_a_client_that_expects_continue_gets_it_before_its_compressed_body() {
    let pair = Pair::start("");
    let send = |coding: &str| {
        let request = encoded(Request::post("/v1/responses", BODY), "zstd")
            .without("Content-Encoding")
            .header("Content-Encoding", coding)
            .header("Expect", "100-continue");
        let length = format!(
            "Content-Length: {}\r\n",
            request.body.as_ref().unwrap().len()
        );
        let mut client = pair.gateway.client();
        client.send(&request.head(&length));
        (client, request)
    };
    let (mut client, request) = send("zstd");
    assert_eq!(client.head().status, 100);
    client.send(request.body.as_ref().unwrap());
    assert_eq!(client.response().status, 200);
    // A coding that is refused is refused before the body.
    let (mut client, _) = send("foo");
    assert_response::error(&client.response(), 415, "unsupported_encoding", None);
}
