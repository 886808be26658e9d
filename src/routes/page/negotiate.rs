//! Content negotiation and revalidation (RFC 9110, sections 12.5.3 and 13.1.2).

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};

use super::file::{EncodedFile, PageFile};
use crate::negotiation::{items, weight};

/// Weight of `identity` if the client gives none: always acceptable, but after
/// every encoding that the client accepts.
const DEFAULT_WEIGHT: f32 = f32::MIN_POSITIVE;

/// The encoding with the highest weight, the smallest on a tie; `identity` if the
/// client accepts none.
pub fn best_encoding<'a>(
    file: &'a PageFile,
    request: &HeaderMap,
) -> (Option<&'static str>, &'a EncodedFile) {
    let mut best = (None, &file.identity);
    let mut best_weight = weight("identity", request, &ACCEPT_ENCODING).unwrap_or(DEFAULT_WEIGHT);
    // Brotli last: it is the smallest, and the last one wins a tie.
    for (coding, encoded) in [("gzip", &file.gzip), ("br", &file.br)] {
        let weight = weight(coding, request, &ACCEPT_ENCODING).unwrap_or_default();
        if let Some(encoded) = encoded
            && weight > 0.0
            && weight >= best_weight
        {
            best = (Some(coding), encoded);
            best_weight = weight;
        }
    }
    best
}

/// Compares `if-none-match` weakly (RFC 9110, section 13.1.2).
pub fn matches_etag(etag: &str, request: &HeaderMap) -> bool {
    items(request, &IF_NONE_MATCH)
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
        .any(|tag| tag == etag || tag == "*")
}
