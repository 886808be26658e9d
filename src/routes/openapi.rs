//! `GET /openapi.json`: the description of the API, compressed once.

use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

use flate2::Compression;
use http::{HeaderMap, Response};

use super::gzip;
use super::page::REVALIDATE;
use super::page::file::{EncodedFile, PageFile};
use crate::proxy::ResponseBody;

static DESCRIPTION: LazyLock<PageFile> = LazyLock::new(|| {
    let text = include_bytes!("openapi.json");
    let gzip = gzip::compress(text, Compression::best());
    PageFile {
        path: "openapi.json",
        identity: encoded(text),
        br: None,
        gzip: gzip.map(|bytes| encoded(bytes.leak())),
    }
});

pub fn respond(request: &HeaderMap) -> Response<ResponseBody> {
    DESCRIPTION.respond(REVALIDATE, request)
}

fn encoded(bytes: &'static [u8]) -> EncodedFile {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    EncodedFile {
        etag: format!("\"{:016x}\"", hasher.finish()).leak(),
        bytes,
    }
}
