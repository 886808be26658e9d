//! Which form of a file a request is answered with, if it needs one at all
//! (RFC 9110, sections 12.5.3 and 13.1.2).

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, GetAll, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue};

use super::file::{File, Form};

/// Weight of the plain form where the caller gives it none: it may always be
/// sent, but anything that was asked for goes before it.
const UNSAID: f32 = f32::MIN_POSITIVE;

/// The form that the caller likes best, and its content coding. Where the
/// caller is indifferent the smallest is taken; where nothing suits it, it gets
/// the plain one, which is what it would get without asking.
pub fn best<'a>(file: &'a File, request: &HeaderMap) -> (Option<&'static str>, &'a Form) {
    let mut best = (None, &file.identity);
    let mut most = weight("identity", request).unwrap_or(UNSAID);
    // From the last choice to the first, so that the first wins a draw.
    for (coding, form) in [("gzip", &file.gzip), ("br", &file.br)] {
        let weight = weight(coding, request).unwrap_or_default();
        if let Some(form) = form
            && weight > 0.0
            && weight >= most
        {
            best = (Some(coding), form);
            most = weight;
        }
    }
    best
}

/// How much the caller wants this coding; none when it does not say.
fn weight(coding: &str, request: &HeaderMap) -> Option<f32> {
    let mut any = None;
    for item in items(request, ACCEPT_ENCODING) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case(coding) {
            return quality(parameters);
        }
        if name == "*" {
            any = quality(parameters);
        }
    }
    any
}

/// The `q` among the parameters, 1 without one; none when it is no weight.
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

/// Whether the caller says that it has the form with this tag. Tags are
/// compared weakly, as they are for this header.
pub fn is_known(etag: &str, request: &HeaderMap) -> bool {
    items(request, IF_NONE_MATCH)
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
        .any(|tag| tag == etag || tag == "*")
}

/// The items of a list, which may be spread over several fields.
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values: GetAll<'_, HeaderValue> = headers.get_all(name);
    let texts = values.into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}
