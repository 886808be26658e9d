use super::{Route, below_root};
use crate::wire::endpoint::Endpoint;

#[test]
fn matches_paths_exactly() {
    assert_eq!(
        Route::find("/v1/chat/completions"),
        Some(Route::Call(Endpoint::ChatCompletions))
    );
    assert_eq!(
        Route::find("/v1/models/a%2Fb/c"),
        Some(Route::Model("a%2Fb/c"))
    );
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/../v1/models",
        "/v1/chat%2fcompletions",
        "/V1/models",
        "/v1",
        "/v1/models/",
        "/metrics",
        "/config",
        "*",
        "",
    ] {
        assert_eq!(Route::find(path), None, "{path}");
    }
}

#[test]
fn serves_below_the_root_path_as_well() {
    for (root, path, expected) in [
        ("", "/health", "/health"),
        ("/api", "/api/health", "/health"),
        ("/api", "/health", "/health"),
        ("/api", "/api", ""),
        ("/api", "/api/", "/"),
        ("/api", "/apiary", "/apiary"),
    ] {
        assert_eq!(below_root(root, path), expected, "{root} {path}");
    }
}

/// A member that is said to be required must be described.
fn check_schema(place: &str, value: &serde_json::Value) {
    if let Some(required) = value.get("required").and_then(|it| it.as_array()) {
        for name in required {
            let name = name.as_str();
            let name = name.unwrap_or_else(|| panic!("{place}: required is not a name"));
            let described = value["properties"].get(name).is_some();
            assert!(described, "{place}: {name} is required, not described");
        }
    }
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                check_schema(&format!("{place}/{name}"), member);
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                check_schema(place, item);
            }
        }
        _ => {}
    }
}

#[test]
fn the_api_description_requires_what_it_describes() {
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
        let route = Route::find(path).unwrap_or_else(|| panic!("{path} is not served"));
        for method in methods {
            let method = method.to_uppercase();
            assert!(route.allow().contains(&method), "{method} {path}");
        }
    }
    let mut served = vec![
        "/",
        "/docs",
        "/health",
        "/openapi.json",
        "/trunkline/page",
        "/trunkline/status",
        "/trunkline/status/events",
        "/v1/models",
        "/v1/models/{model}",
    ];
    let calls: Vec<_> = Endpoint::ALL
        .iter()
        .map(|endpoint| format!("/v1{}", endpoint.path()))
        .collect();
    served.extend(calls.iter().map(String::as_str));
    served.sort_unstable();
    assert_eq!(described.into_keys().collect::<Vec<_>>(), served);
}
