//! The page at `/`, the API reference at `/docs`, and the files they load.
//!
//! All of it is in the binary, in every encoding that is offered, so an answer
//! is a look into a sorted table and no byte is copied.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use self::file::{File, Form};
use crate::proxy::Answer;

#[cfg(debug_assertions)]
mod disk;
mod file;
mod negotiate;

/// The page of `web/`, empty where it was not built: in debug builds, and
/// where npm was missing.
static BUILT: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What takes its place: it says how to get the page.
static PLAIN: &[File] = {
    const FORM: Form = Form {
        etag: concat!("\"plain-", env!("CARGO_PKG_VERSION"), "\""),
        bytes: include_bytes!("plain.html"),
    };
    const fn at(path: &'static str) -> File {
        File {
            path,
            identity: FORM,
            br: None,
            gzip: None,
        }
    }
    &[at("docs.html"), at("index.html")]
};

/// Only files of ours are loaded and only we are called; no text can become
/// script, not even by way of the page's own code (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
                      worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The plain page loads nothing and has one style, named by its hash.
const PLAIN_POLICY: &str = "default-src 'none'; \
                            style-src 'sha256-m8qBzOWSvM2T4v91CY61q6ycns++/Q5YZw4l+ZrEGvI='; \
                            base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Vite puts a hash of the content into the names of these.
const HASHED: &str = "assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// The files of one page, sorted by path.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    files: &'static [File],
    policy: &'static str,
}

impl Page {
    /// The page that was built in, or the plain one. A debug build takes the
    /// page from the folder in `TRUNKLINE_UI_DIST`.
    pub fn load() -> Self {
        #[cfg(debug_assertions)]
        if let Some(files) = disk::load() {
            return Self {
                files,
                policy: POLICY,
            };
        }
        if BUILT.is_empty() {
            return Self {
                files: PLAIN,
                policy: PLAIN_POLICY,
            };
        }
        Self {
            files: BUILT,
            policy: POLICY,
        }
    }

    /// The file at this path, as far as the request does not have it already;
    /// none when there is no such file.
    pub fn answer(&self, path: &str, request: &HeaderMap) -> Option<Response<Answer>> {
        let at = self.files.binary_search_by(|file| file.path.cmp(path));
        let file = self.files.get(at.ok()?)?;
        let (coding, form) = negotiate::best(file, request);
        let known = negotiate::is_known(form.etag, request);
        let body = if known { &[] } else { form.bytes };
        let mut response = Response::new(Answer::whole(Bytes::from_static(body)));
        let headers = response.headers_mut();
        let caching = if path.starts_with(HASHED) {
            FOR_EVER
        } else {
            ASK_AGAIN
        };
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(ETAG, form.etag);
        set(VARY, "accept-encoding");
        set(CACHE_CONTROL, caching);
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
        }
        set(CONTENT_TYPE, file.media_type());
        if let Some(coding) = coding {
            set(CONTENT_ENCODING, coding);
        }
        set(CONTENT_SECURITY_POLICY, self.policy);
        for (name, value) in GUARDS {
            set(name, value);
        }
        Some(response)
    }
}

/// What else keeps other pages out, and this one to itself.
const GUARDS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    ),
];

/// The page's links are relative, so that it works under any path; under a
/// path without its last slash they would lead one step too high.
pub fn add_slash(path: &str) -> Response<Answer> {
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
mod tests;
