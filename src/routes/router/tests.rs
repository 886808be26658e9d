use http::Method;

use super::{Route, is_hello, strip_root_path};
use crate::wire::endpoint::Endpoint;

/// The id of the model that a route of the gateway's own models shows.
fn own(route: Route<'_>) -> String {
    match route {
        Route::Models => "list".to_owned(),
        Route::Model(id) => id.to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn paths_are_matched_exactly() {
    let (get, post) = (Method::GET, Method::POST);
    let chat = Some(Route::Json(Endpoint::ChatCompletions));
    assert_eq!(
        Route::match_path("/v1/chat/completions", &post, false),
        chat
    );
    for prefix in ["/v1", "/openai/v1", "/openai", "/openai/deployments/x"] {
        let find = |below| Route::match_path(&format!("{prefix}{below}"), &get, false).map(own);
        assert_eq!(find("/models"), Some("list".to_owned()), "{prefix}");
        assert_eq!(find("/models/"), Some("list".to_owned()), "{prefix}");
        for below in ["/models/a%2Fb/c", "/models/a%2Fb/c/"] {
            assert_eq!(find(below), Some("a%2Fb/c".to_owned()), "{prefix}");
        }
        assert_eq!(find("/models//"), None, "{prefix}");
    }
    for (path, method, names_provider) in [
        ("/v1/chat/completions", &get, false),
        ("/v1/chat/completions", &post, true),
        ("/v1/chat/completions/", &post, false),
        ("/openai/v1/models/a", &Method::DELETE, false),
        ("/openai/models", &get, true),
        ("/v1/chat%2fcompletions", &post, false),
        ("/v1/models/a", &Method::DELETE, false),
        ("/v1/models", &get, true),
        ("/v1/files", &get, false),
        ("/providers/x/v1/models", &get, false),
    ] {
        let found = Route::match_path(path, method, names_provider);
        assert!(
            matches!(found, Some(Route::Passthrough(_))),
            "{method} {path}"
        );
    }
    for path in [
        "/v1//chat/completions",
        "/v1/../v1/models",
        "/V1/models",
        "/v1",
        "/v1/models//",
        "/v1/v1/models",
        "/v1/api/event_logging/batch",
        "/metrics",
        "/config",
        "*",
        "",
    ] {
        assert_eq!(Route::match_path(path, &get, false), None, "{path}");
    }
}

#[test]
fn a_client_may_ask_whether_it_is_connected() {
    let (head, get) = (Method::HEAD, Method::GET);
    for (path, whole) in [
        ("/", "/"),
        ("/api/hello", "/api/hello"),
        ("/api/hello", "/llm/api/hello"),
        ("/hello", "/api/hello"),
        ("/providers/x", "/providers/x"),
        ("/providers/x/", "/providers/x/"),
        ("/providers/x/api/hello", "/api/providers/x/api/hello"),
    ] {
        assert!(is_hello(&head, path, whole), "{path} {whole}");
        assert!(!is_hello(&get, path, whole), "{path} {whole}");
    }
    for path in ["/hello", "/api", "/v1", "/providers/x/hello", "/api/hello/"] {
        assert!(!is_hello(&head, path, path), "{path}");
    }
}

#[test]
fn routes_are_served_under_the_root_path_as_well() {
    for (root, path, expected) in [
        ("", "/health", "/health"),
        ("/api", "/api/health", "/health"),
        ("/api", "/health", "/health"),
        ("/api", "/api", ""),
        ("/api", "/api/", "/"),
        ("/api", "/apiary", "/apiary"),
    ] {
        assert_eq!(strip_root_path(root, path), expected, "{root} {path}");
    }
}

/// Checks that every required member is described.
fn check_schema(path: &str, value: &serde_json::Value) {
    if let Some(required) = value.get("required").and_then(|it| it.as_array()) {
        for name in required {
            let name = name.as_str();
            let name = name.unwrap_or_else(|| panic!("{path}: required is not a name"));
            let described = value["properties"].get(name).is_some();
            assert!(described, "{path}: {name} is required, not described");
        }
    }
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                check_schema(&format!("{path}/{name}"), member);
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                check_schema(path, item);
            }
        }
        _ => {}
    }
}

#[test]
fn the_api_description_describes_what_it_requires() {
    let description: serde_json::Value =
        serde_json::from_str(include_str!("../openapi.json")).unwrap();
    check_schema("", &description["components"]["schemas"]);
}

#[test]
fn the_api_description_names_every_route() {
    let description: serde_json::Value =
        serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let described: std::collections::BTreeMap<_, Vec<_>> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, item)| (path.as_str(), item.as_object().unwrap().keys().collect()))
        .collect();
    for (path, methods) in &described {
        for method in methods {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let route = Route::match_path(path, &method, false);
            let route = route.unwrap_or_else(|| panic!("{path} is not served"));
            assert!(route.allows(&method), "{method} {path}");
        }
    }
    let mut served = vec![
        "/",
        "/chat/stream",
        "/docs",
        "/health",
        "/models",
        "/openapi.json",
        "/trunkline/limits",
        "/trunkline/page",
        "/trunkline/status",
        "/trunkline/status/events",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/models/{model}",
    ];
    let endpoints: Vec<_> = Endpoint::FAST_PATH
        .iter()
        .map(|endpoint| format!("/v1{}", endpoint.path()))
        .collect();
    served.extend(endpoints.iter().map(String::as_str));
    served.sort_unstable();
    assert_eq!(described.into_keys().collect::<Vec<_>>(), served);
}
