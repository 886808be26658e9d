//! Weighted lists in the fields of content negotiation (RFC 9110, section 12.4.2).

use http::{HeaderMap, HeaderName};

/// The weight that `field` gives to a coding or media type, without parameters; none if it
/// is not listed.
#[must_use]
pub fn weight(wanted: &str, headers: &HeaderMap, field: &HeaderName) -> Option<f32> {
    let mut wildcard = None;
    for item in items(headers, field) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case(wanted) {
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

/// The items of a list field, which may occur several times.
pub fn items<'h>(headers: &'h HeaderMap, field: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(field).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}
