//! Session keys and prompt prefixes against `serde_json`.

use super::json::{key_is, members, outside_strings};
use crate::wire::scan::{affinity, scan};

/// Compares the session key and the prompt prefix to the oracle. For a body that
/// the scan rejects, they must only not panic.
///
/// # Panics
/// When they disagree.
pub fn check_affinity(body: &[u8]) {
    let key = affinity::session_key(body);
    let [openai, anthropic] = [false, true].map(|it| affinity::prompt_prefix(body, it));
    if scan(body).is_err() {
        return;
    }
    let members = members(body.trim_ascii()).expect("an object");
    let named = |wanted: &'static str| {
        let matching = members.iter().filter(move |(key, _)| key_is(key, wanted));
        matching.map(|(_, value)| *value)
    };
    let keys = ["prompt_cache_key", "user", "safety_identifier"];
    let mut texts = keys
        .iter()
        .filter_map(|name| named(name).find(|value| value.starts_with(b"\"") && value.len() > 2));
    let expected = texts.next().map(|raw| {
        let content = &raw[1..raw.len() - 1];
        match serde_json::from_slice::<String>(raw) {
            _ if content.len() >= 1024 => content[..1024].to_vec(),
            Ok(text) => text.into_bytes(),
            Err(_) => content.to_vec(),
        }
    });
    assert_eq!(key.as_deref(), expected.as_deref());

    let cut = |part: &[u8], limit: usize| part[..part.len().min(limit)].to_vec();
    let whole = |part: &[u8]| cut(&without_first_line(part), 256 * 1024);
    let last = |name| named(name).next_back().map_or(&b""[..], prefix_of);
    let expected = match named("messages").next() {
        Some(messages) => [whole(prefix_of(messages)), Vec::new(), Vec::new()],
        None => [
            whole(last("instructions")),
            whole(last("input")),
            whole(&cut(last("prompt"), 1024)),
        ],
    };
    assert_eq!(openai.map(<[u8]>::to_vec), expected);
    let messages = named("messages").next().map_or(&b""[..], prefix_of);
    let system = named("system").next().unwrap_or_default();
    let expected = [whole(messages), whole(system), Vec::new()];
    assert_eq!(anthropic.map(<[u8]>::to_vec), expected);
}

/// What follows the line that Claude Code changes with each request.
fn without_first_line(part: &[u8]) -> Vec<u8> {
    let line = b"\"x-anthropic-billing-header:";
    let mut starts = part.windows(line.len()).take(513);
    let Some(start) = starts.position(|window| window == line) else {
        return part.to_vec();
    };
    let mut rest = part[start + line.len()..].iter();
    while let Some(byte) = rest.next() {
        let ends = match byte {
            b'"' => true,
            b'\\' => rest.next() == Some(&b'n'),
            _ => false,
        };
        if ends {
            break;
        }
    }
    rest.as_slice().to_vec()
}

/// The system messages of an array and the first message after them; any other
/// value as it is.
fn prefix_of(value: &[u8]) -> &[u8] {
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
                if byte == b']' || !is_system_message(item) {
                    break;
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    inside[..end].trim_ascii_start()
}

fn is_system_message(item: &[u8]) -> bool {
    let roles = members(item).unwrap_or_default();
    let role = roles
        .iter()
        .rfind(|(key, value)| value.starts_with(b"\"") && key_is(key, "role"));
    let role = role.and_then(|(_, value)| serde_json::from_slice::<String>(value).ok());
    matches!(role.as_deref(), Some("system" | "developer"))
}
