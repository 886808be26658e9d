//! Request fields that are not forwarded.

use super::hop_by_hop;

/// Whether a field is for the gateway only. One `matches!`, whose names the compiler tells
/// apart by their lengths first: one for each kind took a third longer.
#[allow(
    clippy::unnested_or_patterns,
    reason = "the names of the macro are a pattern of their own"
)]
fn is_kept_back(name: &str) -> bool {
    let is_named = matches!(
        name,
        hop_by_hop!()
            // Of the client's connection, or of a browser: some upstreams reject requests
            // with an Origin.
            | "host"
            | "content-length"
            | "expect"
            | "origin"
            | "referer"
            | "accept-encoding"
            // Credentials in every spelling that SDKs use.
            | "authorization"
            | "api-key"
            | "x-api-key"
            | "x-api-token"
            | "x-goog-api-key"
            | "ocp-apim-subscription-key"
            | "x-amz-security-token"
            | "x-access-token"
            | "x-auth-token"
            | "x-authorization"
            | "cookie"
            | "openai-organization"
            | "openai-project"
            // The client's address, and proxies on the way (RFC 7239; RFC 9110, section
            // 7.6.3; the manuals of nginx, Envoy, WebLogic and the large CDNs).
            | "forwarded"
            | "via"
            | "x-real-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-original-forwarded-for"
            | "x-original-host"
            | "x-originating-ip"
            | "x-proxyuser-ip"
            | "x-remote-addr"
            | "x-remote-ip"
            | "x-envoy-external-address"
            | "client-ip"
            | "proxy-client-ip"
            | "true-client-ip"
            | "wl-proxy-client-ip"
            | "cf-connecting-ip"
            | "cf-connecting-ipv6"
            | "cf-ipcountry"
            | "cf-pseudo-ipv4"
            | "do-connecting-ip"
            | "fastly-client-ip"
            | "fly-client-ip"
            | "x-akamai-edgescape"
            | "x-azure-clientip"
            | "x-azure-socketip"
            // Who the user is, by a proxy that authenticates: client certificates (RFC 9440;
            // the manuals of nginx, HAProxy and Azure), and users with their tokens
            // (oauth2-proxy, Cloudflare Access, and the proxies of AWS, Azure and Google).
            | "client-cert"
            | "client-cert-chain"
            | "remote-user"
            | "x-arr-clientcert"
            | "x-client-cert"
            | "x-goog-iap-jwt-assertion"
            | "x-remote-user"
    );
    is_named || has_prefix_kept_back(name)
}

/// Prefixes of the same kinds (those of platforms: App Engine, Netlify, Vercel); by the first
/// letters, since most names have none.
fn has_prefix_kept_back(name: &str) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match name.as_bytes() {
        [b'c', ..] => starts(&["cf-access-", "cloudfront-viewer-"]),
        [b's', b's', ..] => starts(&["ssl-client-"]),
        [b'x', b'-', b'a', ..] => starts(&[
            "x-amzn-mtls-",
            "x-amzn-oidc-",
            "x-appengine-",
            "x-auth-request-",
        ]),
        [b'x', b'-', b'f', ..] => starts(&["x-forwarded-"]),
        [b'x', b'-', b'g', ..] => starts(&["x-goog-authenticated-user-"]),
        [b'x', b'-', b'm', ..] => starts(&["x-ms-client-principal", "x-ms-token-"]),
        [b'x', b'-', b'n', ..] => starts(&["x-nf-"]),
        [b'x', b'-', b's', b's', ..] => starts(&["x-ssl-client-"]),
        [b'x', b'-', b't', ..] => starts(&["x-trunkline-"]),
        [b'x', b'-', b'v', ..] => starts(&["x-vercel-"]),
        _ => false,
    }
}

/// CGI and WSGI servers read `_` in a name as `-` (RFC 3875, section 4.1.18), so that
/// `x_api_key` is another `x-api-key` to them, and `content_type` another type of a body
/// whose model was checked.
fn is_kept_back_as_cgi_reads_it(name: &str) -> bool {
    let name = name.replace('_', "-");
    is_kept_back(&name) || matches!(&*name, "content-type" | "content-encoding")
}

/// Whether a request field is forwarded, unless the provider's configuration says
/// otherwise.
pub(in crate::upstream) fn forwards_upstream(name: &str) -> bool {
    // A fold has no branch for each byte: a search took twice as long.
    let found = |found, byte| found | u8::from(byte == b'_');
    let has_underscore = |name: &str| name.bytes().fold(0, found) != 0;
    !(is_kept_back(name) || has_underscore(name) && is_kept_back_as_cgi_reads_it(name))
}

/// Whether a server could take one name for the other.
pub(in crate::upstream) fn is_same_field(one: &str, other: &str) -> bool {
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    one.len() == other.len() && one.bytes().map(dashed).eq(other.bytes().map(dashed))
}
