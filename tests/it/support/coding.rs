//! Bodies in the content codings of HTTP.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::support::request::Request;

pub const CODINGS: [&str; 6] = ["zstd", "gzip", "x-gzip", "deflate", "raw deflate", "br"];

/// The name of a coding in the header field.
pub fn field_value(coding: &str) -> &str {
    coding.strip_prefix("raw ").unwrap_or(coding)
}

pub fn encode(coding: &str, body: &[u8]) -> Vec<u8> {
    let level = Compression::default();
    match coding {
        "zstd" => zstd::encode_all(body, 3).unwrap(),
        "gzip" | "x-gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "raw deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            encoder.write_all(body).unwrap();
            encoder.into_inner()
        }
    }
}

/// The request with its body in this coding.
pub fn encoded(request: Request, coding: &str) -> Request {
    let body = encode(coding, request.body.as_deref().unwrap_or_default());
    request
        .header("Content-Encoding", field_value(coding))
        .body(body)
}
