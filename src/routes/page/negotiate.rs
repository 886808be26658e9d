//! Content negotiation and revalidation (RFC 9110, sections 12.5.3 and 13.1.2).

use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};

use super::file::{EncodedFile, PageFile};

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
    let mut best_weight = weight("identity", request).unwrap_or(DEFAULT_WEIGHT);
    // Brotli last: it is the smallest, and the last one wins a tie.
    for (coding, encoded) in [("gzip", &file.gzip), ("br", &file.br)] {
        let weight = weight(coding, request).unwrap_or_default();
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

/// The client's weight for a coding; none if it is not listed.
fn weight(coding: &str, request: &HeaderMap) -> Option<f32> {
    let mut wildcard = None;
    for item in items(request, ACCEPT_ENCODING) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case(coding) {
            return quality(parameters);
        }
        if name == "*" {
            wildcard = quality(parameters);
        }
    }
    wildcard
}

/// The `q` parameter, by default 1; none if it is invalid.
fn quality(parameters: &str) -> Option<f32> {
    let mut pairs = parameters
        .split(';')
        .filter_map(|pair| pair.split_once('='));
    let q = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let Some((_, value)) = q else {
        return Some(1.0);
    };
    let value: f32 = value.trim().parse().ok()?;
    (0.0..=1.0).contains(&value).then_some(value)
}

/// Compares `if-none-match` weakly (RFC 9110, section 13.1.2).
pub fn matches_etag(etag: &str, request: &HeaderMap) -> bool {
    items(request, IF_NONE_MATCH)
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
        .any(|tag| tag == etag || tag == "*")
}

/// The items of a list field, which may occur several times.
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}
