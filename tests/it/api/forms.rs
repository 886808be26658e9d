//! Multipart forms: the model in them is found and replaced, wherever it stands.

use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, reply};

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
    Upstream::answering(reply::json("200 OK", r#"{"text":"hi"}"#))
}

#[test]
fn a_model_is_replaced_and_every_other_byte_kept() {
    let upstream = transcribed();
    let gateway = Setup::over(&upstream).start();
    let model = field("model", "m");
    let large = "\r\n--xy\0\n".repeat(400_000);
    for parts in [
        vec![model.clone(), file("x")],
        vec![file("x"), model.clone()],
        vec![field("language", "de"), model.clone(), file(&large)],
        vec![file(&large), model.clone(), field("language", "de")],
    ] {
        let request = form(TARGET, &parts);
        let whole = request.body.clone().unwrap();
        let renamed = String::from_utf8(whole)
            .unwrap()
            .replace(&model, &field("model", "real-model"));
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, &*answer.text()), (200, r#"{"text":"hi"}"#));
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.body == renamed.as_bytes(), "{} bytes", seen.body.len());
        assert_eq!(seen.all("content-length"), [renamed.len().to_string()]);
        // And where no length was announced.
        let mut client = gateway.client();
        client.send(&request.chunked(&[1, 7, 65_536]));
        assert_eq!(client.answer().status, 200);
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.body == renamed.as_bytes(), "{} bytes", seen.body.len());
    }
}

#[test]
fn a_form_without_a_model_goes_where_others_go() {
    let (one, two) = (transcribed(), transcribed());
    let gateway = Setup::new()
        .provider("one", &one.base_url(), "")
        .provider("two", &two.base_url(), "")
        .root("default_provider = \"two\"")
        .start();
    for target in ["/v1/images/variations", "/v1/files", "/v1/next/year"] {
        let request = form(target, &[field("purpose", "x"), file("y")]);
        assert_eq!(gateway.ask(&request).status, 200, "{target}");
        let seen = two.requests().pop().unwrap();
        assert_eq!((&*seen.target, Some(seen.body)), (target, request.body));
    }
    let request = form(TARGET, &[file("y")]);
    assert_response::error(&gateway.ask(&request), 400, "missing_field", Some("model"));
    let unknown = form(TARGET, &[field("model", "nobody"), file("y")]);
    assert_response::error(
        &gateway.ask(&unknown),
        404,
        "model_not_found",
        Some("model"),
    );
    assert!(one.requests().is_empty());
}

#[test]
fn abuse_is_refused_before_anything_is_sent() {
    let upstream = transcribed();
    let gateway = Setup::over(&upstream).start();
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
        assert_response::error(&client.answer(), 400, code, param);
    }
    for kind in ["multipart/form-data", "multipart/form-data; boundary="] {
        let request = form(TARGET, std::slice::from_ref(&model)).without("content-type");
        let answer = gateway.ask(&request.header("Content-Type", kind));
        assert_response::error(&answer, 400, "invalid_multipart", None);
    }
    let mut cut = form(TARGET, &[model]);
    cut.body = cut.body.map(|body| body[..body.len() - 6].to_vec());
    assert_response::error(&gateway.ask(&cut), 400, "invalid_multipart", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_second_model_behind_a_large_file_does_not_arrive() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.forget();
    });
    let gateway = Setup::over(&upstream).start();
    let large = "x".repeat(3_000_000);
    let parts = [field("model", "m"), file(&large), field("model", "n")];
    let mut client = gateway.client();
    client.send(&form(TARGET, &parts).bytes());
    assert_response::error(&client.answer(), 400, "duplicate_field", Some("model"));
    // Where nobody counts on a model, one must not come late.
    let parts = [file(&large), field("model", "m")];
    let mut client = gateway.client();
    client.send(&form("/v1/next/year", &parts).bytes());
    assert_response::error(&client.answer(), 400, "invalid_multipart", Some("model"));
    upstream.ended(2);
}

#[test]
fn files_in_front_of_the_model_have_their_limits() {
    let upstream = transcribed();
    let gateway = Setup::over(&upstream)
        .server("max_spool = \"2MiB\"")
        .start();
    let parts = [file(&"x".repeat(4_000_000)), field("model", "m")];
    let mut client = gateway.client();
    client.send(&form(TARGET, &parts).bytes());
    assert_response::error(&client.answer(), 503, "overloaded", None);
    let parts = [file(&"x".repeat(1_500_000)), field("model", "m")];
    assert_eq!(gateway.ask(&form(TARGET, &parts)).status, 200);
    let nowhere = Setup::over(&upstream)
        .server("spool_dir = \"/nowhere/at/all\"")
        .start();
    let answer = nowhere.ask(&form(TARGET, &parts));
    assert_response::error(&answer, 413, "request_too_large", Some("model"));
    crate::support::wait::until("a word to the operator", || {
        (nowhere.lines_at("ERROR").len() == 1).then_some(())
    });
}

#[test]
fn a_small_form_is_tried_again_elsewhere() {
    let gone = Upstream::answering(reply::json("500 Oops", r#"{"error":{}}"#));
    let good = transcribed();
    let gateway = Setup::new()
        .provider("gone", &gone.base_url(), "")
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
        let answer = gateway.ask(&form(TARGET, &parts));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-trunkline-provider"), Some("good"));
    }
}
