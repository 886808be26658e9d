use serde_json::json;

use super::{MESSAGE, MESSAGES, responses};
use crate::support::assert_response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

struct TwoDialects {
    messages: Upstream,
    chat: Upstream,
    gateway: Gateway,
}

impl TwoDialects {
    /// `model` is `[models.m]`, of the providers `ant` and `oai`.
    fn start(model: &str) -> Self {
        let messages = Upstream::with_response(response::json("200 OK", MESSAGE));
        let chat = Upstream::with_response(response::completion("hi"));
        let gateway = Setup::new()
            .provider("ant", &messages.base_url(), MESSAGES)
            .provider(
                "oai",
                &chat.base_url(),
                "dialects = [\"chat\", \"responses\"]",
            )
            .section(&format!("[models.m]\n{model}"))
            .section("[models.spare]\nprovider = \"oai\"\nmodel = \"x\"")
            .start();
        Self {
            messages,
            chat,
            gateway,
        }
    }
}

/// What Claude cannot be asked for.
fn untranslatable() -> Vec<Request> {
    let members = [
        json!({"seed": 1}),
        json!({"n": 2}),
        json!({"logprobs": true}),
        json!({"temperature": 1.2}),
        json!({"response_format": {"type": "json_object"}}),
    ];
    let request = |member: &serde_json::Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        let member = member.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(member);
        Request::post("/v1/chat/completions", body.to_string())
    };
    members.iter().map(request).collect()
}

const ALTERNATIVES: [&str; 2] = [
    "targets = [{ provider = \"ant\", model = \"x\", weight = 1000 }, { provider = \"oai\", model = \"x\" }]",
    "provider = \"ant\"\nmodel = \"x\"\nfallbacks = [\"spare\"]",
];

#[test]
fn ca5_a_target_that_cannot_take_the_request_is_passed_over() {
    for model in ALTERNATIVES {
        let it = TwoDialects::start(model);
        let embedding = Request::post("/v1/embeddings", r#"{"model":"m","input":"x"}"#);
        let requests = untranslatable().into_iter().chain([embedding]);
        for (count, request) in requests.enumerate() {
            let response = it.gateway.send(&request);
            assert_eq!(response.status, 200, "{}", response.text());
            assert_eq!(response.header("x-trunkline-provider"), Some("oai"));
            assert_eq!(response.header("x-trunkline-attempts"), Some("1"));
            assert_eq!(it.chat.requests().len(), count + 1);
        }
        assert!(it.messages.requests().is_empty());
        it.gateway.wait_until_idle();
        let metrics = it.gateway.metrics();
        let attempts =
            |provider| metrics.sum("trunkline_attempts_total", &[("provider", provider)]);
        assert_eq!(attempts("oai"), Some(6.0));
        assert!(matches!(attempts("ant"), None | Some(0.0)));
        for line in it.gateway.access_lines(6) {
            assert_eq!(
                (&line["attempts"], &line["provider"]),
                (&json!(1), &json!("oai"))
            );
        }
    }
}

#[test]
fn ca5_a_target_that_takes_the_request_as_it_is_needs_no_other() {
    let it = TwoDialects::start(ALTERNATIVES[0]);
    let response = it.gateway.send(&responses());
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("x-trunkline-attempts"), Some("1"));
}

#[test]
fn ca5_the_error_comes_where_no_target_is_left() {
    let it = TwoDialects::start(
        "targets = [{ provider = \"ant\", model = \"x\" }, { provider = \"ant\", model = \"y\" }]",
    );
    for request in untranslatable() {
        let response = it.gateway.send(&request);
        assert_eq!(response.status, 400, "{}", response.text());
        assert!(response.json()["error"]["param"].is_string());
        assert_eq!(response.header("x-should-retry"), Some("false"));
        assert_eq!(response.header("x-trunkline-attempts"), Some("0"));
    }
    let embedding = Request::post("/v1/embeddings", r#"{"model":"m","input":"x"}"#);
    let response = it.gateway.send(&embedding);
    assert_response::error(&response, 400, "unsupported_endpoint", None);
    assert!(it.messages.requests().is_empty());
    it.gateway.wait_until_idle();
    let attempts = it.gateway.metrics().sum("trunkline_attempts_total", &[]);
    assert!(matches!(attempts, None | Some(0.0)), "{attempts:?}");
}

/// A failure of a target that was asked says more than one that was not.
#[test]
fn ca5_the_failure_of_the_other_target_is_reported() {
    let failing = r#"{"error":{"message":"Down","type":"server_error","param":null,"code":null}}"#;
    let chat = Upstream::with_response(response::json("500 Internal Server Error", failing));
    let messages = Upstream::with_response(response::json("200 OK", MESSAGE));
    let gateway = Setup::new()
        .provider("ant", &messages.base_url(), MESSAGES)
        .provider("oai", &chat.base_url(), "dialects = [\"chat\"]")
        .section(&format!("[models.m]\n{}", ALTERNATIVES[0]))
        .start();
    let response = gateway.send(&untranslatable()[0]);
    assert_eq!(
        (response.status, response.text()),
        (500, failing.to_owned())
    );
    assert_eq!(response.header("x-trunkline-attempts"), Some("1"));
}

#[test]
fn ca5_a_hedge_that_cannot_take_the_request_is_none() {
    let messages = Upstream::with_response(response::json("200 OK", MESSAGE));
    let release = std::sync::Arc::new(std::sync::Barrier::new(2));
    let gate = std::sync::Arc::clone(&release);
    let chat = Upstream::start(move |exchange| {
        exchange.read_body();
        gate.wait();
        exchange.send(response::completion("hi"));
    });
    let gateway = Setup::new()
        .provider("ant", &messages.base_url(), MESSAGES)
        .provider("oai", &chat.base_url(), "dialects = [\"chat\"]")
        .log("level = \"debug\"")
        .section(
            "[models.m]\ntargets = [{ provider = \"oai\", model = \"x\", weight = 1000 }, { provider = \"ant\", model = \"x\", weight = 1 }]\nhedge = { after = \"20ms\" }",
        )
        .start();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| gateway.send(&untranslatable()[0]));
        gateway.await_log("DEBUG", &["target passed over", "\"provider\":\"ant\""], 1);
        release.wait();
        let response = sent.join().unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("x-trunkline-attempts"), Some("1"));
    });
    assert!(messages.requests().is_empty());
}
