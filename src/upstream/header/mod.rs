//! Which header fields are forwarded, in either direction.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::wire::token_list::tokens;

mod request;
#[cfg(test)]
mod tests;

pub(super) use request::{forwards_upstream, is_same_field};

/// The version of Anthropic's API where the client sends none (its documentation,
/// "Versions").
pub const DEFAULT_ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
pub const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The pattern of names of RFC 9110, section 7.6.1. `Connection` may name further fields.
macro_rules! hop_by_hop {
    () => {
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
    };
}
use hop_by_hop;

/// Response fields of one connection; those that a browser would apply to the gateway's own
/// host (RFC 6265, 6797, 7469, 7838, 9163; WHATWG Fetch; W3C Clear Site Data, Network Error
/// Logging), or a proxy in front of the gateway would obey (nginx, X-Accel; Apache and
/// lighttpd, X-Sendfile); and the gateway's own. `x-accel-buffering` is forwarded: it keeps
/// nginx from holding a stream back.
#[allow(
    clippy::unnested_or_patterns,
    reason = "the names of the macro are a pattern of their own"
)]
fn is_kept_from_clients(name: &str) -> bool {
    matches!(
        name,
        hop_by_hop!()
            | "set-cookie"
            | "set-cookie2"
            | "alt-svc"
            | "strict-transport-security"
            | "public-key-pins"
            | "public-key-pins-report-only"
            | "expect-ct"
            | "clear-site-data"
            | "nel"
            | "report-to"
            | "x-accel-charset"
            | "x-accel-expires"
            | "x-accel-limit-rate"
            | "x-accel-redirect"
            | "x-lighttpd-send-file"
            | "x-sendfile"
    ) || name.starts_with("access-control-")
        || name.starts_with("x-trunkline-")
}

/// Whether a response field is forwarded.
pub(super) fn forwards_downstream(name: &HeaderName) -> bool {
    !is_kept_from_clients(name.as_str())
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
