//! The lists of models that providers send: invalid, large and paginated ones.

use serde_json::{Value, json};

use super::discovery::{ALL, await_discoveries, ids, models};
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

#[test]
fn an_invalid_list_adds_nothing_and_is_not_quoted() {
    let huge = format!("[{}{{\"id\":\"x\"}}]", "{\"id\":\"a\"},".repeat(220_000));
    let bodies = [
        ("401 Unauthorized", "{\"error\":\"sk-secret\"}".to_owned()),
        ("302 Found", String::new()),
        ("200 OK", "<html>sk-secret</html>".to_owned()),
        ("200 OK", "{\"data\":[{\"id\":\"a\"}".to_owned()),
        ("200 OK", huge),
    ];
    let upstreams =
        bodies.map(|(status, body)| Upstream::with_response(response::json(status, &body)));
    let mut setup = Setup::new();
    for (number, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{number}"), &upstream.base_url(), "");
    }
    let truncated = Upstream::start(|exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{\"id\":\"a\"}]");
        exchange.close();
    });
    let gateway = setup
        .provider("cut", &truncated.base_url(), "")
        .model("m", "p0", "x")
        .start();
    for _ in 0..2 {
        assert_eq!(ids(&gateway, ALL), ["m"]);
    }
    for (provider, why) in [
        ("p0", "status 401"),
        ("p1", "status 302"),
        ("p2", "not a list of models"),
        ("p3", "not a list of models"),
        ("p4", "larger than"),
        ("cut", "incomplete response"),
    ] {
        gateway.await_log("WARN", &[&format!("\"{provider}\""), why], 1);
        await_discoveries(&gateway, provider, "failed", 1.0);
    }
    let stdout = gateway.finish();
    assert!(!stdout.contains("secret"), "{stdout}");
}

#[test]
fn large_lists_and_odd_names_are_reduced_to_usable_models() {
    let mut models: Vec<Value> = (0..10_500)
        .map(|n| json!({ "id": format!("m{n}") }))
        .collect();
    models.insert(0, json!({ "id": "line\nbreak" }));
    models.insert(0, json!({ "id": "x".repeat(300) }));
    models.insert(0, json!({ "id": 7 }));
    let body = json!(models).to_string();
    let upstream = Upstream::with_response(response::json("200 OK", &body));
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "")
        .start();
    let ids = ids(&gateway, ALL);
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|id| id.starts_with("up/m")));
}

/// Two pages, in the format of Anthropic's API.
fn paginated_upstream() -> Upstream {
    Upstream::start(|exchange| {
        let model = |id: &str| {
            json!({
                "type": "model", "id": id, "display_name": id.to_uppercase(),
                "created_at": "2025-02-19T00:00:00Z",
            })
        };
        let page = if exchange.request().target.contains("after_id=b%2Db") {
            json!({ "data": [model("c")], "has_more": false, "first_id": "c", "last_id": "c" })
        } else {
            let data = [model("a"), model("b-b")];
            json!({ "data": data, "has_more": true, "first_id": "a", "last_id": "b-b" })
        };
        exchange.send(response::json("200 OK", &page.to_string()));
    })
}

#[test]
fn paginated_lists_are_read_to_the_end() {
    let upstream = paginated_upstream();
    let gateway = Setup::new()
        .provider(
            "claude",
            &upstream.base_url(),
            "discover = true\nauth = \"x-api-key\"\ndialects = [\"messages\"]",
        )
        .start();
    let models = models(&gateway, &Request::get("/v1/models"));
    let ids: Vec<_> = models.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["claude/a", "claude/b-b", "claude/c"]);
    assert_eq!(models[0]["created"], 1_739_923_200);
    assert!(
        upstream
            .requests()
            .iter()
            .all(|it| it.header("x-api-key").is_some()
                && it.header_values("anthropic-version") == ["2023-06-01"])
    );
}

#[test]
fn anthropics_sdk_gets_the_list_in_its_own_format() {
    let upstream = paginated_upstream();
    let gateway = Setup::new()
        .provider("claude", &upstream.base_url(), "discover = true")
        .model("m", "claude", "a")
        .key("k", "tk", "models = [\"m\", \"claude/a\"]")
        .start();
    let send = |key: &str, target: &str| {
        let request = Request::get(target).header("anthropic-version", "2023-06-01");
        gateway.send(&request.header("x-api-key", key))
    };
    let alias = json!({
        "type": "model", "id": "m", "display_name": "m", "created_at": "1970-01-01T00:00:00Z",
    });
    let listed = json!({
        "type": "model", "id": "claude/a", "display_name": "A",
        "created_at": "2025-02-19T00:00:00Z",
    });
    let expected = json!({
        "data": [alias, listed], "has_more": false, "first_id": "m", "last_id": "claude/a",
    });
    assert_eq!(send("tk", "/v1/models?limit=20").json(), expected);
    assert_eq!(send("tk", "/v1/models/m").json(), alias);
    assert_eq!(send("tk", "/v1/models/claude%2Fa").json(), listed);
    for (key, target, status, kind) in [
        ("tk", "/v1/models/nothing", 404, "not_found_error"),
        ("wrong", "/v1/models/m", 401, "authentication_error"),
        ("wrong", "/v1/models", 401, "authentication_error"),
    ] {
        let response = send(key, target);
        assert_eq!(response.status, status);
        let error = response.json();
        assert_eq!(error["type"], "error");
        assert_eq!(error["error"]["type"], kind);
        assert!(error["error"]["message"].as_str().unwrap().len() > 20);
        assert_eq!(error["request_id"], response.request_id());
    }
}
