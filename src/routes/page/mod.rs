//! The page at `/`, the API reference at `/docs`, and the files they load.
//!
//! The files are embedded in the binary in every offered encoding, so a response is
//! a lookup in a sorted table and copies no bytes.

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use self::file::{EncodedFile, PageFile};
use crate::proxy::ResponseBody;

#[cfg(debug_assertions)]
mod disk;
pub mod file;
mod negotiate;

/// The page built from `web/`. Empty in debug builds and in builds without npm.
static BUILT: &[PageFile] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Served if the page was not built; it explains how to build it.
static PLACEHOLDER: &[PageFile] = {
    const FILE: EncodedFile = EncodedFile {
        etag: concat!("\"plain-", env!("CARGO_PKG_VERSION"), "\""),
        bytes: include_bytes!("plain.html"),
    };
    const fn file(path: &'static str) -> PageFile {
        PageFile {
            path,
            identity: FILE,
            br: None,
            gzip: None,
        }
    }
    &[file("docs.html"), file("index.html")]
};

/// Allows only files and endpoints of this origin. No text can become a script, not
/// even by a bug in the page's own code (Trusted Types).
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
                      worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The placeholder loads nothing and has one inline style, allowed by its hash.
const PLACEHOLDER_CSP: &str = "default-src 'none'; \
                            style-src 'sha256-m8qBzOWSvM2T4v91CY61q6ycns++/Q5YZw4l+ZrEGvI='; \
                            base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Paths of files whose names have no hash: what an installed page is named and drawn by.
pub const ROOT_FILES: [&str; 7] = [
    "/apple-touch-icon.png",
    "/icon-192.png",
    "/icon-512.png",
    "/icon-maskable-512.png",
    "/icon-maskable.svg",
    "/icon.svg",
    "/manifest.webmanifest",
];

/// Directory of files with a content hash in their names (Vite).
const HASHED_PREFIX: &str = "assets/";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
pub const REVALIDATE: &str = "no-cache";

/// The files of one page, sorted by path.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    files: &'static [PageFile],
    policy: &'static str,
}

impl Page {
    /// The built page, or the placeholder. A debug build reads the page from the
    /// folder in `TRUNKLINE_UI_DIST`.
    pub fn load() -> Self {
        #[cfg(debug_assertions)]
        if let Some(files) = disk::load() {
            return Self { files, policy: CSP };
        }
        if BUILT.is_empty() {
            return Self {
                files: PLACEHOLDER,
                policy: PLACEHOLDER_CSP,
            };
        }
        Self {
            files: BUILT,
            policy: CSP,
        }
    }

    /// The file at this path, or 304 if the client has it; none if there is no such
    /// file.
    pub fn respond(&self, path: &str, request: &HeaderMap) -> Option<Response<ResponseBody>> {
        let index = self.files.binary_search_by(|file| file.path.cmp(path));
        let file = self.files.get(index.ok()?)?;
        let caching = if path.starts_with(HASHED_PREFIX) {
            IMMUTABLE
        } else {
            REVALIDATE
        };
        let mut response = file.respond(caching, request);
        if response.status() != StatusCode::NOT_MODIFIED {
            let headers = response.headers_mut();
            let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
            set(CONTENT_SECURITY_POLICY, self.policy);
            for (name, value) in SECURITY_HEADERS {
                set(name, value);
            }
        }
        Some(response)
    }
}

/// Isolates the page from other origins. The microphone is for dictation.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
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
        "camera=(), microphone=(self), geolocation=()",
    ),
];

/// The page's links are relative, so that it works under any prefix. Without the
/// trailing slash they would resolve one level too high.
pub fn redirect_to_slash(path: &str) -> Response<ResponseBody> {
    let last_segment = path.rsplit('/').next().unwrap_or_default();
    let mut response = Response::new(ResponseBody::full(Bytes::new()));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    // Relative, since a reverse proxy may add a prefix.
    if let Ok(location) = HeaderValue::try_from(format!("{last_segment}/")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests;
