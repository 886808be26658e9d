//! Headers of requests to a provider.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Auth, raw};

/// Headers that belong to one connection (RFC 9110, section 7.6.1) or are set
/// per request, so that a fixed value would break requests.
pub const RESERVED: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub fn auth(checker: &mut Checker<'_>, path: &KeyPath, text: Option<&str>) -> Auth {
    let Some(text) = text.filter(|text| !text.eq_ignore_ascii_case("bearer")) else {
        return Auth::Bearer;
    };
    let cure =
        "write \"bearer\", or the name of the header that carries the key, such as \"api-key\"";
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) if !RESERVED.contains(&name.as_str()) => Auth::Header(name),
        Ok(name) => {
            checker.error(
                &path.key("auth"),
                format!("the header {name} cannot carry the key; {cure}"),
            );
            Auth::Bearer
        }
        Err(_) => {
            checker.error(&path.key("auth"), cure);
            Auth::Bearer
        }
    }
}

/// `headers`, `organization` and `project`.
pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    auth: &Auth,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let own = [
        ("organization", "openai-organization", &raw.organization),
        ("project", "openai-project", &raw.project),
        ("objective", OBJECTIVE, &raw.objective),
    ];
    for (key, name, value) in own {
        let Some(value) = value else { continue };
        match HeaderValue::from_str(value) {
            Ok(value) if !value.is_empty() => {
                headers.insert(HeaderName::from_static(name), value);
            }
            _ => checker.error(
                &path.key(key),
                "must be visible text, as the provider shows it",
            ),
        }
    }
    for (name, value) in &raw.headers {
        match header(name, value, auth, &headers) {
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(text) => checker.error(&path.key("headers").key(name), text),
        }
    }
    headers
}

/// The name of an `InferenceObjective` of the Gateway API Inference Extension (llm-d's
/// "EPP HTTP Headers Reference").
const OBJECTIVE: &str = "x-gateway-inference-objective";

/// `caller_header`
pub fn caller(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    auth: &Auth,
    own: &HeaderMap,
) -> Option<HeaderName> {
    let text = raw.caller_header.as_deref()?;
    let is_forwarded = |name: &HeaderName| {
        let mut forwarded = raw.forward_headers.iter();
        forwarded.any(|it| it.eq_ignore_ascii_case(name.as_str()))
    };
    match forwarded_name(text, auth, own) {
        Ok(name) if is_forwarded(&name) => {
            let text =
                "also in forward_headers, so that clients could set it; remove one of the two";
            checker.error(&path.key("caller_header"), text);
            None
        }
        Ok(name) => Some(name),
        Err(text) => {
            checker.error(&path.key("caller_header"), text);
            None
        }
    }
}

/// Fields that carry a client's key to the gateway: never forwarded.
const CLIENT_KEYS: [&str; 3] = ["api-key", "authorization", "x-api-key"];

/// Further fields that carry one (RFC 6265, section 5.4; RFC 9110, section 11.7.1).
const CREDENTIALS: [&str; 3] = ["cookie", "proxy-authorization", "x-goog-api-key"];

/// `forward_headers`
pub fn forwarded(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    auth: &Auth,
    own: &HeaderMap,
) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for (index, text) in raw.forward_headers.iter().enumerate() {
        match forwarded_name(text, auth, own) {
            Ok(name) => names.push(name),
            Err(text) => checker.error(&path.key("forward_headers").index(index), text),
        }
    }
    names
}

/// `user_header` of a limit: the client's own name for its user.
pub fn of_user(text: &str) -> Result<HeaderName, String> {
    const CURE: &str = "write one that the client sets for each user, such as \"x-user-id\"";
    let name = HeaderName::from_bytes(text.as_bytes());
    let name = name.map_err(|_| format!("not a header name; {CURE}"))?;
    let text = name.as_str();
    if CLIENT_KEYS.contains(&text) || CREDENTIALS.contains(&text) {
        return Err(format!(
            "carries a credential, which is never shown; {CURE}"
        ));
    }
    if RESERVED.contains(&text) || is_trunklines(&name) {
        let text = "belongs to one connection, or is set by Trunkline";
        return Err(format!("{text}; {CURE}"));
    }
    Ok(name)
}

fn forwarded_name(text: &str, auth: &Auth, own: &HeaderMap) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| "not a header name; write one such as \"x-forwarded-for\"")?;
    if text.contains('*') {
        return Err("is no pattern; write each name".into());
    }
    let (text, is_auth) = (
        name.as_str(),
        matches!(auth, Auth::Header(own) if *own == name),
    );
    if CLIENT_KEYS.contains(&text) {
        return Err("carries the client's key for Trunkline, which is never forwarded".into());
    }
    if is_auth || own.contains_key(&name) {
        return Err("set by Trunkline for this provider; remove one of the two".into());
    }
    if RESERVED.contains(&text) || is_trunklines(&name) {
        return Err(
            "belongs to one connection, or is set by Trunkline for each request; remove it".into(),
        );
    }
    Ok(name)
}

fn is_trunklines(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-trunkline-")
}

fn header(
    name: &str,
    value: &str,
    auth: &Auth,
    others: &HeaderMap,
) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "not a header name")?;
    if name == http::header::AUTHORIZATION || matches!(auth, Auth::Header(own) if *own == name) {
        return Err("carries the key; remove it and set api_key_env".into());
    }
    if RESERVED.contains(&name.as_str()) || is_trunklines(&name) {
        return Err("set by Trunkline for each request; remove it".into());
    }
    if others.contains_key(&name) {
        return Err("set twice; keep one (names are case-insensitive, and organization and project are headers too)".into());
    }
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| "its value contains a character that is invalid in a header")?;
    value.set_sensitive(true);
    Ok((name, value))
}
