//! The WebSocket handshake of a client: recognizes it, and extracts its credential.

use http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;

use crate::access::CREDENTIAL_HEADERS;
use crate::wire::api_path::ApiPath;
use crate::wire::query::Query;
use crate::wire::token_list::tokens;

/// Prefix of an API key among the subprotocols, where browsers have to send it
/// (OpenAI, Realtime API, "Connect with WebSocket").
const API_KEY_PREFIX: &str = "openai-insecure-api-key.";
/// Sent there by OpenAI's libraries too, for an account at OpenAI.
const ACCOUNT_PREFIXES: [&str; 2] = ["openai-organization.", "openai-project."];

/// Whether a request asks for a WebSocket (RFC 6455, section 4.2.1). The upgrade of
/// a request with a body is ignored (allowed by RFC 9110, section 7.8).
pub fn is_handshake<B: Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    headers.contains_key(UPGRADE)
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && has_token(headers, &CONNECTION, b"upgrade")
        && has_token(headers, &UPGRADE, b"websocket")
}

/// Moves the client's key from where only WebSockets carry it to the header that
/// the gate reads, unless that is set. Azure's clients send it in the query, and
/// the model's alias as `deployment`.
pub fn extract_credential(head: &mut Parts, path: &ApiPath) {
    let mut key = take_api_key(&mut head.headers);
    if path.is_azure
        && let Some(query) = head.uri.query()
    {
        let (query, in_query) = Query(query).extract_azure_key();
        key = key.or(in_query);
        replace_query(&mut head.uri, &query);
    }
    let mut names = CREDENTIAL_HEADERS.into_iter();
    let has_own = names.any(|it| head.headers.contains_key(it));
    if let Some(key) = key.filter(|_| !has_own)
        && let Ok(mut value) = HeaderValue::try_from(format!("Bearer {key}"))
    {
        value.set_sensitive(true);
        head.headers.insert(AUTHORIZATION, value);
    }
}

/// Removes the subprotocols meant for the gateway, and returns the key among them.
/// Values that are not ASCII are no subprotocols and are removed too: they might
/// hold a key.
fn take_api_key(headers: &mut HeaderMap) -> Option<String> {
    let values = || headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let has_non_ascii = values().any(|value| value.to_str().is_err());
    let texts = values().filter_map(|value| value.to_str().ok());
    let tokens = texts.flat_map(|text| text.split(',')).map(str::trim);
    let (ours, others): (Vec<&str>, Vec<&str>) = tokens.partition(|token| {
        let mut prefixes = ACCOUNT_PREFIXES.iter().chain([&API_KEY_PREFIX]);
        prefixes.any(|prefix| strip_prefix_ignore_case(prefix, token).is_some())
    });
    if ours.is_empty() && !has_non_ascii {
        return None;
    }
    let key = ours
        .iter()
        .find_map(|token| strip_prefix_ignore_case(API_KEY_PREFIX, token));
    let key = key.map(str::to_owned);
    match HeaderValue::try_from(others.join(", ")) {
        Ok(others) if !others.is_empty() => {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, others);
        }
        _ => {
            headers.remove(SEC_WEBSOCKET_PROTOCOL);
        }
    }
    key
}

fn strip_prefix_ignore_case<'t>(prefix: &str, token: &'t str) -> Option<&'t str> {
    let (start, rest) = token.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn replace_query(uri: &mut Uri, query: &str) {
    let target = if query.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{query}", uri.path())
    };
    let mut parts = std::mem::take(uri).into_parts();
    // Both parts come from a valid URI.
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values.flat_map(|value| tokens(value.as_bytes()));
    tokens.any(|it| it.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
    use http::request::Parts;
    use http::{Request, Version};
    use http_body_util::{Empty, Full};

    use super::{extract_credential, is_handshake};
    use crate::wire::api_path::ApiPath;

    fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn recognizes_a_handshake() {
        let plain = |upgrade: &str, connection: &str| {
            Request::get("/v1/realtime")
                .header("upgrade", upgrade)
                .header("connection", connection)
                .body(Empty::<bytes::Bytes>::new())
                .unwrap()
        };
        assert!(is_handshake(&plain("websocket", "Upgrade")));
        assert!(is_handshake(&plain("WebSocket", "keep-alive, upgrade")));
        assert!(!is_handshake(&plain("h2c", "upgrade")));
        assert!(!is_handshake(&plain("websocket", "keep-alive")));
        let mut other = plain("websocket", "upgrade");
        *other.version_mut() = Version::HTTP_10;
        assert!(!is_handshake(&other));
        let mut other = plain("websocket", "upgrade");
        *other.method_mut() = http::Method::POST;
        assert!(!is_handshake(&other));
        let body = Full::new(bytes::Bytes::from_static(b"x"));
        assert!(!is_handshake(&plain("websocket", "upgrade").map(|_| body)));
    }

    #[test]
    fn removes_the_key_from_the_subprotocols() {
        let path = ApiPath::parse("/v1/realtime", true).unwrap();
        for (offered, left) in [
            ("realtime, openai-insecure-api-key.K", Some("realtime")),
            (
                "realtime,openai-insecure-api-key.K,openai-beta.realtime-v1",
                Some("realtime, openai-beta.realtime-v1"),
            ),
            ("openai-insecure-api-key.K, openai-project.p", None),
        ] {
            let mut head = head("/v1/realtime", &[("sec-websocket-protocol", offered)]);
            extract_credential(&mut head, &path);
            assert_eq!(head.headers[AUTHORIZATION], "Bearer K", "{offered}");
            let found = head.headers.get(SEC_WEBSOCKET_PROTOCOL);
            assert_eq!(found.map(|it| it.to_str().unwrap()), left, "{offered}");
        }
    }

    #[test]
    fn no_spelling_forwards_a_key() {
        let path = ApiPath::parse("/v1/realtime", true).unwrap();
        for offered in [
            "OpenAI-Insecure-API-Key.K",
            "openai-insecure-api-key.K\u{e9}",
        ] {
            let mut head = head("/v1/realtime", &[("sec-websocket-protocol", offered)]);
            extract_credential(&mut head, &path);
            assert!(
                !head.headers.contains_key(SEC_WEBSOCKET_PROTOCOL),
                "{offered}"
            );
        }
    }

    #[test]
    fn keeps_unknown_subprotocols() {
        let path = ApiPath::parse("/v1/realtime", true).unwrap();
        let untouched = "realtime ,  x";
        let mut head = head(
            "/v1/realtime?a=%20",
            &[("sec-websocket-protocol", untouched)],
        );
        extract_credential(&mut head, &path);
        assert_eq!(head.headers[SEC_WEBSOCKET_PROTOCOL], untouched);
        assert!(!head.headers.contains_key(AUTHORIZATION));
        assert_eq!(head.uri, "/v1/realtime?a=%20");
    }

    #[test]
    fn a_header_takes_precedence_over_the_subprotocols() {
        let path = ApiPath::parse("/v1/realtime", true).unwrap();
        let offered = "realtime, openai-insecure-api-key.K";
        let headers = [("sec-websocket-protocol", offered), ("api-key", "own")];
        let mut head = head("/v1/realtime", &headers);
        extract_credential(&mut head, &path);
        assert!(!head.headers.contains_key(AUTHORIZATION));
        assert_eq!(head.headers[SEC_WEBSOCKET_PROTOCOL], "realtime");
    }

    #[test]
    fn reads_the_query_of_azure_clients() {
        let target = "/openai/realtime?api-version=x&deployment=a%2Fb&api-key=K%2B&x=1";
        let path = ApiPath::parse("/openai/realtime", true).unwrap();
        let mut head = head(target, &[]);
        extract_credential(&mut head, &path);
        assert_eq!(head.headers[AUTHORIZATION], "Bearer K+");
        assert_eq!(head.uri, "/openai/realtime?api-version=x&model=a%2Fb&x=1");
    }
}
