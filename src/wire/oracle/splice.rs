//! The splice against `serde_json`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::json::members;
use crate::wire::scan::{StreamOptions, scan};
use crate::wire::splice::{StreamUsage, encode_model, splice};

/// Splices a valid body, and checks that the edited members have the expected
/// values and all others their own bytes.
///
/// # Panics
/// When one of them has not.
pub fn check_splice(body: &[u8], name: &str, usage: StreamUsage) {
    let body = Bytes::copy_from_slice(body);
    let Ok(scan) = scan(&body) else { return };
    let segments = splice(&body.clone().into(), &scan, &encode_model(name), usage);
    let spliced = segments.iter().flatten().copied().collect::<Vec<u8>>();
    assert!(segments.iter().all(|part| !part.is_empty()));

    let model = Value::from(name).to_string();
    let inject = usage == StreamUsage::Inject && scan.should_inject_usage();
    let mut actual = members(spliced.trim_ascii()).expect("an object");
    let mut expected = members(body.trim_ascii()).expect("an object");
    if inject && scan.stream_options == StreamOptions::Absent {
        let added = actual
            .iter()
            .position(|(key, _)| *key == b"\"stream_options\"");
        let (_, value) = actual.remove(added.expect("the options were added"));
        assert_eq!(value, br#"{"include_usage":true}"#);
    }
    assert_eq!(actual.len(), expected.len());
    for ((key, value), (expected_key, expected)) in actual.drain(..).zip(expected.drain(..)) {
        assert_eq!(key, expected_key);
        let known = serde_json::from_slice::<String>(key).unwrap_or_default();
        match known.as_str() {
            "model" => assert_eq!(value, model.as_bytes()),
            "stream_options" if inject => check_options(value, expected),
            _ => assert_eq!(value, expected),
        }
    }
}

fn check_options(spliced: &[u8], original: &[u8]) {
    let parse = |raw: &[u8]| serde_json::from_slice::<Value>(raw);
    let (Ok(spliced), Ok(original)) = (parse(spliced), parse(original)) else {
        // A number out of range, or half a surrogate pair.
        return;
    };
    let mut expected = if original.is_null() {
        json!({})
    } else {
        original
    };
    expected["include_usage"] = json!(true);
    assert_eq!(spliced, expected);
}
