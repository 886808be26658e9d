//! Paths of clients whose base URL has too much or too little at its end, and paths that
//! are asked for beside the API.

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const BODY: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

/// Paths that are not served, and those named in place of them.
const DOUBLED: [(&str, &str); 24] = [
    ("/v1/v1/chat/completions", "/v1/chat/completions"),
    ("/v1/v1/messages", "/v1/messages"),
    ("/v1/v1/messages/count_tokens", "/v1/messages/count_tokens"),
    ("/v1/v1/responses", "/v1/responses"),
    ("/v1/v1/embeddings", "/v1/embeddings"),
    ("/v1/v1/models", "/v1/models"),
    (
        "/v1/chat/completions/chat/completions",
        "/v1/chat/completions",
    ),
    (
        "/v1/chat/completions/v1/chat/completions",
        "/v1/chat/completions",
    ),
    ("/v1/chat/completions/embeddings", "/v1/embeddings"),
    ("/v1/chat/completions/models", "/v1/models"),
    ("/v1/messages/v1/messages", "/v1/messages"),
    ("/v1/messages/messages", "/v1/messages"),
    ("/v1/responses/v1/responses", "/v1/responses"),
    ("/v1/completions/completions", "/v1/completions"),
    (
        "/providers/up/v1/v1/chat/completions",
        "/providers/NAME/v1/chat/completions",
    ),
    (
        "/providers/up/v1/messages/v1/messages",
        "/providers/NAME/v1/messages",
    ),
    ("/openai/v1/v1/responses", "/v1/responses"),
    (
        "/openai/deployments/m/v1/chat/completions",
        "/openai/deployments/NAME/chat/completions",
    ),
    ("/v1/openai/v1/chat/completions", "/v1/chat/completions"),
    ("/v1//chat/completions", "/v1/chat/completions"),
    ("/chat/completions", "/v1/chat/completions"),
    ("/messages", "/v1/messages"),
    ("/V1/Chat/Completions", "/v1/chat/completions"),
    ("/anthropic/v1/embeddings", "/v1/embeddings"),
];

/// A gateway with the model `m`, with and without a default provider.
fn gateways(upstream: &Upstream) -> [Gateway; 2] {
    let two = || Setup::with_upstream(upstream).provider("other", &upstream.base_url(), "");
    [
        two().start(),
        two().top_level("default_provider = \"up\"").start(),
    ]
}

#[track_caller]
fn assert_no_request_with(gateway: &Gateway, outcome: &str) {
    let metrics = gateway.metrics();
    let requests = metrics.sum("trunkline_requests_total", &[("outcome", outcome)]);
    assert!(requests.unwrap_or_default() < 0.5, "{requests:?}");
}

fn upstream() -> Upstream {
    Upstream::with_response(response::completion("hi"))
}

#[test]
fn wc06_a_doubled_path_names_the_one_that_is_served() {
    let upstream = upstream();
    let gateways = gateways(&upstream);
    for (path, served) in DOUBLED {
        for gateway in &gateways {
            for request in [
                Request::post(path, BODY),
                Request::post(&format!("{path}?beta=true"), BODY)
                    .header("X-Trunkline-Provider", "up"),
                Request::get(path),
            ] {
                let response = gateway.send(&request);
                let message = assert_response::error(&response, 404, "unknown_url", None);
                let served = format!("at {served}. ");
                assert!(message.contains(&served), "{path}: {message}");
            }
        }
    }
    let double = Request::post("/v1/v1/messages", BODY).header("anthropic-version", "2023-06-01");
    let error = gateways[0].send(&double).json();
    assert_eq!(error["error"]["type"], "not_found_error", "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("base URL ends in /v1 already"),
        "{message}"
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn wc06_a_path_with_nothing_to_hint_at_is_refused_all_the_same() {
    let upstream = upstream();
    for gateway in &gateways(&upstream) {
        for path in [
            "/v1/v1/whatever",
            "/v1/v1",
            "/providers/up/v1/v1/files",
            "/v1/files/v1/files",
            "/v1/batches/batches",
        ] {
            for request in [Request::post(path, BODY), Request::get(path)] {
                assert_response::error(&gateway.send(&request), 404, "unknown_url", None);
            }
        }
        let delete = Request::new("DELETE", "/v1/models/v1/models");
        assert_response::error(&gateway.send(&delete), 404, "unknown_url", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn wc06_a_called_endpoint_is_served_with_a_slash_at_its_end() {
    let upstream = upstream();
    for gateway in &gateways(&upstream) {
        for (path, sent) in [
            ("/v1/chat/completions/", "/v1/chat/completions"),
            ("/v1/chat/completions/?a=b", "/v1/chat/completions?a=b"),
            ("/v1/embeddings/", "/v1/embeddings"),
            ("/v1/responses/", "/v1/responses"),
            ("/v1/messages/", "/v1/chat/completions"),
            ("/openai/v1/completions/", "/v1/completions"),
            ("/openai/deployments/m/embeddings/", "/v1/embeddings"),
            ("/providers/up/v1/moderations/", "/v1/moderations"),
        ] {
            let response = gateway.send(&Request::post(path, BODY));
            assert_eq!(response.status, 200, "{path}: {}", response.text());
            let seen = upstream.requests().pop().unwrap();
            assert_eq!(seen.target, sent, "{path}");
            assert!(seen.text().contains("real-model"), "{path}");
        }
        assert_eq!(gateway.send(&Request::get("/v1/models/")).status, 200);
        assert_eq!(
            gateway.send(&Request::get("/v1/models/m/")).json()["id"],
            "m"
        );
    }
    // Other paths are the upstream's to interpret.
    let [_, with_default] = gateways(&upstream);
    assert_eq!(with_default.send(&Request::get("/v1/files/")).status, 200);
    assert_eq!(upstream.requests().pop().unwrap().target, "/v1/files/");
}

#[test]
fn wc07_models_are_served_below_every_prefix() {
    let upstream = upstream();
    let gateway = Setup::with_upstream(&upstream)
        .model("team/fast", "up", "x")
        .server("root_path = \"/gate\"")
        .start();
    for root in ["", "/gate"] {
        for prefix in ["/v1", "/openai/v1", "/openai", "/openai/deployments/m"] {
            let get = |below: &str, method: &str| {
                gateway.send(&Request::new(method, &format!("{root}{prefix}{below}")))
            };
            let list = get("/models?api-version=2024-10-21", "GET").json();
            let ids: Vec<_> = list["data"].as_array().unwrap().iter().collect();
            assert!(
                ids.iter().any(|model| model["id"] == "m"),
                "{prefix}: {list}"
            );
            for below in ["/models/team/fast", "/models/team%2Ffast"] {
                assert_eq!(get(below, "GET").json()["id"], "team/fast", "{prefix}");
                let head = get(below, "HEAD");
                assert_eq!((head.status, head.body.len()), (200, 0), "{prefix}");
            }
            assert_eq!(get("/models", "HEAD").status, 200, "{prefix}");
            let unknown = get("/models/none/such", "GET");
            assert_response::error(&unknown, 404, "model_not_found", Some("model"));
        }
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn wc07_the_models_of_a_named_provider_are_its_own() {
    let list = r#"{"object":"list","data":[{"id":"theirs"}]}"#;
    let upstream = Upstream::with_response(response::json("200 OK", list));
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    for path in [
        "/providers/up/v1/models",
        "/providers/up/v1/models/team/fast",
    ] {
        client.send(&Request::get(path).bytes());
        assert_eq!(client.response().text(), list, "{path}");
        client.send(&Request::new("HEAD", path).bytes());
        let head = client.response();
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let length = list.len().to_string();
        assert_eq!(head.header("content-length"), Some(&*length));
        let sent = upstream.requests().pop().unwrap();
        assert_eq!(format!("/providers/up{}", sent.target), path);
        assert_eq!(sent.method, "GET");
    }
    gateway.wait_until_idle();
    assert_no_request_with(&gateway, "cancelled");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn wc07_unknown_queries_of_the_list_of_models_are_ignored() {
    let upstream = upstream();
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    for query in [
        "client_version=0.155.0",
        "client_version=&discover=",
        "discover=maybe",
        "limit=1000&after_id=x",
    ] {
        let request = Request::get(&format!("/v1/models?{query}"));
        let response = gateway.send(&request.clone().key("tk-alice"));
        let list = response.json();
        assert_eq!(
            (response.status, &list["object"]),
            (200, &"list".into()),
            "{query}"
        );
        assert_eq!(list["data"][0]["id"], "m", "{query}");
        assert_response::error(&gateway.send(&request), 401, "invalid_api_key", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn wc03_head_has_a_response_without_a_body() {
    let upstream = upstream();
    let with_page = |page: bool| {
        Setup::with_upstream(&upstream)
            .top_level("default_provider = \"up\"")
            .server(&format!("page = {page}"))
    };
    for gateway in [
        with_page(true).start(),
        with_page(false).start(),
        with_page(true).key("alice", "tk-alice", "").start(),
    ] {
        // All on one connection.
        let mut client = gateway.client();
        for (path, status) in [
            ("/", 200),
            ("/v1/messages", 405),
            ("/health", 200),
            ("/v1/nothing/v1/nothing", 405),
            ("/v1/v1/models", 404),
            ("/api/hello", 200),
            ("/", 200),
        ] {
            client.send(&Request::new("HEAD", path).bytes());
            let head = client.response();
            assert_eq!((head.status, head.body.len()), (status, 0), "{path}");
            assert_eq!(head.header("connection"), None, "{path}");
        }
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn wc03_an_agents_reports_about_itself_go_to_no_provider() {
    let upstream = upstream();
    let report = format!(r#"{{"events":["{}"]}}"#, "x".repeat(200 * 1024));
    for gateway in gateways(&upstream) {
        for path in [
            "/api/event_logging/batch",
            "/v1/api/event_logging/batch",
            "/v1/api/event_logging/v2/batch",
            "/v1/api/claude_code/metrics",
            "/v1/api/claude_cli_feedback",
            "/providers/up/api/event_logging/batch",
            "/providers/up/v1/api/event_logging/batch",
            "/openai/v1/api/event_logging/batch",
        ] {
            for _ in 0..3 {
                let response = gateway.send(&Request::post(path, &report));
                assert_response::error(&response, 404, "unknown_url", None);
            }
        }
        assert_no_request_with(&gateway, "upstream_error");
        assert!(!gateway.finish().contains("event_logging"));
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn health_checks_are_served_by_any_host_name() {
    let gateway = Setup::new()
        .server("root_path = \"/gate\"\nallowed_hosts = [\"gateway.internal\"]")
        .start();
    for host in [
        "10.0.0.9:8080",
        "kube-probe",
        "gateway.example",
        "[fd00::1]:1",
    ] {
        let named = |method: &str, path: &str| {
            let request = Request::new(method, path).without("Host");
            gateway.send(&request.header("Host", host))
        };
        for path in ["/health", "/gate/health"] {
            let response = named("GET", path);
            assert_eq!(response.json()["status"], "ok", "{host}");
            assert_eq!(named("HEAD", path).status, 200, "{host}");
        }
        for path in ["/", "/v1/models", "/healthy", "/health/"] {
            let refused = named("GET", path);
            assert_response::error(&refused, 403, "forbidden_origin", None);
        }
    }
    let without_host = |head: &[u8]| {
        let mut client = Client::connect(gateway.listen);
        client.send(head);
        client.response().status
    };
    assert_eq!(without_host(b"GET /health HTTP/1.0\r\n\r\n"), 200);
    assert_eq!(without_host(b"GET /v1/models HTTP/1.0\r\n\r\n"), 400);
    assert_eq!(without_host(b"GET /health HTTP/1.1\r\n\r\n"), 400);
    let twice = b"GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n";
    assert_eq!(without_host(twice), 400);
}
