//! Multipart forms: the model in them is found and replaced, at any position.

use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

const TARGET: &str = "/v1/audio/transcriptions";

fn field(name: &str, value: &str) -> String {
    format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"";
    format!("--xyz\r\n{head}\r\nContent-Type: audio/wav\r\n\r\n{content}\r\n")
}

fn form(target: &str, parts: &[String]) -> Request {
    Request::new("POST", target)
        .header("Content-Type", "multipart/form-data; boundary=xyz")
        .body(format!("{}--xyz--\r\n", parts.concat()))
}

fn transcribed() -> Upstream {
    Upstream::with_response(response::json("200 OK", r#"{"text":"hi"}"#))
}

#[test]
fn a_model_is_replaced_and_every_other_byte_kept() {
    let upstream = transcribed();
    let gateway = Setup::with_upstream(&upstream).start();
    let model = field("model", "m");
    let large = "\r\n--xy\0\n".repeat(400_000);
    for parts in [
        vec![model.clone(), file("x")],
        vec![file("x"), model.clone()],
        vec![field("language", "de"), model.clone(), file(&large)],
        vec![file(&large), model.clone(), field("language", "de")],
    ] {
        let request = form(TARGET, &parts);
        let body = request.body.clone().unwrap();
        let renamed = String::from_utf8(body)
            .unwrap()
            .replace(&model, &field("model", "real-model"));
        let response = gateway.send(&request);
        assert_eq!(
            (response.status, &*response.text()),
            (200, r#"{"text":"hi"}"#)
        );
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.body == renamed.as_bytes(), "{} bytes", seen.body.len());
        assert_eq!(
            seen.header_values("content-length"),
            [renamed.len().to_string()]
        );
        // The same without a Content-Length.
        let mut client = gateway.client();
        client.send(&request.chunked(&[1, 7, 65_536]));
        assert_eq!(client.response().status, 200);
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.body == renamed.as_bytes(), "{} bytes", seen.body.len());
    }
}

#[test]
fn a_form_without_a_model_is_routed_like_other_requests() {
    let (one, two) = (transcribed(), transcribed());
    let gateway = Setup::new()
        .provider("one", &one.base_url(), "")
        .provider("two", &two.base_url(), "")
        .top_level("default_provider = \"two\"")
        .start();
    for target in ["/v1/images/variations", "/v1/files", "/v1/next/year"] {
        let request = form(target, &[field("purpose", "x"), file("y")]);
        assert_eq!(gateway.send(&request).status, 200, "{target}");
        let seen = two.requests().pop().unwrap();
        assert_eq!((&*seen.target, Some(seen.body)), (target, request.body));
    }
    let request = form(TARGET, &[file("y")]);
    assert_response::error(&gateway.send(&request), 400, "missing_field", Some("model"));
    let unknown = form(TARGET, &[field("model", "no-such-model"), file("y")]);
    assert_eq!(gateway.send(&unknown).status, 200);
    assert_eq!(Some(two.requests().pop().unwrap().body), unknown.body);
    assert!(one.requests().is_empty());
}

#[test]
fn invalid_forms_are_rejected_before_anything_is_sent() {
    let upstream = transcribed();
    let gateway = Setup::with_upstream(&upstream).start();
    let model = field("model", "m");
    let headers = format!("--xyz\r\nX: {}", "a".repeat(100_000));
    for (parts, code, param) in [
        (
            vec![model.clone(), field("model", "m")],
            "duplicate_field",
            Some("model"),
        ),
        (vec![field("model", "")], "invalid_type", Some("model")),
        (
            vec![field("model", &"m".repeat(100_000))],
            "invalid_type",
            Some("model"),
        ),
        (vec![headers], "invalid_multipart", None),
        (
            vec!["--xyzlie\r\n\r\n".to_owned(), model.clone()],
            "invalid_multipart",
            None,
        ),
        (
            vec![field("a", "b").repeat(10_001), model.clone()],
            "invalid_multipart",
            None,
        ),
    ] {
        let mut client = gateway.client();
        client.send(&form(TARGET, &parts).bytes());
        assert_response::error(&client.response(), 400, code, param);
    }
    for kind in ["multipart/form-data", "multipart/form-data; boundary="] {
        let request = form(TARGET, std::slice::from_ref(&model)).without("content-type");
        let response = gateway.send(&request.header("Content-Type", kind));
        assert_response::error(&response, 400, "invalid_multipart", None);
    }
    let mut truncated = form(TARGET, &[model]);
    truncated.body = truncated.body.map(|body| body[..body.len() - 6].to_vec());
    assert_response::error(&gateway.send(&truncated), 400, "invalid_multipart", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_second_model_after_a_large_file_is_not_forwarded() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.discard_record();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let large = "x".repeat(3_000_000);
    let parts = [field("model", "m"), file(&large), field("model", "n")];
    let mut client = gateway.client();
    client.send(&form(TARGET, &parts).bytes());
    assert_response::error(&client.response(), 400, "duplicate_field", Some("model"));
    // Where the route needs no model, one must not follow a large file.
    let parts = [file(&large), field("model", "m")];
    let mut client = gateway.client();
    client.send(&form("/v1/next/year", &parts).bytes());
    assert_response::error(&client.response(), 400, "invalid_multipart", Some("model"));
    upstream.wait_for_closed(2);
}

#[test]
fn files_before_the_model_are_limited() {
    let upstream = transcribed();
    let gateway = Setup::with_upstream(&upstream)
        .server("max_spool = \"2MiB\"")
        .start();
    let parts = [file(&"x".repeat(4_000_000)), field("model", "m")];
    let mut client = gateway.client();
    client.send(&form(TARGET, &parts).bytes());
    assert_response::error(&client.response(), 503, "overloaded", None);
    let parts = [file(&"x".repeat(1_500_000)), field("model", "m")];
    assert_eq!(gateway.send(&form(TARGET, &parts)).status, 200);
    let nowhere = Setup::with_upstream(&upstream)
        .server("spool_dir = \"/nowhere/at/all\"")
        .start();
    let response = nowhere.send(&form(TARGET, &parts));
    assert_response::error(&response, 413, "request_too_large", Some("model"));
    nowhere.await_log("ERROR", &[], 1);
}

#[test]
fn a_small_form_fails_over() {
    let failing = Upstream::with_response(response::json("500 Oops", r#"{"error":{}}"#));
    let good = transcribed();
    let gateway = Setup::new()
        .provider("gone", &failing.base_url(), "")
        .provider("good", &good.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"gone\", model = \"x\" }]\nfallbacks = [\"n\"]",
        )
        .model("n", "good", "y")
        .start();
    for parts in [
        [field("model", "m"), file("x")],
        [file(&"x".repeat(2_000_000)), field("model", "m")],
    ] {
        let response = gateway.send(&form(TARGET, &parts));
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("x-trunkline-provider"), Some("good"));
    }
}
