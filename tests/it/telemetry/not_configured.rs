//! Requests for what the operator has not configured (docs/faults.md#a16).

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, response};

const LACKING: &str =
    "[providers.lacking]\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key_env = \"LACKING_KEY\"";

fn setup() -> Setup {
    Setup::new()
        .section(LACKING)
        .section("[models.alone]\nprovider = \"lacking\"")
        .section("[models.two]\ntargets = [{ provider = \"lacking\", model = \"a\" }, { provider = \"lacking\", model = \"b\" }]")
        .section("[models.chain]\nprovider = \"lacking\"\nfallbacks = [\"alone\"]")
}

/// One request is counted under this name, and nothing under another.
#[track_caller]
fn assert_counted(gateway: &Gateway, model: &str, count: f64) {
    let labels = [
        ("model", model),
        ("provider", "lacking"),
        ("outcome", "not_configured"),
        ("status", "5xx"),
    ];
    gateway.await_metric("trunkline_requests_total", &labels, count);
    for wrong in [("model", "unknown"), ("outcome", "client_error")] {
        let sum = gateway.metrics().sum("trunkline_requests_total", &[wrong]);
        assert!(matches!(sum, None | Some(0.0)), "{wrong:?}: {sum:?}");
    }
}

#[test]
fn a16_an_alias_without_its_key_is_counted_under_its_name() {
    let gateway = setup().top_level("demo = \"on\"").start();
    for model in ["alone", "two", "chain"] {
        // There from the start, so that an alert sees the first one.
        assert_counted(&gateway, model, 0.0);
        let response = gateway.send(&Request::chat(model));
        let message =
            assert_response::error(&response, 503, "upstream_not_configured", Some("model"));
        assert!(message.contains("LACKING_KEY"), "{message}");
        assert_counted(&gateway, model, 1.0);
    }
    for line in gateway.access_lines(3) {
        assert!(["alone", "two", "chain"].contains(&&*text(&line, "model")));
        assert_eq!(text(&line, "provider"), "lacking");
        assert_eq!(text(&line, "status"), "503");
        assert_eq!(text(&line, "outcome"), "not_configured");
        assert_eq!(text(&line, "code"), "upstream_not_configured");
    }
}

#[test]
fn a16_a_provider_without_its_key_is_counted_under_its_name() {
    let gateway = setup()
        .top_level("demo = \"on\"\ndefault_provider = \"lacking\"")
        .start();
    let form = Request::get("/v1/files");
    let by_name = Request::get("/providers/lacking/v1/files");
    for (count, request) in (1..).zip([Request::chat("lacking/x"), form, by_name]) {
        let response = gateway.send(&request);
        assert_response::error(&response, 503, "upstream_not_configured", Some("model"));
        assert_counted(&gateway, "lacking/*", f64::from(count));
    }
}

#[test]
fn a16_a_fallback_with_a_key_serves() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = setup()
        .provider("up", &upstream.base_url(), "")
        .model("good", "up", "x")
        .section("[models.saved]\nprovider = \"lacking\"\nfallbacks = [\"good\"]")
        .start();
    assert_eq!(gateway.send(&Request::chat("saved")).status, 200);
    let labels = [("model", "saved"), ("provider", "up"), ("outcome", "ok")];
    gateway.await_metric("trunkline_requests_total", &labels, 1.0);
}

/// A key without access learns nothing, and is counted for no model.
#[test]
fn a16_a_model_that_a_key_may_not_use_is_a_clients_error() {
    let gateway = setup()
        .top_level("demo = \"on\"")
        .key("team", "tk-team", "models = [\"other\"]")
        .start();
    for model in ["alone", "lacking/x"] {
        let response = gateway.send(&Request::chat(model).key("tk-team"));
        assert_response::error(&response, 404, "model_not_found", Some("model"));
    }
    let labels = [("model", "unknown"), ("outcome", "client_error")];
    gateway.await_metric("trunkline_requests_total", &labels, 2.0);
}
