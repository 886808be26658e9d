//! Which header fields are forwarded, in either direction.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::wire::token_list::tokens;

/// The version of Anthropic's API where the client sends none (its documentation,
/// "Versions").
pub const DEFAULT_ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
pub const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// RFC 9110, section 7.6.1. `Connection` may name further fields.
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

/// Request fields for the gateway only: credentials in every spelling that SDKs use,
/// fields of a browser (some upstreams reject requests with an Origin), and fields that
/// the new connection replaces.
fn is_client_only(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "api-key"
            | "x-api-key"
            | "x-goog-api-key"
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

/// Response fields that a browser would apply to the gateway's own host, and the
/// gateway's own fields.
fn is_upstream_only(name: &str) -> bool {
    matches!(name, "set-cookie" | "alt-svc" | "strict-transport-security")
        || name.starts_with("access-control-")
        || name.starts_with("x-trunkline-")
}

/// Whether a request field is forwarded.
pub(super) fn forwards_upstream(name: &HeaderName) -> bool {
    let name = name.as_str();
    !is_hop_by_hop(name) && !is_client_only(name)
}

/// Whether a response field is forwarded.
pub(super) fn forwards_downstream(name: &HeaderName) -> bool {
    let name = name.as_str();
    !is_hop_by_hop(name) && !is_upstream_only(name)
}

/// Removes the response fields that are not forwarded.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip_named_by_connection(headers);
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !forwards_downstream(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// How long the upstream keeps an idle connection (`Keep-Alive: timeout=5`, RFC 2068,
/// section 19.7.1.1), minus a second, so that the gateway closes first.
pub(super) fn keep_alive_timeout(value: &HeaderValue) -> Option<Duration> {
    let seconds = value
        .to_str()
        .ok()?
        .split(',')
        .filter_map(|part| part.trim().strip_prefix("timeout="))
        .find_map(|seconds| seconds.trim().parse::<u64>().ok())?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
}

/// Removes the hop-by-hop fields that `Connection` names.
pub(super) fn strip_named_by_connection(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let options = values.flat_map(|value| tokens(value.as_bytes()));
    options
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{forwards_upstream, keep_alive_timeout, strip_named_by_connection, strip_response};

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
            ("x-goog-api-key", "a"),
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
        left.retain(|name| forwards_upstream(&HeaderName::from_bytes(name.as_bytes()).unwrap()));
        assert_eq!(left, ["content-type", "user-agent", "x-stainless-lang"]);
    }

    #[test]
    fn responses_lose_fields_that_a_browser_would_apply_to_the_gateway() {
        let mut headers = map(&[
            ("set-cookie", "a=b"),
            ("alt-svc", "h3"),
            ("strict-transport-security", "max-age=1"),
            ("access-control-allow-origin", "*"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("x-trunkline-provider", "other"),
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
    fn parses_the_keep_alive_timeout() {
        let timeout = |value| keep_alive_timeout(&HeaderValue::from_static(value));
        assert_eq!(timeout("timeout=5, max=100"), Some(Duration::from_secs(4)));
        assert_eq!(timeout("max=100, timeout=1"), Some(Duration::ZERO));
        assert_eq!(timeout("timeout=soon"), None);
    }
}
