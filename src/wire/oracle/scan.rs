//! The scan against `serde_json`.

use std::collections::HashMap;

use serde::de::IgnoredAny;

use super::json::{depth, key_is, members};
use crate::wire::scan::{MAX_MODEL_BYTES, ScanMode, Scanner, StreamOptions, reference, scan};

const MAX_DEPTH: usize = 127;

/// The scan of a body by `serde_json`.
#[derive(Debug, PartialEq, Eq)]
struct ExpectedScan {
    /// The model's name, escapes resolved.
    model: String,
    /// The model's value as written in the body.
    raw_model: Vec<u8>,
    stream: bool,
    options: ExpectedOptions,
}

/// `StreamOptions` without its offsets.
#[derive(Debug, PartialEq, Eq)]
enum ExpectedOptions {
    Absent,
    Null,
    Object {
        empty: bool,
        include_usage: Option<bool>,
    },
    Other,
}

fn expected_scan(body: &[u8]) -> Option<ExpectedScan> {
    std::str::from_utf8(body).ok()?;
    serde_json::from_slice::<IgnoredAny>(body).ok()?;
    if depth(body) > MAX_DEPTH {
        return None;
    }
    let members = members(body.trim_ascii())?;
    let mut found: HashMap<String, &[u8]> = HashMap::new();
    let mut folded = Vec::new();
    for (key, value) in members {
        let Ok(key) = serde_json::from_slice::<String>(key) else {
            continue;
        };
        let known = matches!(key.as_str(), "model" | "stream" | "stream_options");
        if known && found.insert(key.clone(), value).is_some() {
            return None;
        }
        if !known {
            folded.push(key.replace('\u{17F}', "s").to_ascii_lowercase());
        }
    }
    if folded.iter().any(|name| found.contains_key(name)) {
        return None;
    }
    let raw_model = *found.get("model")?;
    let model = serde_json::from_slice::<String>(raw_model).ok()?;
    (1..=MAX_MODEL_BYTES)
        .contains(&model.len())
        .then(|| ExpectedScan {
            model,
            raw_model: raw_model.to_vec(),
            stream: found.get("stream").is_some_and(|&raw| raw == b"true"),
            options: options(found.get("stream_options").copied()),
        })
}

fn options(raw: Option<&[u8]>) -> ExpectedOptions {
    match raw {
        None => ExpectedOptions::Absent,
        Some(b"null") => ExpectedOptions::Null,
        Some(object) if object.starts_with(b"{") => {
            let members = members(object).unwrap_or_default();
            ExpectedOptions::Object {
                empty: members.is_empty(),
                include_usage: members
                    .iter()
                    .rfind(|(key, _)| key_is(key, "include_usage"))
                    .map(|&(_, value)| value == b"true"),
            }
        }
        Some(_) => ExpectedOptions::Other,
    }
}

/// Compares the scan to the oracle.
///
/// # Panics
/// When they disagree.
pub fn check_scan(body: &[u8]) {
    let expected = expected_scan(body);
    let scan = match scan(body) {
        Ok(scan) => scan,
        Err(error) => {
            assert!(error.offset <= body.len(), "{error}: offset out of range");
            assert_eq!(expected, None, "rejected: {error}");
            return;
        }
    };
    let actual = ExpectedScan {
        model: scan.model_name(body).expect("a valid name").into_owned(),
        raw_model: scan
            .model
            .map(|at| body[at.start..at.end].to_vec())
            .expect("a model"),
        stream: scan.stream,
        options: match scan.stream_options {
            StreamOptions::Absent => ExpectedOptions::Absent,
            StreamOptions::Null(null) => {
                assert_eq!(&body[null.start..null.end], b"null");
                ExpectedOptions::Null
            }
            StreamOptions::Object {
                object_start,
                empty,
                include_usage,
            } => {
                assert_eq!(body[object_start - 1], b'{');
                ExpectedOptions::Object {
                    empty,
                    include_usage,
                }
            }
            StreamOptions::Other => ExpectedOptions::Other,
        },
    };
    assert_eq!(Some(actual), expected);
}

/// Compares the scan of a body to that by a cursor, whole and cut into frames at these
/// offsets.
///
/// # Panics
/// When they disagree.
pub fn check_frames(body: &[u8], cuts: &[usize]) {
    for mode in [ScanMode::ModelRequired, ScanMode::Object, ScanMode::Any] {
        let expected = reference::scan(body, mode);
        let expected = expected.map(|scan| {
            let name = scan.model_name(body).unwrap_or_default();
            (scan, name.into_owned())
        });
        let mut whole = Scanner::new(mode);
        whole.feed(body);
        assert_eq!(whole.finish(), expected, "{}", body.escape_ascii());

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(body.len())).collect();
        cuts.sort_unstable();
        let mut scanner = Scanner::new(mode);
        let mut start = 0;
        for end in cuts.iter().copied().chain([body.len()]) {
            scanner.feed(&body[start..end]);
            start = end;
        }
        let body = body.escape_ascii();
        assert_eq!(
            scanner.finish(),
            expected,
            "{mode:?}, cut at {cuts:?}: {body}"
        );
    }
}
