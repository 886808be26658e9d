use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    forwards_upstream, is_same_field, keep_alive_timeout, strip_named_by_connection, strip_response,
};

fn map(names: &[&'static str]) -> HeaderMap {
    let field = |name: &&'static str| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static("1"))
    };
    names.iter().map(field).collect()
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn requests_lose_hop_by_hop_fields_and_those_that_connection_names() {
    let mut headers = map(&["te", "transfer-encoding", "x-private", "x-other", "accept"]);
    let options = HeaderValue::from_static("close, X-Private ,, bad name");
    headers.insert("connection", options);
    strip_named_by_connection(&mut headers);
    let mut left = names(&headers);
    left.retain(|name| forwards_upstream(name));
    assert_eq!(left, ["accept", "x-other"]);
}

/// Names of each kind that is kept back.
const KEPT_BACK: [&str; 46] = [
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "cookie",
    "openai-organization",
    "openai-project",
    "host",
    "content-length",
    "transfer-encoding",
    "expect",
    "origin",
    "referer",
    "accept-encoding",
    "x-trunkline-provider",
    "x-trunkline-hops",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-client-cert",
    "x-forwarded-access-token",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "cloudfront-viewer-address",
    "client-cert",
    "x-ssl-client-verify",
    "x-amzn-oidc-data",
    "x-auth-request-email",
    "x-goog-iap-jwt-assertion",
    "x-ms-client-principal",
    "cf-access-jwt-assertion",
    "remote-user",
    "wl-proxy-client-ip",
    "x-api-token",
    "x-appengine-city",
    "x-nf-client-connection-ip",
    "x-vercel-forwarded-for",
    "x-vercel-oidc-token",
];

#[test]
fn a17_credentials_addresses_and_users_are_not_forwarded() {
    for name in KEPT_BACK {
        assert!(!forwards_upstream(name), "{name}");
    }
    for name in [
        "accept",
        "anthropic-beta",
        "cdn-loop",
        "cf-aig-metadata",
        "content-type",
        "helicone-user-id",
        "idempotency-key",
        "openai-beta",
        "traceparent",
        "user-agent",
        "x-forward",
        "x-stainless-lang",
        "x-title",
    ] {
        assert!(forwards_upstream(name), "{name}");
    }
}

#[test]
fn a_name_with_underscores_is_the_one_with_hyphens() {
    for name in KEPT_BACK {
        if name.contains('-') {
            let all = name.replace('-', "_");
            let first = name.replacen('-', "_", 1);
            assert!(!forwards_upstream(&all), "{all}");
            assert!(!forwards_upstream(&first), "{first}");
        }
    }
    for name in ["content_type", "content_encoding", "content_length"] {
        assert!(!forwards_upstream(name), "{name}");
    }
    assert!(forwards_upstream("user_id"));
    assert!(is_same_field("x-my_key", "x_my-key"));
    assert!(!is_same_field("x-my-key", "x-my-keys"));
    assert!(!is_same_field("x-my-key", "x-my.key"));
}

#[test]
fn responses_lose_what_a_browser_or_a_proxy_would_apply_to_the_gateway() {
    let mut headers = map(&[
        "set-cookie",
        "alt-svc",
        "strict-transport-security",
        "clear-site-data",
        "nel",
        "report-to",
        "x-accel-redirect",
        "x-sendfile",
        "access-control-allow-origin",
        "x-hop",
        "keep-alive",
        "x-trunkline-provider",
        "content-length",
        "content-security-policy",
        "retry-after",
        "server",
        "via",
        "x-accel-buffering",
        "x-request-id",
    ]);
    headers.insert("connection", HeaderValue::from_static("x-hop"));
    strip_response(&mut headers);
    assert_eq!(
        names(&headers),
        [
            "content-length",
            "content-security-policy",
            "retry-after",
            "server",
            "via",
            "x-accel-buffering",
            "x-request-id",
        ]
    );
}

#[test]
fn parses_the_keep_alive_timeout() {
    let timeout = |value| keep_alive_timeout(&HeaderValue::from_static(value));
    assert_eq!(timeout("timeout=5, max=100"), Some(Duration::from_secs(4)));
    assert_eq!(timeout("max=100, timeout=1"), Some(Duration::ZERO));
    assert_eq!(timeout("timeout=soon"), None);
}

/// Every name in the table of docs/security.md.
#[test]
fn a17_what_the_docs_list_is_not_forwarded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, section) = page.split_once("### Headers that are kept back").unwrap();
    let table = section.lines().filter(|line| line.starts_with("| "));
    let names: Vec<&str> = table
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .collect();
    assert!(names.len() > KEPT_BACK.len(), "{names:?}");
    for name in names.into_iter().take_while(|name| *name != "connection") {
        let name = name.replace('*', "a");
        assert!(!forwards_upstream(&name), "{name}");
    }
}
