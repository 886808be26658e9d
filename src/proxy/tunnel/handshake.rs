//! What a caller's handshake says.

use http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;

use crate::access::CREDENTIAL_HEADERS;
use crate::wire::api_path;
use crate::wire::api_path::Call;

/// Before a key among the subprotocols: pages have no other place for it
/// (OpenAI, Realtime API, "Connect with WebSocket").
const KEY: &str = "openai-insecure-api-key.";
/// What else OpenAI's libraries put there, for an account that is not ours.
const ACCOUNT: [&str; 2] = ["openai-organization.", "openai-project."];

/// Whether a request asks for a WebSocket (RFC 6455, section 4.2.1). One with a
/// body does not: an upgrade may be ignored (RFC 9110, section 7.8).
pub fn asks<B: Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    headers.contains_key(UPGRADE)
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && has_token(headers, &CONNECTION, b"upgrade")
        && has_token(headers, &UPGRADE, b"websocket")
}

/// Takes the caller's key out of where only WebSockets have it, and puts it
/// where the gate looks, unless there is one. Azure's clients have it in the
/// query, and the model's alias as `deployment`.
pub(super) fn find_credential(head: &mut Parts, call: &Call) {
    let mut key = take_key(&mut head.headers);
    if call.is_azure
        && let Some(query) = head.uri.query()
    {
        let (query, in_query) = api_path::of_azure_websocket(query);
        key = key.or(in_query);
        replace_query(&mut head.uri, &query);
    }
    let mut places = CREDENTIAL_HEADERS.into_iter();
    let has_own = places.any(|it| head.headers.contains_key(it));
    if let Some(key) = key.filter(|_| !has_own)
        && let Ok(mut value) = HeaderValue::try_from(format!("Bearer {key}"))
    {
        value.set_sensitive(true);
        head.headers.insert(AUTHORIZATION, value);
    }
}

/// Leaves out of the subprotocols what is for us, and gives the key that was
/// among them. What is no text is no subprotocol, and goes no further either:
/// nobody knows who would find a key in it.
fn take_key(headers: &mut HeaderMap) -> Option<String> {
    let values = || headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let is_odd = values().any(|value| value.to_str().is_err());
    let texts = values().filter_map(|value| value.to_str().ok());
    let tokens = texts.flat_map(|text| text.split(',')).map(str::trim);
    let (ours, others): (Vec<&str>, Vec<&str>) = tokens.partition(|token| {
        let mut prefixes = ACCOUNT.iter().chain([&KEY]);
        prefixes.any(|prefix| behind(prefix, token).is_some())
    });
    if ours.is_empty() && !is_odd {
        return None;
    }
    let key = ours.iter().find_map(|token| behind(KEY, token));
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

/// What stands behind a prefix, whatever its case.
fn behind<'t>(prefix: &str, token: &'t str) -> Option<&'t str> {
    let (begin, rest) = token.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn replace_query(uri: &mut Uri, query: &str) {
    let target = if query.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{query}", uri.path())
    };
    let mut parts = std::mem::take(uri).into_parts();
    // Both parts of it were in a URI before.
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|it| it.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
    use http::request::Parts;
    use http::{Request, Version};
    use http_body_util::{Empty, Full};

    use super::{asks, find_credential};
    use crate::wire::api_path::Call;

    fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn tells_a_handshake_from_other_requests() {
        let plain = |upgrade: &str, connection: &str| {
            Request::get("/v1/realtime")
                .header("upgrade", upgrade)
                .header("connection", connection)
                .body(Empty::<bytes::Bytes>::new())
                .unwrap()
        };
        assert!(asks(&plain("websocket", "Upgrade")));
        assert!(asks(&plain("WebSocket", "keep-alive, upgrade")));
        assert!(!asks(&plain("h2c", "upgrade")));
        assert!(!asks(&plain("websocket", "keep-alive")));
        let mut other = plain("websocket", "upgrade");
        *other.version_mut() = Version::HTTP_10;
        assert!(!asks(&other));
        let mut other = plain("websocket", "upgrade");
        *other.method_mut() = http::Method::POST;
        assert!(!asks(&other));
        let body = Full::new(bytes::Bytes::from_static(b"x"));
        assert!(!asks(&plain("websocket", "upgrade").map(|_| body)));
    }

    #[test]
    fn takes_the_key_out_of_the_subprotocols() {
        let call = Call::at("/v1/realtime", true).unwrap();
        for (offered, left) in [
            ("realtime, openai-insecure-api-key.K", Some("realtime")),
            (
                "realtime,openai-insecure-api-key.K,openai-beta.realtime-v1",
                Some("realtime, openai-beta.realtime-v1"),
            ),
            ("openai-insecure-api-key.K, openai-project.p", None),
        ] {
            let mut head = head("/v1/realtime", &[("sec-websocket-protocol", offered)]);
            find_credential(&mut head, &call);
            assert_eq!(head.headers[AUTHORIZATION], "Bearer K", "{offered}");
            let found = head.headers.get(SEC_WEBSOCKET_PROTOCOL);
            assert_eq!(found.map(|it| it.to_str().unwrap()), left, "{offered}");
        }
    }

    #[test]
    fn no_spelling_lets_a_key_through() {
        let call = Call::at("/v1/realtime", true).unwrap();
        for offered in [
            "OpenAI-Insecure-API-Key.K",
            "openai-insecure-api-key.K\u{e9}",
        ] {
            let mut head = head("/v1/realtime", &[("sec-websocket-protocol", offered)]);
            find_credential(&mut head, &call);
            assert!(
                !head.headers.contains_key(SEC_WEBSOCKET_PROTOCOL),
                "{offered}"
            );
        }
    }

    #[test]
    fn leaves_what_it_does_not_know() {
        let call = Call::at("/v1/realtime", true).unwrap();
        let untouched = "realtime ,  x";
        let mut head = head(
            "/v1/realtime?a=%20",
            &[("sec-websocket-protocol", untouched)],
        );
        find_credential(&mut head, &call);
        assert_eq!(head.headers[SEC_WEBSOCKET_PROTOCOL], untouched);
        assert!(!head.headers.contains_key(AUTHORIZATION));
        assert_eq!(head.uri, "/v1/realtime?a=%20");
    }

    #[test]
    fn a_header_goes_before_the_subprotocols() {
        let call = Call::at("/v1/realtime", true).unwrap();
        let offered = "realtime, openai-insecure-api-key.K";
        let headers = [("sec-websocket-protocol", offered), ("api-key", "own")];
        let mut head = head("/v1/realtime", &headers);
        find_credential(&mut head, &call);
        assert!(!head.headers.contains_key(AUTHORIZATION));
        assert_eq!(head.headers[SEC_WEBSOCKET_PROTOCOL], "realtime");
    }

    #[test]
    fn reads_azures_query() {
        let target = "/openai/realtime?api-version=x&deployment=a%2Fb&api-key=K%2B&x=1";
        let call = Call::at("/openai/realtime", true).unwrap();
        let mut head = head(target, &[]);
        find_credential(&mut head, &call);
        assert_eq!(head.headers[AUTHORIZATION], "Bearer K+");
        assert_eq!(head.uri, "/openai/realtime?api-version=x&model=a%2Fb&x=1");
    }
}
