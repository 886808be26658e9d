//! No secret leaks: canaries are placed wherever a secret can be, and every output
//! is searched for them, also truncated, encoded and hashed.

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::upstream::leak::leak;

/// Random strings without common parts, so that no match is by chance.
const UPSTREAM: &str = "uKq7Zp2vXw9RbT4nLs8Yd3Hf6JgMc5Ae";
const CLIENT: &str = "cWm3Vt8hQz5PxN7kSb2Ry9Gj4DfLe6Ua";
const WRONG: &str = "wJf9Bn4sTd7KqX2mHv6Lz3Pc8RgYa5Eu";
const PROMPT: &str = "pHx5Lr9gWk2TzC8vMd4Ns7Qb3JyFa6Ie";
const COMPLETION: &str = "oTz8Gc3nVq6LwD5xRk9Hm2Bs7PyJf4Au";

/// Everything observable of one run.
struct Exposure {
    /// Responses made by the gateway, or without the completion.
    responses: Vec<Vec<u8>>,
    /// Heads of the responses with the completion.
    heads: Vec<Vec<u8>>,
    /// Log, metrics, traces and config dump.
    inside: Vec<Vec<u8>>,
}

#[track_caller]
fn assert_clean(outputs: &[Vec<u8>], secrets: &[(&str, &str)]) {
    for output in outputs {
        for (name, secret) in secrets {
            if let Some(around) = leak(output, secret) {
                panic!("the {name} leaks: …{around}…");
            }
        }
    }
}

/// A request with the prompt.
fn request_with_prompt(model: &str, stream: bool) -> Request {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"user":"{PROMPT}","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#
    );
    Request::post("/v1/chat/completions", body).key(CLIENT)
}

/// An upstream whose behaviour depends on the model, and which echoes the
/// credential wherever an upstream might.
fn leaky_upstream() -> Upstream {
    Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let is_model = |what: &str| body.contains(&format!("\"model\":\"{what}\""));
        if is_model("good") {
            let stream = response::stream(&[
                response::delta(COMPLETION),
                response::finish(),
                response::usage(1, 2),
                response::DONE.to_owned(),
            ]);
            exchange.send(if body.contains("\"stream\":true") {
                stream
            } else {
                response::completion(COMPLETION)
            });
        } else if is_model("echo") {
            let body = format!(
                r#"{{"error":{{"message":"bad key {UPSTREAM}","type":"x","code":"x","param":null}}}}"#
            );
            exchange.send(response::with_body(
                "401 Unauthorized",
                &[
                    "Content-Type: application/json",
                    &format!("WWW-Authenticate: Bearer realm=\"{UPSTREAM}\""),
                ],
                body,
            ));
        } else if is_model("page") {
            exchange.send(response::with_body(
                "502 Bad",
                &["Content-Type: text/html"],
                format!("<p>{UPSTREAM} {PROMPT}</p>"),
            ));
        } else if is_model("broken-head") {
            exchange.send(format!(
                "HTTP/1.1 200 OK\r\nBad {UPSTREAM} {COMPLETION}: x\r\n\r\n"
            ));
            exchange.close();
        } else if is_model("redirect") {
            exchange.send(response::with_body(
                "302 Found",
                &[&format!("Location: http://127.0.0.1:1/?key={UPSTREAM}")],
                "",
            ));
        } else if is_model("cut") {
            exchange.send(response::stream_head());
            exchange.send(response::chunk(
                response::delta(COMPLETION) + "data: {\"half",
            ));
            exchange.close();
        } else {
            exchange.close();
        }
    })
}

/// Runs every case, successful or not, at this log level.
fn run_all(level: &str) -> (Exposure, u16) {
    let upstream = leaky_upstream();
    let authority = CertificateAuthority::new();
    let flawed = Upstream::start_tls(authority.server(Flaw::Expired, &[]), |_| {});
    let setup = Setup::new();
    let collector = crate::telemetry::traces::collector();
    let base_url = upstream.base_url();
    let mut gateway = setup
        .log(&format!("level = \"{level}\""))
        .provider_with_key("up", &base_url, UPSTREAM, "stream_usage = \"inject\"")
        .provider_with_key("header", &base_url, UPSTREAM, "auth = \"api-key\"")
        .section(&format!(
            "[providers.environment]\nbase_url = \"{base_url}\"\napi_key_env = \"SOME_KEY\""
        ))
        .env("SOME_KEY", UPSTREAM)
        .provider_with_key("nowhere", &refused_base_url(), UPSTREAM, "")
        .provider_with_key("flawed", &flawed.base_url(), UPSTREAM, "")
        .model("m", "up", "good")
        .section(&crate::telemetry::traces::traces_section(
            &collector.base_url(),
            "ratio = \"1\"",
        ))
        .key("alice", CLIENT, "")
        .key("carol", &format!("{CLIENT}-2"), "models = [\"nothing\"]")
        .start();
    let mut exposure = Exposure {
        responses: Vec::new(),
        heads: Vec::new(),
        inside: Vec::new(),
    };
    successful_requests(&gateway, &mut exposure);
    failing_requests(&gateway, &mut exposure);
    for path in ["/metrics", "/config", "/livez", "/readyz", "/nothing"] {
        let response = gateway.get_admin(path);
        exposure
            .inside
            .push([response.head.raw, response.body].concat());
    }
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
    exposure.inside.push(gateway.output().into_bytes());
    let exports = collector.requests();
    assert!(!exports.is_empty(), "nothing was traced");
    for export in exports {
        let text = export.text();
        assert!(!text.contains("127.0.0.1"), "an address leaks: {text}");
        exposure.inside.push([export.head, export.body].concat());
    }
    (exposure, upstream.port())
}

fn successful_requests(gateway: &Gateway, exposure: &mut Exposure) {
    for model in ["m", "up/good", "header/good", "environment/good"] {
        for stream in [false, true] {
            let response = gateway.send(&request_with_prompt(model, stream));
            assert_eq!(response.status, 200, "{model}: {}", response.text());
            assert!(response.text().contains(COMPLETION));
            exposure.heads.push(response.head.raw);
        }
    }
    for target in [
        "/v1/models",
        "/v1/models/m",
        "/health",
        "/openapi.json",
        "/",
    ] {
        exposure
            .responses
            .push(raw_bytes(gateway.send(&Request::get(target).key(CLIENT))));
    }
}

fn failing_requests(gateway: &Gateway, exposure: &mut Exposure) {
    let mut requests = vec![
        request_with_prompt("m", false)
            .without("Authorization")
            .key(WRONG),
        request_with_prompt("m", false)
            .without("Authorization")
            .header("api-key", WRONG),
        request_with_prompt("m", false)
            .without("Authorization")
            .key(&format!("{CLIENT}-2")),
        request_with_prompt("no-such-model", false),
        request_with_prompt("m", false).header("Content-Encoding", "gzip"),
        request_with_prompt("m", false)
            .without("Content-Type")
            .header("Content-Type", "text/plain"),
        Request::post(
            "/v1/chat/completions",
            format!("{{\"model\":\"m\",\"a\":\"{PROMPT}\""),
        )
        .key(CLIENT),
        Request::post("/v1/chat/completions", format!("{{\"{PROMPT}\":{PROMPT}}}")).key(CLIENT),
        Request::post(
            "/v1/chat/completions",
            format!("{{\"a\":\"{PROMPT}\",\"model\":7}}"),
        )
        .key(CLIENT),
    ];
    for (model, stream) in [
        ("echo", false),
        ("page", true),
        ("broken-head", false),
        ("redirect", false),
        ("vanish", true),
    ] {
        requests.push(request_with_prompt(&format!("up/{model}"), stream));
        requests.push(request_with_prompt(&format!("header/{model}"), stream));
    }
    requests.extend(["nowhere/x", "flawed/x"].map(|model| request_with_prompt(model, true)));
    let mut in_query = request_with_prompt("m", false).without("Authorization");
    in_query.target = format!("{}?api_key={WRONG}", in_query.target);
    requests.push(in_query);
    for request in requests {
        let response = gateway.send(&request);
        assert!(
            response.status >= 400,
            "{}: {}",
            response.status,
            response.text()
        );
        exposure.responses.push(raw_bytes(response));
    }
    let truncated = gateway.send(&request_with_prompt("up/cut", true));
    assert!(!truncated.complete);
    exposure.heads.push(truncated.head.raw);
    let mut disconnecting = gateway.client();
    disconnecting.send(&request_with_prompt("m", true).bytes()[..200]);
    drop(disconnecting);
    gateway.wait_until_idle();
}

fn raw_bytes(response: Response) -> Vec<u8> {
    [response.head.raw, response.body].concat()
}

#[track_caller]
fn assert_nothing_leaks(level: &str) {
    let (exposure, port) = run_all(level);
    let keys = [
        ("upstream's key", UPSTREAM),
        ("client's key", CLIENT),
        ("wrong key", WRONG),
    ];
    let content = [("prompt", PROMPT), ("completion", COMPLETION)];
    let all: Vec<(&str, &str)> = keys.into_iter().chain(content).collect();
    assert_clean(&exposure.inside, &all);
    assert_clean(&exposure.responses, &all);
    assert_clean(&exposure.heads, &all);
    let address = format!("127.0.0.1:{port}");
    for response in exposure.responses.iter().chain(&exposure.heads) {
        let text = String::from_utf8_lossy(response);
        assert!(
            !text.contains(&address),
            "an upstream's address leaks: {text}"
        );
        assert!(
            !text.contains("/tmp/") && !text.contains("src/"),
            "a path leaks: {text}"
        );
    }
}

#[test]
fn s01_nothing_leaks_at_the_default_log_level() {
    assert_nothing_leaks("info");
}

#[test]
fn s01_nothing_leaks_at_the_most_verbose_log_level() {
    assert_nothing_leaks("trace");
}

#[test]
fn the_clients_credentials_are_not_forwarded() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", CLIENT, "")
        .start();
    for name in ["Authorization", "api-key", "x-api-key"] {
        let value = if name == "Authorization" {
            format!("Bearer {CLIENT}")
        } else {
            CLIENT.to_owned()
        };
        let request = Request::chat("m")
            .header(name, &value)
            .header("Cookie", &format!("session={CLIENT}"));
        assert_eq!(gateway.send(&request).status, 200);
    }
    for seen in upstream.requests() {
        assert_eq!(leak(&[seen.head, seen.body].concat(), CLIENT), None);
    }
}

#[test]
fn a_providers_key_is_never_sent_to_another_provider() {
    let [one, two] = [(); 2].map(|()| Upstream::with_response(response::completion("hi")));
    let gateway = Setup::new()
        .provider_with_key("one", &one.base_url(), UPSTREAM, "")
        .provider_with_key("two", &two.base_url(), WRONG, "auth = \"x-api-key\"")
        .start();
    assert_eq!(gateway.send(&Request::chat("one/x")).status, 200);
    assert_eq!(gateway.send(&Request::chat("two/x")).status, 200);
    assert_eq!(leak(&one.only_request().head, WRONG), None);
    assert_eq!(leak(&two.only_request().head, UPSTREAM), None);
    assert!(leak(&one.only_request().head, UPSTREAM).is_some());
    assert!(leak(&two.only_request().head, WRONG).is_some());
}

#[test]
fn a_literal_key_causes_a_warning_without_the_key() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::new()
        .provider_with_key("up", &upstream.base_url(), UPSTREAM, "")
        .start();
    gateway.await_log("WARN", &["api_key"], 1);
    assert_eq!(leak(gateway.finish().as_bytes(), UPSTREAM), None);
}
