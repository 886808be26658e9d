//! A file that is served in several encodings: of the page, or the API's description.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::negotiate;
use crate::proxy::ResponseBody;

/// `build.rs` generates the table of these.
#[derive(Debug)]
pub struct PageFile {
    /// Without a leading slash.
    pub path: &'static str,
    pub identity: EncodedFile,
    /// Brotli, if smaller.
    pub br: Option<EncodedFile>,
    /// If smaller.
    pub gzip: Option<EncodedFile>,
}

/// A file in one encoding.
#[derive(Debug)]
pub struct EncodedFile {
    /// With quotes. Each encoding has its own (RFC 9110, section 8.8.3.3).
    pub etag: &'static str,
    pub bytes: &'static [u8],
}

impl PageFile {
    /// The file in the encoding that the client prefers, or 304 if the client has it.
    pub fn respond(&self, caching: &'static str, request: &HeaderMap) -> Response<ResponseBody> {
        let (coding, encoded) = negotiate::best_encoding(self, request);
        let is_cached = negotiate::matches_etag(encoded.etag, request);
        let body = if is_cached { &[] } else { encoded.bytes };
        let mut response = Response::new(ResponseBody::full(Bytes::from_static(body)));
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(ETAG, encoded.etag);
        set(VARY, "accept-encoding");
        set(CACHE_CONTROL, caching);
        if is_cached {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        set(CONTENT_TYPE, self.media_type());
        if let Some(coding) = coding {
            set(CONTENT_ENCODING, coding);
        }
        response
    }

    pub fn media_type(&self) -> &'static str {
        let (_, extension) = self.path.rsplit_once('.').unwrap_or_default();
        match extension {
            "css" => "text/css; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "ico" => "image/x-icon",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "json" | "map" => "application/json",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            "ttf" => "font/ttf",
            "txt" => "text/plain; charset=utf-8",
            "wasm" => "application/wasm",
            "webmanifest" => "application/manifest+json",
            "webp" => "image/webp",
            "woff" => "font/woff",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        }
    }
}
