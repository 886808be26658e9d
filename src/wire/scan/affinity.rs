//! What a request has in common with others that should go to the same place.
//!
//! This is a look of its own into a body that [`super::scan`] found sound: only
//! few models ask for it, and which model it is the first pass has to find out.
//! It ends where it has found what it wants.

use std::borrow::Cow;

use super::Span;
use super::cursor::Cursor;
use super::glance::{Halt, members};
use super::string::{Decoder, Text};

/// Members that say who asks, the first one before the others. OpenAI's API
/// reference: the cache key is there to keep requests together, and it and the
/// identifier replace `user`.
const CALLER: [&str; 3] = ["prompt_cache_key", "user", "safety_identifier"];
/// So many bytes of such a member count; OpenAI takes 64 characters.
const CALLER_BYTES: usize = 1024;
/// So many bytes of an opening count.
const OPENING_BYTES: usize = 256 * 1024;
/// Bare text has no first message, and grows at its end.
const TEXT_BYTES: usize = 1024;

/// The caller's own name for whom or what it asks for: `prompt_cache_key`, else
/// `user`, else `safety_identifier`. None where it is no text or empty.
#[must_use]
pub fn caller(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found: [Option<Text>; CALLER.len()] = Default::default();
    members(body, |cursor, key| {
        let rank = CALLER.iter().position(|name| cursor.spells(key, name));
        let Some(rank) = rank.filter(|_| cursor.peek() == Some(b'"')) else {
            return Ok(cursor.skip_value()?);
        };
        let text = cursor.string()?;
        if let Some(cell) = found.get_mut(rank)
            && text.span.end - text.span.start > 2
        {
            cell.get_or_insert(text);
            return if rank == 0 { Err(Halt) } else { Ok(()) };
        }
        Ok(())
    });
    let text = found.into_iter().flatten().next()?;
    let content = body.get(text.span.start + 1..text.span.end - 1)?;
    if let Some(start) = content.get(..CALLER_BYTES) {
        return Some(start.into());
    }
    // Two spellings of one name are one name, unless they are of no text.
    let decoded = || Decoder::of(content).collect::<Result<String, usize>>();
    Some(match text.escaped.then(decoded) {
        Some(Ok(name)) => name.into_bytes().into(),
        _ => content.into(),
    })
}

/// How the prompt begins, as it is written: the system's words and the first
/// message after them in `messages`; else in `instructions` and `input`, and in
/// `prompt`. Nothing stands where there is nothing.
#[must_use]
pub fn opening(body: &[u8]) -> [&[u8]; 3] {
    const NOTHING: [Span; 3] = [Span::empty(0); 3];
    let mut found = NOTHING;
    members(body, |cursor, key| {
        let is = |name| cursor.spells(key, name);
        if is("messages") {
            found = NOTHING;
            let [messages, ..] = &mut found;
            open(cursor, messages, true)?;
            return Err(Halt);
        }
        let place = ["instructions", "input", "prompt"].into_iter().position(is);
        match place.and_then(|place| found.get_mut(place)) {
            Some(cell) => open(cursor, cell, false),
            None => Ok(cursor.skip_value()?),
        }
    });
    let [_, _, prompt] = &mut found;
    prompt.end = prompt.end.min(prompt.start + TEXT_BYTES);
    found.map(|span| {
        let end = span.end.min(span.start + OPENING_BYTES);
        body.get(span.start..end).unwrap_or_default()
    })
}

/// Consumes a value, or as much of it as is needed when it is the last one of
/// interest. Finds of a list the system's messages at its beginning and the
/// first one of another, of any other value the whole.
fn open(cursor: &mut Cursor<'_>, found: &mut Span, is_last: bool) -> Result<(), Halt> {
    let start = cursor.offset();
    *found = Span::empty(start);
    match cursor.peek() {
        Some(b'[') => {}
        Some(b'n') => return Ok(cursor.skip_value()?),
        _ => {
            cursor.skip_value()?;
            *found = cursor.since(start);
            return Ok(());
        }
    }
    let mut goes_on = true;
    cursor.array(|cursor| {
        if !goes_on {
            return Ok(cursor.skip_value()?);
        }
        let start = cursor.offset();
        goes_on = is_of_system(cursor)?;
        if found.start == found.end {
            found.start = start;
        }
        found.end = cursor.offset();
        if is_last && !goes_on {
            return Err(Halt);
        }
        Ok(())
    })
}

/// Consumes one item of a list of messages.
fn is_of_system(cursor: &mut Cursor<'_>) -> Result<bool, Halt> {
    if cursor.peek() != Some(b'{') {
        cursor.skip_value()?;
        return Ok(false);
    }
    let mut is_of_system = false;
    cursor.object(|cursor, key| {
        if cursor.spells(key, "role") && cursor.peek() == Some(b'"') {
            let role = cursor.string()?;
            is_of_system = cursor.spells(role, "system") || cursor.spells(role, "developer");
            return Ok::<(), Halt>(());
        }
        Ok(cursor.skip_value()?)
    })?;
    Ok(is_of_system)
}
