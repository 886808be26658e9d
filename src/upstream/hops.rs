//! The field in which a request names the gateways that it has passed, so that a circle of
//! base URLs ends. `Via` (RFC 9110, section 7.6.3) is not used for it: it names proxies on
//! the client's side too, and is often removed on the way.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::wire::token_list::tokens;

pub(super) static HOPS: HeaderName = HeaderName::from_static("x-trunkline-hops");

/// Gateways that a request may pass. Ends a circle of replicas, each of which sees a
/// request for the first time.
const MAX_HOPS: usize = 8;
/// Hex digits of an instance's id.
const ID_LENGTH: usize = 16;

static INSTANCE: LazyLock<HeaderValue> = LazyLock::new(|| {
    let id = getrandom::u64().unwrap_or_else(|_| fastrand::u64(..));
    // Hex digits are always a valid header value.
    HeaderValue::try_from(format!("{id:016x}")).unwrap_or(HeaderValue::from_static("0"))
});

/// The value for a request that has passed no other gateway.
pub(super) fn instance() -> &'static HeaderValue {
    &INSTANCE
}

/// The ids of the gateways that a request has passed; what is no id is ignored.
fn ids(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(&HOPS).into_iter();
    let tokens = values.flat_map(|value| tokens(value.as_bytes()));
    tokens.filter(|token| token.len() == ID_LENGTH && token.iter().all(u8::is_ascii_hexdigit))
}

/// Whether a request has passed this process already, or too many gateways.
#[must_use]
pub fn is_loop(headers: &HeaderMap) -> bool {
    headers.contains_key(&HOPS)
        && (ids(headers).any(|id| id == INSTANCE.as_bytes()) || ids(headers).count() >= MAX_HOPS)
}

/// The value for a request that has passed other gateways.
pub(super) fn extended(headers: &HeaderMap) -> Option<HeaderValue> {
    if !headers.contains_key(&HOPS) {
        return None;
    }
    let ids: Vec<&[u8]> = ids(headers)
        .take(MAX_HOPS)
        .chain([INSTANCE.as_bytes()])
        .collect();
    HeaderValue::from_bytes(&ids.join(&b", "[..])).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{HOPS, extended, instance, is_loop};

    fn passed(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&HOPS, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn own() -> &'static str {
        instance().to_str().unwrap()
    }

    #[test]
    fn a6_the_same_instance_twice_or_too_many_hops_are_a_loop() {
        let other = "0123456789abcdef";
        let many = |count: usize| vec![other; count].join(",");
        for (values, expected) in [
            (vec![], false),
            (vec![other], false),
            (vec![own()], true),
            (vec!["x", own()], true),
            (vec![&*format!("{other} ,{}", own())], true),
            (vec![&*many(7)], false),
            (vec![&*many(8)], true),
            (vec![&*many(4), &*many(4)], true),
            (vec![&*vec!["no-id"; 50].join(",")], false),
        ] {
            assert_eq!(is_loop(&passed(&values)), expected, "{values:?}");
        }
    }

    #[test]
    fn what_is_no_id_is_not_passed_on() {
        assert_eq!(extended(&HeaderMap::new()), None);
        let other = "0123456789abcdef";
        for (values, left) in [
            (vec![other], format!("{other}, ")),
            (vec!["secret, 1", other], format!("{other}, ")),
            (vec![""], String::new()),
        ] {
            let value = extended(&passed(&values)).unwrap();
            assert_eq!(value, format!("{left}{}", own()), "{values:?}");
        }
        assert_eq!(own().len(), 16);
    }
}
