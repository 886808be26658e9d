//! Which headers pass, in either direction.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that speak of one connection only (RFC 9110, section 7.6.1), besides
/// those that `Connection` names.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Fields of a request that are the caller's and ours alone: its credentials
/// in every spelling that SDKs know, what its browser says of the page it
/// shows (some upstreams refuse requests with an Origin), and what the new
/// connection replaces.
fn stays_downstream(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "api-key"
            | "x-api-key"
            | "cookie"
            | "openai-organization"
            | "openai-project"
            | "host"
            | "content-length"
            | "expect"
            | "origin"
            | "referer"
            | "accept-encoding"
    )
}

/// Fields of an answer that bind a browser to a host, or tell it who may read:
/// it talks to us, not to the upstream. And what only we may say of an answer.
fn stays_upstream(name: &str) -> bool {
    matches!(name, "set-cookie" | "alt-svc" | "strict-transport-security")
        || name.starts_with("access-control-")
        || name.starts_with("x-trunkline-")
}

/// Whether a field of a request may go upstream.
pub(super) fn goes_upstream(name: &HeaderName) -> bool {
    let text = name.as_str();
    !is_hop_by_hop(text) && !stays_downstream(text)
}

/// Whether a field of an answer may go downstream.
pub(super) fn goes_downstream(name: &HeaderName) -> bool {
    let text = name.as_str();
    !is_hop_by_hop(text) && !stays_upstream(text)
}

/// Takes out of an answer what must not go downstream.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip_named_by_connection(headers);
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !goes_downstream(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// How long the upstream says it keeps a resting connection (`Keep-Alive:
/// timeout=5`, RFC 2068, section 19.7.1.1), a second taken off so that we are
/// the first to close.
pub(super) fn rest_told(value: &HeaderValue) -> Option<Duration> {
    let seconds = value
        .to_str()
        .ok()?
        .split(',')
        .filter_map(|part| part.trim().strip_prefix("timeout="))
        .find_map(|seconds| seconds.trim().parse::<u64>().ok())?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
}

/// Takes out what `Connection` names: it speaks of one connection only.
pub(super) fn strip_named_by_connection(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{goes_upstream, rest_told, strip_named_by_connection, strip_response};

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn requests_lose_credentials_and_hop_by_hop_fields() {
        let mut headers = map(&[
            ("authorization", "Bearer a"),
            ("api-key", "a"),
            ("x-api-key", "a"),
            ("cookie", "a=b"),
            ("connection", "close, X-Private ,, bad name"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("origin", "http://localhost"),
            ("accept-encoding", "gzip"),
            ("openai-organization", "org"),
            ("content-type", "application/json"),
            ("x-stainless-lang", "python"),
            ("user-agent", "OpenAI/Python"),
        ]);
        strip_named_by_connection(&mut headers);
        let mut left = names(&headers);
        left.retain(|name| goes_upstream(&HeaderName::from_bytes(name.as_bytes()).unwrap()));
        assert_eq!(left, ["content-type", "user-agent", "x-stainless-lang"]);
    }

    #[test]
    fn answers_lose_what_binds_a_browser() {
        let mut headers = map(&[
            ("set-cookie", "a=b"),
            ("alt-svc", "h3"),
            ("strict-transport-security", "max-age=1"),
            ("access-control-allow-origin", "*"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("x-trunkline-provider", "somebody"),
            ("x-request-id", "req-1"),
            ("retry-after", "7"),
            ("content-length", "3"),
        ]);
        strip_response(&mut headers);
        assert_eq!(
            names(&headers),
            ["content-length", "retry-after", "x-request-id"]
        );
    }

    #[test]
    fn reads_how_long_a_connection_may_rest() {
        let rests = |value| rest_told(&HeaderValue::from_static(value));
        assert_eq!(rests("timeout=5, max=100"), Some(Duration::from_secs(4)));
        assert_eq!(rests("max=100, timeout=1"), Some(Duration::ZERO));
        assert_eq!(rests("timeout=soon"), None);
    }
}
