//! The option that asks for the usage of a stream, in native chats and completions.

use serde_json::Value;

use super::{REFUSAL, asked, asks, assert_streams, strict, with_member};
use crate::support::client::Request;
use crate::support::gateway::{Setup, text, value};
use crate::support::upstream::{RecordedRequest, Upstream, response};

const JSON: &[&str] = &["Content-Type: application/json"];
/// Path and headers, without the length of the body.
fn head(request: &RecordedRequest) -> (String, Vec<(String, String)>) {
    let headers = request.headers.iter();
    let headers = headers.filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    (request.target.clone(), headers.cloned().collect())
}

fn refusals() -> Vec<(&'static str, Vec<u8>)> {
    let text = &["Content-Type: text/plain"];
    let body = |status, headers, body: &str| response::with_body(status, headers, body);
    let (bad, unprocessable) = ("400 Bad Request", "422 Unprocessable Entity");
    let forbidden = r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{"include_usage":true}}]}"#;
    let google = r#"[{"error":{"code":400,"message":"Unknown name \"streamOptions\": Cannot find field.","status":"INVALID_ARGUMENT"}}]"#;
    let keyword = r#"{"error":"create() got an unexpected keyword argument 'stream_options'"}"#;
    let padding = format!(
        r#"{{"request":"{}","param":"include_usage"}}"#,
        "x".repeat(20_000)
    );
    vec![
        ("OpenAI", body(bad, JSON, REFUSAL)),
        ("FastAPI", body(unprocessable, JSON, forbidden)),
        ("Google", body(bad, JSON, google)),
        (
            "text",
            body(unprocessable, text, "stream_options: unknown field"),
        ),
        (
            "no type",
            body(bad, &[], "Stream options are not supported."),
        ),
        ("Python", body("500 Internal Server Error", JSON, keyword)),
        ("long", body(bad, JSON, &padding)),
        (
            "in chunks",
            [
                response::head(
                    bad,
                    &[
                        "Content-Type: application/json",
                        "Transfer-Encoding: chunked",
                    ],
                )
                .into_bytes(),
                REFUSAL
                    .bytes()
                    .flat_map(|byte| response::chunk([byte]))
                    .collect(),
                response::LAST_CHUNK.to_vec(),
            ]
            .concat(),
        ),
    ]
}

#[test]
fn wu05_the_target_is_asked_again_without_what_it_refuses() {
    for (name, refusal) in refusals() {
        let upstream = strict(refusal);
        let gateway = Setup::injecting_usage(&upstream).start();
        let mut client = gateway.client();
        for _ in 0..3 {
            client.send(&Request::stream("m").bytes());
            let response = client.response();
            assert_eq!(response.status, 200, "{name}: {}", response.text());
            assert!(response.complete && response.text().ends_with("data: [DONE]\n\n"));
        }
        // Remembered from the first request on.
        assert_eq!(asked(&upstream), [true, false, false, false], "{name}");
        let [first, second] = [0, 1].map(|index| head(&upstream.requests()[index]));
        assert_eq!(first, second);
        // Usage is unknown, and so is the cost.
        for line in gateway.access_lines(3) {
            assert_eq!(text(&line, "outcome"), "ok");
            assert_eq!(value(&line, "input_tokens"), Value::Null);
        }
        gateway.wait_until_idle();
        let output = gateway.finish();
        let logged = output.matches("addition refused").count();
        assert_eq!(logged, 1, "{name}: {output}");
    }
}

#[test]
fn wu05_an_option_of_the_client_is_never_touched() {
    let upstream = strict(response::json("400 Bad Request", REFUSAL));
    let gateway = Setup::injecting_usage(&upstream).start();
    for own in [
        r#""stream_options":{"include_usage":true}"#,
        r#""stream_options":{"include_usage":false}"#,
    ] {
        let response = gateway.send(&with_member(own));
        assert_eq!(
            (response.status, response.text()),
            (400, REFUSAL.to_owned())
        );
    }
    // Nothing was learned from it.
    assert_streams(&gateway, &Request::stream("m"));
    assert_eq!(asked(&upstream), [true, true, true, false]);
    assert!(
        upstream.requests()[0]
            .text()
            .contains(r#""stream_options":{"include_usage":true}"#)
    );
}

#[test]
fn wu05_data_sources_exclude_the_option() {
    let sources = r#"[{"type":"azure_search","parameters":{"endpoint":"https://s.example"}}]"#;
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::good_stream());
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    for (member, is_added) in [
        (format!(r#""data_sources":{sources}"#), false),
        (format!(r#""data\u005fsources":{sources}"#), false),
        (r#""data_sources":null"#.to_owned(), true),
        (format!(r#""metadata":{{"data_sources":{sources}}}"#), true),
    ] {
        let before = upstream.requests().len();
        assert_streams(&gateway, &with_member(&member));
        assert_eq!(asked(&upstream)[before..], [is_added], "{member}");
    }
}

#[test]
fn each_endpoint_and_model_is_remembered_apart() {
    let upstream = strict(response::json("400 Bad Request", REFUSAL));
    let gateway = Setup::injecting_usage(&upstream)
        .model("other", "up", "other-model")
        .start();
    let completions = Request::post(
        "/v1/completions",
        r#"{"model":"m","stream":true,"prompt":"hi"}"#,
    );
    for request in [Request::stream("m"), completions, Request::stream("other")] {
        let before = upstream.requests().len();
        assert_streams(&gateway, &request);
        assert_streams(&gateway, &request);
        assert_eq!(asked(&upstream)[before..], [true, false, false]);
    }
}

#[test]
fn an_error_about_something_else_is_passed_on_and_not_remembered() {
    const ECHO: &str = r#"{"detail":[{"loc":["body","messages"],"msg":"Field required","input":{"stream_options":{"include_usage":true}}}]}"#;
    const OWN: &str =
        r#"{"detail":[{"loc":["body","messages"],"msg":"Field required","input":{}}]}"#;
    let upstream = Upstream::start(|exchange| {
        let body = if asks(&exchange.read_body()) {
            ECHO
        } else {
            OWN
        };
        exchange.send(response::json("422 Unprocessable Entity", body));
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    for _ in 0..2 {
        let response = gateway.send(&Request::stream("m"));
        assert_eq!((response.status, response.text()), (422, OWN.to_owned()));
    }
    assert_eq!(asked(&upstream), [true, false, true, false]);
    // One that does not name the option is not repeated.
    let other =
        r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    let upstream = Upstream::with_response(response::json("400 Bad Request", other));
    let gateway = Setup::injecting_usage(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert_eq!((response.status, response.text()), (400, other.to_owned()));
    assert_eq!(asked(&upstream), [true]);
}
