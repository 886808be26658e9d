//! The same questions answered the slow and obvious way, for tests and fuzzers.
//!
//! `serde_json` is the judge of syntax. It bounds no depth for ignored values
//! and keeps quiet about duplicates, so those are looked at here on their own,
//! by code that may assume sound JSON.

use std::collections::HashMap;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::scan::{MODEL_LIMIT_BYTES, StreamOptions, affinity, scan};
use super::splice::{StreamUsage, encode_model, splice};
use super::sse_relay::{FinishRule, Follower};
use super::usage::Usage;

const DEPTH_LIMIT: usize = 127;

/// What a body says, read by the oracle.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The model's name, escapes resolved.
    pub model: String,
    /// The model's value as it is written.
    pub raw_model: Vec<u8>,
    /// Whether `stream` is `true`.
    pub stream: bool,
    /// A summary of `stream_options`.
    pub options: Options,
}

/// `StreamOptions` without its offsets.
#[derive(Debug, PartialEq, Eq)]
pub enum Options {
    /// No such member.
    Absent,
    /// `null`
    Null,
    /// An object.
    Object {
        /// Without members.
        empty: bool,
        /// The last `include_usage` is `true`.
        include_usage: Option<bool>,
    },
    /// Anything else.
    Other,
}

/// Reads a body by way of `serde_json`.
#[must_use]
pub fn judge(body: &[u8]) -> Option<Verdict> {
    std::str::from_utf8(body).ok()?;
    serde_json::from_slice::<IgnoredAny>(body).ok()?;
    if depth(body) > DEPTH_LIMIT {
        return None;
    }
    let members = members(body.trim_ascii())?;
    let mut found: HashMap<String, &[u8]> = HashMap::new();
    for (key, value) in members {
        let Ok(key) = serde_json::from_slice::<String>(key) else {
            continue;
        };
        let known = matches!(key.as_str(), "model" | "stream" | "stream_options");
        if known && found.insert(key, value).is_some() {
            return None;
        }
    }
    let raw_model = *found.get("model")?;
    let model = serde_json::from_slice::<String>(raw_model).ok()?;
    (1..=MODEL_LIMIT_BYTES)
        .contains(&model.len())
        .then(|| Verdict {
            model,
            raw_model: raw_model.to_vec(),
            stream: found.get("stream").is_some_and(|&raw| raw == b"true"),
            options: options(found.get("stream_options").copied()),
        })
}

/// Holds the scan against the oracle.
///
/// # Panics
/// When they disagree.
pub fn check_scan(body: &[u8]) {
    let expected = judge(body);
    let scan = match scan(body) {
        Ok(scan) => scan,
        Err(error) => {
            assert!(error.offset <= body.len(), "{error} is outside");
            assert_eq!(expected, None, "refused: {error}");
            return;
        }
    };
    let verdict = Verdict {
        model: scan.model_name(body).expect("a sound name").into_owned(),
        raw_model: scan
            .model
            .map(|at| body[at.start..at.end].to_vec())
            .expect("a model"),
        stream: scan.stream,
        options: match scan.stream_options {
            StreamOptions::Absent => Options::Absent,
            StreamOptions::Null(place) => {
                assert_eq!(&body[place.start..place.end], b"null");
                Options::Null
            }
            StreamOptions::Object {
                open,
                empty,
                include_usage,
            } => {
                assert_eq!(body[open - 1], b'{');
                Options::Object {
                    empty,
                    include_usage,
                }
            }
            StreamOptions::Other => Options::Other,
        },
    };
    assert_eq!(Some(verdict), expected);
}

/// Holds what a body is kept together by against the oracle; bodies that the
/// scan refuses must only not stop the process.
///
/// # Panics
/// When they disagree.
pub fn check_affinity(body: &[u8]) {
    let (caller, opening) = (affinity::caller(body), affinity::opening(body));
    if scan(body).is_err() {
        return;
    }
    let members = members(body.trim_ascii()).expect("an object");
    let named = |wanted: &'static str| {
        let of_name =
            move |key: &[u8]| serde_json::from_slice::<String>(key).is_ok_and(|key| key == wanted);
        members
            .iter()
            .filter(move |(key, _)| of_name(key))
            .map(|(_, value)| *value)
    };
    let callers = ["prompt_cache_key", "user", "safety_identifier"];
    let mut texts = callers
        .iter()
        .filter_map(|name| named(name).find(|value| value.starts_with(b"\"") && value.len() > 2));
    let expected = texts.next().map(|written| {
        let content = &written[1..written.len() - 1];
        match serde_json::from_slice::<String>(written) {
            _ if content.len() >= 1024 => content[..1024].to_vec(),
            Ok(text) => text.into_bytes(),
            Err(_) => content.to_vec(),
        }
    });
    assert_eq!(caller.as_deref(), expected.as_deref());

    let cut = |part: &[u8], most: usize| part[..part.len().min(most)].to_vec();
    let last = |name| named(name).next_back().map_or(&b""[..], opening_of);
    let most = 256 * 1024;
    let expected = match named("messages").next() {
        Some(messages) => [cut(opening_of(messages), most), Vec::new(), Vec::new()],
        None => [
            cut(last("instructions"), most),
            cut(last("input"), most),
            cut(last("prompt"), 1024),
        ],
    };
    assert_eq!(opening.map(<[u8]>::to_vec), expected);
}

/// The items of a sound array up to the first that is not the system's.
fn opening_of(value: &[u8]) -> &[u8] {
    let Some(inside) = value.strip_prefix(b"[") else {
        return if value == b"null" { b"" } else { value };
    };
    let (mut depth, mut start, mut end) = (0, 0, 0);
    for (at, byte) in outside_strings(inside) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' | b']' if depth == 0 => {
                let item = inside[start..at].trim_ascii();
                if !item.is_empty() {
                    end = start + inside[start..at].trim_ascii_end().len();
                }
                if byte == b']' || !is_of_system(item) {
                    break;
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    inside[..end].trim_ascii_start()
}

fn is_of_system(item: &[u8]) -> bool {
    let roles = members(item).unwrap_or_default();
    let role = roles.iter().rfind(|(key, value)| {
        value.starts_with(b"\"")
            && serde_json::from_slice::<String>(key).is_ok_and(|key| key == "role")
    });
    let role = role.and_then(|(_, value)| serde_json::from_slice::<String>(value).ok());
    matches!(role.as_deref(), Some("system" | "developer"))
}

/// Splices a sound body and looks at what came out of it: the members that are
/// wanted, and all others as they were, byte for byte.
///
/// # Panics
/// When it is anything else.
pub fn check_splice(body: &[u8], name: &str, usage: StreamUsage) {
    let body = Bytes::copy_from_slice(body);
    let Ok(scan) = scan(&body) else { return };
    let segments = splice(&body, &scan, &encode_model(name), usage);
    let spliced = segments.iter().flatten().copied().collect::<Vec<u8>>();
    assert!(segments.iter().all(|part| !part.is_empty()));

    let model = Value::from(name).to_string();
    let ask = usage == StreamUsage::Inject && scan.would_inject();
    let mut rest = members(spliced.trim_ascii()).expect("an object");
    let mut expected = members(body.trim_ascii()).expect("an object");
    if ask && scan.stream_options == StreamOptions::Absent {
        let added = rest
            .iter()
            .position(|(key, _)| *key == b"\"stream_options\"");
        let (_, value) = rest.remove(added.expect("the options were added"));
        assert_eq!(value, br#"{"include_usage":true}"#);
    }
    assert_eq!(rest.len(), expected.len());
    for ((key, value), (expected_key, expected)) in rest.drain(..).zip(expected.drain(..)) {
        assert_eq!(key, expected_key);
        let known = serde_json::from_slice::<String>(key).unwrap_or_default();
        match known.as_str() {
            "model" => assert_eq!(value, model.as_bytes()),
            "stream_options" if ask => check_options(value, expected),
            _ => assert_eq!(value, expected),
        }
    }
}

fn check_options(spliced: &[u8], original: &[u8]) {
    let parse = |raw: &[u8]| serde_json::from_slice::<Value>(raw);
    let (Ok(spliced), Ok(original)) = (parse(spliced), parse(original)) else {
        // A number beyond the range of Rust's, or half a surrogate pair.
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

fn options(raw: Option<&[u8]>) -> Options {
    match raw {
        None => Options::Absent,
        Some(b"null") => Options::Null,
        Some(object) if object.starts_with(b"{") => {
            let members = members(object).unwrap_or_default();
            Options::Object {
                empty: members.is_empty(),
                include_usage: members
                    .iter()
                    .rfind(|(key, _)| {
                        serde_json::from_slice::<String>(key)
                            .is_ok_and(|key| key == "include_usage")
                    })
                    .map(|&(_, value)| value == b"true"),
            }
        }
        Some(_) => Options::Other,
    }
}

/// The deepest nesting of sound JSON.
#[must_use]
pub fn depth(json: &[u8]) -> usize {
    outside_strings(json)
        .scan(0_usize, |depth, (_, byte)| {
            match byte {
                b'{' | b'[' => *depth += 1,
                b'}' | b']' => *depth -= 1,
                _ => {}
            }
            Some(*depth)
        })
        .max()
        .unwrap_or(0)
}

/// The raw keys and values of a sound object; nothing for another value.
#[must_use]
pub fn members(json: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let inside = json.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, byte) in outside_strings(inside) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => {
                parts.push(inside[start..at].trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(inside[start..].trim_ascii());
    Some(
        parts
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect(),
    )
}

fn outside_strings(json: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let (mut inside, mut escape) = (false, false);
    json.iter().copied().enumerate().filter(move |&(_, byte)| {
        let was_inside = inside;
        match byte {
            _ if escape => escape = false,
            b'\\' if inside => escape = true,
            b'"' => inside = !inside,
            _ => {}
        }
        !was_inside && !inside
    })
}

/// Everything that a follower says about a stream.
#[derive(Debug, PartialEq)]
pub struct Followed {
    /// The bytes that were given out, `end` included.
    pub out: Vec<u8>,
    /// `at_boundary` before and after `end`.
    pub at_boundary: [bool; 2],
    /// `is_complete`, `is_done`, `upstream_error`, `first_data`
    pub flags: [bool; 4],
    /// `usage`
    pub usage: Option<Usage>,
    /// `events`
    pub events: u64,
}

/// Feeds a stream in pieces whose lengths are taken from `cuts` in turn, or in
/// one piece if there are none.
///
/// # Panics
/// When bytes are held back that are not to be hidden.
#[must_use]
pub fn follow(rule: FinishRule, hide: bool, stream: &[u8], cuts: &[usize]) -> Followed {
    let mut follower = Follower::new(rule, hide);
    let mut cuts = cuts.iter().copied().cycle();
    let (mut out, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let len = cuts.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, behind) = rest.split_at(len);
        rest = behind;
        let given = follower.feed(Bytes::copy_from_slice(chunk));
        assert!(given.as_ref().is_none_or(|bytes| !bytes.is_empty()));
        out.extend(given.into_iter().flatten());
        assert!(hide || out.len() + rest.len() == stream.len(), "held back");
    }
    let before = follower.at_boundary();
    out.extend(follower.end().into_iter().flatten());
    Followed {
        out,
        at_boundary: [before, follower.at_boundary()],
        flags: [
            follower.is_complete(),
            follower.is_done(),
            follower.upstream_error(),
            follower.first_data(),
        ],
        usage: follower.usage().copied(),
        events: follower.events(),
    }
}

/// Follows a stream in one piece, byte by byte, and in the given pieces.
///
/// # Panics
/// When that makes a difference, or when bytes are lost that are not to be
/// hidden.
pub fn check_follow(stream: &[u8], cuts: &[usize]) {
    for rule in [
        FinishRule::Chat,
        FinishRule::Responses,
        FinishRule::Messages,
        FinishRule::EndOfBody,
    ] {
        for hide in [false, true] {
            let whole = follow(rule, hide, stream, &[]);
            assert!(hide || whole.out == stream, "bytes were changed");
            assert_eq!(whole, follow(rule, hide, stream, &[1]));
            if cuts.iter().any(|&cut| cut > 0) {
                assert_eq!(whole, follow(rule, hide, stream, cuts));
            }
        }
    }
}
