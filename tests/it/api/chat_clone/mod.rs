//! The API of the chat clone: what its page asks its backend for, and its `.env`.

mod routes;
mod streams;

use serde_json::{Value, json};

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;

const PAGE: &str = "http://localhost:5173";

/// The clone's `.env` as its README has it made from `.env.example`, with the key filled
/// in and a provider of the test.
fn dotenv(upstream: &Upstream) -> String {
    let base_url = upstream.base_url();
    format!(
        r#"# Rename this file to .env and fill in your API keys and base URLs
# -----------------------------------------------------------------
OPENAI_API_KEY="sk-clone-0001"
OPENAI_BASE_URL="{base_url}" # Optional: Defaults to OpenAI if not set.

# --- Groq ---
GROQ_API_KEY="gsk_clone-0002"
GROQ_BASE_URL="{base_url}" # Required for Groq (uses OpenAI-compatible endpoint)

MISTRAL_API_KEY="clone-0003"
MISTRAL_BASE_URL="{base_url}" # Required for Mistral

# GEMINI_API_KEY="YOUR_TOGETHER_AI_KEY"
# ROOT_PATH=/api

VITE_API_BASE_URL=http://localhost:8000/api
# VITE_API_BASE_URL=https://yourdomain.com/chat-api # If backend is at /chat-api via proxy
FRONTEND_URL=http://localhost:5173
# ADDITIONAL_CORS_ORIGINS=
"#
    )
}

fn with_dotenv(dotenv: &str) -> Setup {
    let setup = Setup::new();
    setup.file(".env", dotenv.as_bytes());
    setup
}

fn clone_with(response: impl AsRef<[u8]>) -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response);
    let gateway = with_dotenv(&dotenv(&upstream)).start();
    (upstream, gateway)
}

/// `fetch(url)` of the page.
fn get(target: &str) -> Request {
    Request::get(target).header("Origin", PAGE)
}

/// `fetch(url, {method: "POST", …})` of the page.
fn post(model: &str) -> Request {
    let messages = json!([
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": "Hello" },
        { "role": "user", "content": "h\u{e9}" },
    ]);
    post_body(&json!({ "model": model, "messages": messages }).to_string())
}

fn post_body(body: &str) -> Request {
    Request::post("/api/chat/stream", body).header("Origin", PAGE)
}

/// The data of the events, which must have the form of sse-starlette.
#[track_caller]
fn events(response: &Response) -> Vec<String> {
    assert_eq!(
        response.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(response.header("cache-control"), Some("no-cache"));
    assert_eq!(response.header("x-accel-buffering"), Some("no"));
    let text = response.text();
    let events = text.strip_suffix("\r\n\r\n").expect("an event at the end");
    let data = events.split("\r\n\r\n").map(|event| {
        let data = event.strip_prefix("data: ").expect("a data field");
        assert!(!data.contains(['\r', '\n']), "{data:?}");
        data.to_owned()
    });
    data.collect()
}

#[track_caller]
fn assert_error(response: &Response, status: u16, kind: &str) -> String {
    assert_eq!(response.status, status, "{}", response.text());
    let events = events(response);
    assert_eq!(events.len(), 1, "{events:?}");
    let error: Value = serde_json::from_str(&events[0]).unwrap();
    assert_eq!(error["error"]["code"], status);
    assert_eq!(error["error"]["type"], kind);
    error["error"]["message"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_page_may_read(response: &Response) {
    assert_eq!(response.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(
        response.header("access-control-allow-credentials"),
        Some("true")
    );
}
