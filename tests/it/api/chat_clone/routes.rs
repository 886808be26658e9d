//! The paths of the clone, its list of models, origins, keys and `.env`.

use super::{PAGE, assert_error, assert_page_may_read, clone_with, dotenv, get, post, with_dotenv};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::upstream::{Upstream, response};

const ALL_MODELS: &str = r#"{"models":["gpt-4o","gpt-4-turbo","gpt-3.5-turbo","llama3-70b-groq","llama3-8b-groq","mistral-large","mistral-small"]}"#;

#[test]
fn s7_the_page_gets_its_list_with_its_env_as_it_is() {
    let (upstream, gateway) = clone_with(response::good_stream());
    for target in ["/api/models", "/models", "/api/models/"] {
        let list = gateway.send(&get(target));
        assert_eq!((list.status, &*list.text()), (200, ALL_MODELS), "{target}");
        assert_eq!(list.header("content-type"), Some("application/json"));
        assert_page_may_read(&list);
    }
    let health = gateway.send(&get("/api/health"));
    assert_eq!(
        (health.status, &*health.text()),
        (200, r#"{"status":"ok"}"#)
    );
    // The page is also reached by the other names of this machine.
    for origin in ["http://127.0.0.1:5173", "http://[::1]:5173"] {
        let request = Request::get("/api/models").header("Origin", origin);
        let list = gateway.send(&request);
        assert_eq!(list.status, 200, "{origin}");
        assert_eq!(list.header("access-control-allow-origin"), Some(origin));
    }
    for origin in ["http://localhost:5174", "https://localhost:5173"] {
        let request = Request::get("/api/models").header("Origin", origin);
        assert_response::error(&gateway.send(&request), 403, "forbidden_origin", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn s7_only_models_with_a_key_are_listed() {
    let list = |dotenv: &str| {
        let gateway = with_dotenv(dotenv).start();
        gateway.send(&Request::get("/api/models")).text()
    };
    let groq = list("GROQ_API_KEY=gsk-1\nOPENAI_API_KEY=\n");
    assert_eq!(groq, r#"{"models":["llama3-70b-groq","llama3-8b-groq"]}"#);
    // The clone had no model then.
    assert_eq!(list("MOTD=x\n"), r#"{"models":["demo"]}"#);
}

#[test]
fn s7_own_models_follow_those_of_the_clone() {
    let upstream = Upstream::with_response(response::good_stream());
    let setup = with_dotenv("MISTRAL_API_KEY=x").provider("up", &upstream.base_url(), "");
    let setup = setup.model("b", "up", "x").model("a", "up", "x");
    let gateway = setup
        .key("alice", "tk-1", "")
        .key("bob", "tk-2", "models = [\"b\"]");
    let gateway = gateway.start();
    for (key, expected) in [
        (
            "tk-1",
            r#"{"models":["mistral-large","mistral-small","a","b"]}"#,
        ),
        ("tk-2", r#"{"models":["b"]}"#),
    ] {
        let list = gateway.send(&Request::get("/api/models").key(key));
        assert_eq!(list.text(), expected);
    }
    assert_eq!(gateway.send(&Request::get("/api/models")).status, 401);
}

#[test]
fn s7_preflights_with_credentials_are_granted() {
    let (_upstream, gateway) = clone_with(response::good_stream());
    for target in ["/api/chat/stream", "/chat/stream", "/api/models"] {
        let preflight = Request::new("OPTIONS", target)
            .header("Origin", PAGE)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type");
        let granted = gateway.send(&preflight);
        assert_eq!(granted.status, 204, "{target}");
        assert_page_may_read(&granted);
        let headers = granted.header("access-control-allow-headers");
        assert_eq!(headers, Some("content-type"));
    }
}

#[test]
fn s7_client_keys_hold_here_too() {
    let upstream = Upstream::with_response(response::good_stream());
    let setup = with_dotenv(&dotenv(&upstream)).key("alice", "tk-1", "models = [\"gpt-4o\"]");
    let gateway = setup.start();
    assert_error(&gateway.send(&post("gpt-4o")), 401, "AuthenticationError");
    assert_eq!(gateway.send(&post("gpt-4o").key("tk-1")).status, 200);
    let other = gateway.send(&post("mistral-small").key("tk-1"));
    assert_error(&other, 400, "ConfigurationError");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn s7_the_root_path_is_api_unless_it_is_set() {
    for (root_path, served, missing) in [
        ("", "/api", "/llm"),
        ("/", "", "/api"),
        ("/api/", "/api", "/llm"),
        ("/llm", "/llm", "/api"),
    ] {
        let setup = with_dotenv("OPENAI_API_KEY=x").env("ROOT_PATH", root_path);
        let gateway = setup.start();
        for below in ["/health", "/models", "/v1/models", "/docs", "/"] {
            for prefix in ["", served] {
                let found = gateway.send(&Request::get(&format!("{prefix}{below}")));
                assert_eq!(found.status, 200, "{root_path:?}: {prefix}{below}");
            }
            let found = gateway.send(&Request::get(&format!("{missing}{below}")));
            assert_response::error(&found, 404, "unknown_url", None);
        }
        let target = format!("{missing}/chat/stream");
        let lost = gateway.send(&Request::post(&target, "{}"));
        let message = assert_response::error(&lost, 404, "unknown_url", None);
        assert!(
            message.contains("docs/migrate-from-the-clone.md"),
            "{message}"
        );
    }
}

#[test]
fn s7_other_methods_are_refused() {
    let (_upstream, gateway) = clone_with(response::good_stream());
    for (method, target, allow) in [
        ("GET", "/api/chat/stream", "POST, OPTIONS"),
        ("PUT", "/chat/stream", "POST, OPTIONS"),
        ("POST", "/api/models", "GET, HEAD, OPTIONS"),
        ("DELETE", "/models", "GET, HEAD, OPTIONS"),
    ] {
        let refused = gateway.send(&Request::new(method, target));
        let message = assert_response::error(&refused, 405, "method_not_allowed", None);
        assert!(
            message.contains("docs/migrate-from-the-clone.md"),
            "{message}"
        );
        assert_eq!(refused.header("allow"), Some(allow), "{method} {target}");
    }
}

/// An SDK with a base URL that lacks `/v1` is not given a list that it takes for an empty
/// one.
#[test]
fn wc06_an_sdk_without_v1_in_its_base_url_gets_the_hint() {
    let (_upstream, gateway) = clone_with(response::good_stream());
    for header in ["x-stainless-lang", "anthropic-version"] {
        for target in ["/models", "/api/models"] {
            let refused = gateway.send(&Request::get(target).header(header, "x"));
            assert_eq!(refused.status, 404, "{target}");
            let text = refused.text();
            assert!(text.contains("This is served at /v1/models"), "{text}");
        }
    }
}

#[test]
fn s6_lines_of_env_that_mean_something_else_do_not_stop_the_start() {
    let upstream = Upstream::with_response(response::good_stream());
    let text = "MOTD=Hello big world\nJSON={\"a\": 1}\nNOVALUE\nbad-name=canary-canary\nMSG=it's\n\
                ADDITIONAL_CORS_ORIGINS=https://a.example, https://b.example\n";
    let gateway = with_dotenv(&(dotenv(&upstream) + text)).start();
    let origin = Request::get("/api/models").header("Origin", "https://b.example");
    assert_eq!(gateway.send(&origin).status, 200);
    let warnings = gateway.await_log("WARN", &[".env:", "the line is ignored"], 2);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(!gateway.finish().contains("canary-canary"));
}
