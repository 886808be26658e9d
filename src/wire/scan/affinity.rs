//! The parts of a request body that affinity keys are made of.
//!
//! This is a second pass over a body that [`super::scan()`] has accepted: few
//! models use affinity, and the first pass has yet to find the model. It stops
//! as soon as it has found enough.

use std::borrow::Cow;

use memchr::{memchr2, memmem};

use super::ByteSpan;
use super::cursor::{Cursor, Stop, visit_members};
use super::string::{Decoder, JsonString};

/// In order of precedence. OpenAI's API reference: the cache key keeps requests
/// together; it and the identifier replace `user`.
const SESSION_KEYS: [&str; 3] = ["prompt_cache_key", "user", "safety_identifier"];
/// Limit of a session key; OpenAI's own is 64 characters.
const MAX_KEY_BYTES: usize = 1024;
const MAX_PREFIX_BYTES: usize = 256 * 1024;
/// Limit of a prompt that is a string, which has no first message and grows at its end.
const MAX_TEXT_BYTES: usize = 1024;
/// The first line of Claude Code's system prompt, which is new with each request.
const BILLING_LINE: &[u8] = b"\"x-anthropic-billing-header:";
/// Limit of the JSON before that line: brackets, and members such as `type`.
const MAX_BYTES_BEFORE_LINE: usize = 512;

const NOTHING: [ByteSpan; 3] = [ByteSpan::empty(0); 3];

/// `prompt_cache_key`, else `user`, else `safety_identifier`. `None` if it is
/// empty or not a string.
#[must_use]
pub fn session_key(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found: [Option<JsonString>; SESSION_KEYS.len()] = Default::default();
    visit_members(body, |cursor, key| {
        let rank = SESSION_KEYS
            .iter()
            .position(|name| cursor.text_eq(key, name));
        let Some(rank) = rank.filter(|_| cursor.peek() == Some(b'"')) else {
            return Ok(cursor.skip_value()?);
        };
        let text = cursor.string()?;
        if let Some(slot) = found.get_mut(rank)
            && text.span.end - text.span.start > 2
        {
            slot.get_or_insert(text);
            return if rank == 0 { Err(Stop) } else { Ok(()) };
        }
        Ok(())
    });
    let text = found.into_iter().flatten().next()?;
    let content = body.get(text.span.start + 1..text.span.end - 1)?;
    if let Some(start) = content.get(..MAX_KEY_BYTES) {
        return Some(start.into());
    }
    // Escaped and plain spellings are the same key. Content that cannot be decoded
    // (half a surrogate pair) is taken as it is.
    let decoded = || Decoder::from_bytes(content).collect::<Result<String, usize>>();
    Some(match text.escaped.then(decoded) {
        Some(Ok(name)) => name.into_bytes().into(),
        _ => content.into(),
    })
}

/// The start of the prompt, not decoded: the system messages and the first other
/// one in `messages`; else in `instructions` and `input`, and in `prompt`. In
/// Anthropic's API, `messages` and `system`.
#[must_use]
pub fn prompt_prefix(body: &[u8], is_messages_api: bool) -> [&[u8]; 3] {
    let mut found = if is_messages_api {
        messages_and_system(body)
    } else {
        openai_prompt(body)
    };
    let [_, _, prompt] = &mut found;
    prompt.end = prompt.end.min(prompt.start + MAX_TEXT_BYTES);
    found.map(|span| {
        let part = body.get(span.start..span.end).unwrap_or_default();
        let part = without_billing_line(part);
        part.get(..MAX_PREFIX_BYTES).unwrap_or(part)
    })
}

fn openai_prompt(body: &[u8]) -> [ByteSpan; 3] {
    let mut found = NOTHING;
    visit_members(body, |cursor, key| {
        let is = |name| cursor.text_eq(key, name);
        if is("messages") {
            found = NOTHING;
            let [messages, ..] = &mut found;
            read_prefix(cursor, messages, true)?;
            return Err(Stop);
        }
        let index = ["instructions", "input", "prompt"].into_iter().position(is);
        match index.and_then(|index| found.get_mut(index)) {
            Some(span) => read_prefix(cursor, span, false),
            None => Ok(cursor.skip_value()?),
        }
    });
    found
}

/// SDKs write `system` after the messages, so all of them may have to be skipped.
fn messages_and_system(body: &[u8]) -> [ByteSpan; 3] {
    let (mut messages, mut system) = (None, None);
    visit_members(body, |cursor, key| {
        if messages.is_none() && cursor.text_eq(key, "messages") {
            let found = messages.insert(ByteSpan::empty(0));
            read_prefix(cursor, found, system.is_some())?;
        } else if system.is_none() && cursor.text_eq(key, "system") {
            let start = cursor.offset();
            cursor.skip_value()?;
            system = Some(cursor.span_from(start));
        } else {
            cursor.skip_value()?;
        }
        let is_complete = messages.is_some() && system.is_some();
        if is_complete { Err(Stop) } else { Ok(()) }
    });
    let [first, second, third] = NOTHING;
    [messages.unwrap_or(first), system.unwrap_or(second), third]
}

/// What follows [`BILLING_LINE`], in the same text or after it.
fn without_billing_line(part: &[u8]) -> &[u8] {
    let near = MAX_BYTES_BEFORE_LINE + BILLING_LINE.len();
    let near = part.get(..near).unwrap_or(part);
    let Some(start) = memmem::find(near, BILLING_LINE) else {
        return part;
    };
    let mut rest = part.get(start + BILLING_LINE.len()..).unwrap_or_default();
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let (end, after) = rest.split_at(at).1.split_at(1);
        match (end, after.first()) {
            (b"\\", Some(b'n')) => return after.get(1..).unwrap_or_default(),
            (b"\\", Some(_)) => rest = after.get(1..).unwrap_or_default(),
            _ => return after,
        }
    }
    &[]
}

/// Consumes a value; when it `is_last`, only as much as is needed. Of an array,
/// finds the leading system messages and the first other one; any other value is
/// taken whole.
fn read_prefix(cursor: &mut Cursor<'_>, found: &mut ByteSpan, is_last: bool) -> Result<(), Stop> {
    let start = cursor.offset();
    *found = ByteSpan::empty(start);
    match cursor.peek() {
        Some(b'[') => {}
        Some(b'n') => return Ok(cursor.skip_value()?),
        _ => {
            cursor.skip_value()?;
            *found = cursor.span_from(start);
            return Ok(());
        }
    }
    let mut in_prefix = true;
    cursor.array(|cursor| {
        if !in_prefix {
            return Ok(cursor.skip_value()?);
        }
        let start = cursor.offset();
        in_prefix = read_message(cursor)?;
        if found.start == found.end {
            found.start = start;
        }
        found.end = cursor.offset();
        if is_last && !in_prefix {
            return Err(Stop);
        }
        Ok(())
    })
}

/// Consumes one item of a list of messages. Returns true for a system message.
fn read_message(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    if cursor.peek() != Some(b'{') {
        cursor.skip_value()?;
        return Ok(false);
    }
    let mut is_system = false;
    cursor.object(|cursor, key| {
        if cursor.text_eq(key, "role") && cursor.peek() == Some(b'"') {
            let role = cursor.string()?;
            is_system = cursor.text_eq(role, "system") || cursor.text_eq(role, "developer");
            return Ok::<(), Stop>(());
        }
        Ok(cursor.skip_value()?)
    })?;
    Ok(is_system)
}
