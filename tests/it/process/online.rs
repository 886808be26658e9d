//! `check --online`: what a provider's list says about its address, its key and the
//! names of its models.

use crate::support::gateway::{Setup, run};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, response};

const SECRET: &str = "kQz7Hn2vLw9Rb-literal";

/// Exit code and output of `check --online`; never with the key.
fn check(setup: &Setup) -> (Option<i32>, String) {
    let (status, stdout, stderr) = run(setup, &["check", "--online"]);
    let output = stdout + &stderr;
    assert!(!output.contains(SECRET), "{output}");
    let online = output.split_once("Asked the providers");
    let online = online.map_or(&*output, |(_, online)| online);
    (status.code(), online.to_owned())
}

/// A provider `up` with a key in `UP_KEY`, and the alias `fast`.
fn setup(base_url: &str, model: &str, lines: &str) -> Setup {
    let provider =
        format!("[providers.up]\nbase_url = \"{base_url}\"\napi_key_env = \"UP_KEY\"\n{lines}");
    Setup::new()
        .section(&provider)
        .model("fast", "up", model)
        .env("UP_KEY", SECRET)
}

fn listing(body: &str) -> Upstream {
    Upstream::with_response(response::json("200 OK", body))
}

fn with_status(status: &str) -> Upstream {
    Upstream::with_response(response::json(status, "{\"error\":{\"message\":\"no\"}}"))
}

#[test]
fn good_keys_and_names_are_reported_with_exit_code_0() {
    for (body, model) in [
        (
            r#"{"object":"list","data":[{"id":"m-1"},{"id":"m-2"}]}"#,
            "m-2",
        ),
        // Together, Gemini, Ollama, Anthropic.
        (r#"[{"id":"a"},{"id":"b/c"}]"#, "b/c"),
        (r#"{"data":[{"id":"models/g"},{"id":"models/h"}]}"#, "g"),
        (r#"{"data":[{"id":"llama3:latest"},{"id":"x"}]}"#, "llama3"),
        (
            r#"{"data":[{"id":"c-4-5-20251001"},{"id":"d"}],"has_more":false,"last_id":"d"}"#,
            "c-4-5",
        ),
    ] {
        let upstream = listing(body);
        let (code, output) = check(&setup(&upstream.base_url(), model, ""));
        assert_eq!(code, Some(0), "{output}");
        let ok = "ok: up: accepts the key in UP_KEY and lists 2 models";
        assert!(output.contains(ok), "{output}");
        assert!(
            !output.contains("error: ") && !output.contains("warning: "),
            "{output}"
        );
        let request = upstream.only_request();
        assert_eq!((&*request.method, &*request.target), ("GET", "/v1/models"));
        let key = format!("Bearer {SECRET}");
        assert_eq!(request.header("authorization"), Some(&*key));
    }
}

#[test]
fn a_name_that_is_not_listed_is_an_error_with_the_nearest_names() {
    let upstream = listing(r#"{"data":[{"id":"gpt-oss-120b"},{"id":"whisper"}]}"#);
    let (code, output) = check(&setup(&upstream.base_url(), "gpt-os-120b", ""));
    assert_eq!(code, Some(1), "{output}");
    let error = "error: fast: up lists no model \"gpt-os-120b\"; did you mean gpt-oss-120b?";
    assert!(output.contains(error), "{output}");
    assert!(output.contains("check --online found 1 error"), "{output}");

    // An empty list, as that of a new Ollama.
    let upstream = listing(r#"{"object":"list","data":null}"#);
    let (code, output) = check(&setup(&upstream.base_url(), "x", ""));
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("correct it in [models.fast]"), "{output}");
}

#[test]
fn a_built_in_alias_that_is_not_listed_is_a_warning() {
    let upstream = listing(r#"{"data":[{"id":"openai/gpt-oss-120b"}]}"#);
    let setup = Setup::new()
        .env("GROQ_API_KEY", SECRET)
        .env("GROQ_BASE_URL", &upstream.base_url());
    let (code, output) = check(&setup);
    assert_eq!(code, Some(0), "{output}");
    let warning = "warning: llama3-8b-groq: groq lists no model \"openai/gpt-oss-20b\"";
    assert!(output.contains(warning), "{output}");
    assert!(!output.contains("warning: llama3-70b-groq"), "{output}");
}

#[test]
fn a_shutdown_date_in_the_list_is_a_warning() {
    for (date, warns) in [
        ("\"2027-01-14\"", true),
        ("null", false),
        ("\"soon\"", false),
        ("\"2027-13-45\"", false),
        ("7", false),
    ] {
        let upstream = listing(&format!(
            r#"{{"data":[{{"id":"m","shutdown_date":{date}}}]}}"#
        ));
        let (code, output) = check(&setup(&upstream.base_url(), "m", ""));
        assert_eq!(code, Some(0), "{output}");
        let warning = "warning: fast: up shuts down \"m\" on 2027-01-14";
        assert_eq!(output.contains(warning), warns, "{date}: {output}");
    }
}

#[test]
fn a_refusal_names_where_the_key_or_the_address_is_set() {
    for (status, expected) in [
        (
            "401 Unauthorized",
            &["error: up: refuses the key in UP_KEY (401)"][..],
        ),
        (
            "403 Forbidden",
            &["error: up: refuses the key in UP_KEY (403)"],
        ),
        ("400 Bad Request", &["error: up: ", "(400)", "UP_KEY"]),
        (
            "404 Not Found",
            &[
                "error: up: no list of models at",
                "providers.up.base_url",
                "/v1",
            ],
        ),
        ("405 Method Not Allowed", &["error: up: no list of models"]),
        (
            "307 Temporary Redirect",
            &["error: up: redirects (307)", "providers.up.base_url"],
        ),
        ("500 Internal Server Error", &["error: up: fails (500)"]),
        ("418 Teapot", &["error: up: refuses the request (418)"]),
    ] {
        let upstream = with_status(status);
        let (code, output) = check(&setup(&upstream.base_url(), "m", ""));
        assert_eq!(code, Some(1), "{output}");
        for part in expected {
            assert!(output.contains(part), "{status}: no {part:?} in {output}");
        }
    }
}

#[test]
fn what_a_provider_does_not_tell_is_not_checked() {
    for (upstream, lines, expected) in [
        (
            with_status("429 Too Many Requests"),
            "",
            "not checked: up: limits the rate of requests (429)",
        ),
        (
            with_status("404 Not Found"),
            "discover = false",
            "not checked: up: lists no models (404)",
        ),
        // Azure's list has models, but requests name deployments.
        (
            listing(r#"{"data":[{"id":"gpt-4o"}]}"#),
            "api_version = \"2024-10-21\"",
            "not checked: up: the list does not show which names",
        ),
    ] {
        let url = upstream.base_url().replace("/v1", "/openai");
        let (code, output) = check(&setup(&url, "m", lines));
        assert_eq!(code, Some(0), "{output}");
        assert!(output.contains(expected), "{output}");
    }
}

#[test]
fn what_is_not_a_list_means_another_address() {
    for body in ["<html>hello</html>", "{}", r#"{"data":{}}"#, "7", ""] {
        let upstream = listing(body);
        let (code, output) = check(&setup(&upstream.base_url(), "m", ""));
        assert_eq!(code, Some(1), "{output}");
        let error = "error: up: the response is not a list of models; correct the address";
        assert!(output.contains(error), "{body}: {output}");
    }
}

#[test]
fn a_provider_that_cannot_be_reached_is_an_error_with_the_cure() {
    let (code, output) = check(&setup(&refused_base_url(), "m", ""));
    assert_eq!(code, Some(1), "{output}");
    for part in [
        "error: up: no response from http://127.0.0.1:",
        "start the server",
    ] {
        assert!(output.contains(part), "{output}");
    }
}

#[test]
fn a_silent_provider_does_not_delay_the_others_beyond_the_limit() {
    let silent = Upstream::start(|exchange: &mut Exchange<'_>| {
        exchange.wait_for_disconnect();
    });
    let quick = listing(r#"{"data":[{"id":"m"}]}"#);
    let setup = setup(&quick.base_url(), "m", "")
        .provider("silent", &silent.base_url(), "")
        .section("[discovery]\ntimeout = \"300ms\"");
    let (code, output) = check(&setup);
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("error: silent: no list in time"),
        "{output}"
    );
    assert!(output.contains("ok: up: accepts the key"), "{output}");
}

#[test]
fn each_key_of_a_provider_is_tried() {
    let upstream = Upstream::start(|exchange: &mut Exchange<'_>| {
        let is_good = exchange.request().header("authorization") == Some("Bearer good");
        let list = response::json("200 OK", r#"{"data":[{"id":"m"}]}"#);
        let refusal = response::json("401 Unauthorized", "{}");
        exchange.send(if is_good { list } else { refusal });
    });
    let keys = "api_keys = [{ env = \"GOOD\" }, { env = \"BAD\" }]";
    let setup = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\n{keys}",
            upstream.base_url()
        ))
        .model("fast", "up", "m")
        .env("GOOD", "good")
        .env("BAD", SECRET);
    let (code, output) = check(&setup);
    assert_eq!(code, Some(1), "{output}");
    for line in [
        "ok: up: accepts the key in GOOD",
        "error: up: refuses the key in BAD (401)",
    ] {
        assert!(output.contains(line), "{output}");
    }
}

#[test]
fn a_provider_without_a_key_that_requires_one_says_so() {
    let upstream = with_status("401 Unauthorized");
    let url = upstream.base_url();
    let setup = Setup::new().section(&format!("[providers.up]\nbase_url = \"{url}\""));
    let (code, output) = check(&setup);
    assert_eq!(code, Some(1), "{output}");
    let error = "error: up: requires a key (401); set providers.up.api_key_env";
    assert!(output.contains(error), "{output}");
}

#[test]
fn without_the_option_and_without_a_ready_provider_none_is_asked() {
    let upstream = listing(r#"{"data":[]}"#);
    let (status, stdout, _) = run(&setup(&upstream.base_url(), "m", ""), &["check"]);
    assert_eq!(status.code(), Some(0), "{stdout}");
    assert!(upstream.requests().is_empty());
    let (code, output) = check(&Setup::new());
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.contains("No provider is ready, so none was asked."),
        "{output}"
    );
}

#[test]
fn the_script_asks_for_every_built_in_alias_and_price() {
    let upstream = listing(r#"{"data":[{"id":"openai/gpt-oss-120b"}]}"#);
    let root = env!("CARGO_MANIFEST_DIR");
    // Elsewhere, so that no .env of the developer is read.
    let elsewhere = Setup::new();
    let script = std::process::Command::new("python3")
        .arg(format!("{root}/config/check-models.py"))
        .current_dir(elsewhere.directory())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TRUNKLINE_BIN", env!("CARGO_BIN_EXE_trunkline"))
        .env("GROQ_API_KEY", SECRET)
        .env("GROQ_BASE_URL", upstream.base_url())
        .output()
        .unwrap();
    let output = String::from_utf8(script.stdout).unwrap();
    assert_eq!(script.status.code(), Some(1), "{output}");
    for alias in [
        "providers.toml: llama3-8b-groq",
        "prices.toml: groq/openai/gpt-oss-20b",
    ] {
        let error = format!("error: {alias}: groq lists no model \"openai/gpt-oss-20b\"");
        assert!(output.contains(&error), "{output}");
    }
    assert!(
        !output.contains("llama3-70b-groq") && !output.contains(SECRET),
        "{output}"
    );
}

#[test]
fn the_log_at_start_names_the_ready_aliases_whose_model_is_shut_down() {
    let gateway = Setup::new().env("GROQ_API_KEY", SECRET).start();
    let output = gateway.finish();
    assert!(output.contains("llama3-70b-groq: groq shut llama3-70b-8192 down on 2025-08-31"));
    assert!(!output.contains("gpt-4-turbo"), "{output}");
}
