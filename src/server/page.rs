//! The page at `/`.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use crate::proxy::Answer;

const PAGE: &str = include_str!("page.html");

/// Nothing is loaded but the one style in the page, named by its hash, and no
/// other page may frame it.
const POLICY: &str = "default-src 'none'; \
                      style-src 'sha256-m8qBzOWSvM2T4v91CY61q6ycns++/Q5YZw4l+ZrEGvI='; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) fn serve() -> Response<Answer> {
    let mut response = Response::new(Answer::whole(PAGE.into()));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The page's links are relative, so that it works under any path; under a
/// path without its last slash they would lead one step too high.
pub(super) fn add_slash(path: &str) -> Response<Answer> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let mut response = Response::new(Answer::whole(Bytes::new()));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    // Relative as well: a proxy before us may have put us elsewhere.
    if let Ok(location) = HeaderValue::try_from(format!("{last}/")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::{PAGE, POLICY};

    #[test]
    fn the_policy_admits_the_style_of_the_page() {
        let (_, rest) = PAGE.split_once("<style>").unwrap();
        let (style, rest) = rest.split_once("</style>").unwrap();
        let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
        assert!(POLICY.contains(&hash), "{hash}");
        assert!(!rest.contains("<style") && !PAGE.contains("<script"));
    }
}
