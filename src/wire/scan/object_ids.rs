//! The ids of objects that live at a provider (files, responses, batches, …): as
//! an answer tells them, and as a request speaks of them.

use memchr::memmem;

use super::cursor::Cursor;
use super::glance::{Halt, members};
use super::string::Text;

/// Longest id that is taken for one. OpenAI's have at most some 70 bytes.
const LONGEST: usize = 256;
/// Most ids found in one answer, or in one request.
const MOST: usize = 128;

/// The ids in an answer, or in the beginning of one: its own, those of the
/// objects in a list, and those of files that came of it.
#[must_use]
pub fn told(answer: &[u8]) -> Vec<&str> {
    let mut found = Vec::new();
    members(answer, |cursor, key| {
        if names_itself(cursor, key) {
            return take(answer, cursor, &mut found);
        }
        // `response` in the first event of a stream, `file` in an upload that
        // is complete.
        let holds_one = ["response", "file"].iter().any(|it| cursor.spells(key, it));
        match cursor.peek() {
            Some(b'{') if holds_one => item(answer, cursor, &mut found),
            Some(b'[') if cursor.spells(key, "data") => {
                cursor.array(|cursor| item(answer, cursor, &mut found))
            }
            _ => Ok(cursor.skip_value()?),
        }
    });
    found
}

/// Whether a chat request asks that its answer be stored. Most have no word of
/// it, which is found out at a glance.
#[must_use]
pub fn is_stored(body: &[u8]) -> bool {
    if memmem::find(body, b"\"store\"").is_none() {
        return false;
    }
    let mut stored = false;
    members(body, |cursor, key| {
        let named = cursor.spells(key, "store");
        let is_true = cursor.peek() == Some(b't');
        cursor.skip_value()?;
        stored |= named && is_true;
        if named { Err(Halt) } else { Ok(()) }
    });
    stored
}

/// The strings in a request that may be ids of objects: those of members that
/// are called so.
#[must_use]
pub fn spoken_of(body: &[u8]) -> Vec<&str> {
    let mut found = Vec::new();
    members(body, |cursor, key| member(body, cursor, key, &mut found));
    found
}

fn item<'b>(
    answer: &'b [u8],
    cursor: &mut Cursor<'b>,
    found: &mut Vec<&'b str>,
) -> Result<(), Halt> {
    if cursor.peek() != Some(b'{') {
        return Ok(cursor.skip_value()?);
    }
    cursor.object(|cursor, key| {
        if names_itself(cursor, key) {
            return take(answer, cursor, found);
        }
        Ok(cursor.skip_value()?)
    })
}

/// Whether a member of an answer has the id of an object that is there now.
fn names_itself(cursor: &Cursor<'_>, key: Text) -> bool {
    let names = ["id", "output_file_id", "error_file_id"];
    names.iter().any(|name| cursor.spells(key, name))
}

/// Whether a member of a request speaks of an object.
fn names_another(cursor: &Cursor<'_>, key: Text) -> bool {
    let name = cursor.content(key);
    name.ends_with(b"_id")
        || name.ends_with(b"_ids")
        || name.ends_with(b"_file")
        || matches!(name, b"id" | b"conversation")
}

fn member<'b>(
    body: &'b [u8],
    cursor: &mut Cursor<'b>,
    key: Text,
    found: &mut Vec<&'b str>,
) -> Result<(), Halt> {
    let names = names_another(cursor, key);
    value(body, cursor, names, found)
}

fn value<'b>(
    body: &'b [u8],
    cursor: &mut Cursor<'b>,
    names: bool,
    found: &mut Vec<&'b str>,
) -> Result<(), Halt> {
    match cursor.peek() {
        Some(b'"') if names => take(body, cursor, found),
        Some(b'{') => cursor.object(|cursor, key| member(body, cursor, key, found)),
        Some(b'[') => cursor.array(|cursor| value(body, cursor, names, found)),
        _ => Ok(cursor.skip_value()?),
    }
}

/// Takes the string at the cursor, if it looks like an id.
fn take<'b>(body: &'b [u8], cursor: &mut Cursor<'b>, found: &mut Vec<&'b str>) -> Result<(), Halt> {
    if cursor.peek() != Some(b'"') {
        return Ok(cursor.skip_value()?);
    }
    let text = cursor.string()?;
    let id = body.get(text.span.start + 1..text.span.end - 1);
    if let Some(id) = id.and_then(id_of) {
        found.push(id);
    }
    if found.len() < MOST {
        Ok(())
    } else {
        Err(Halt)
    }
}

fn id_of(bytes: &[u8]) -> Option<&str> {
    let fits = (1..=LONGEST).contains(&bytes.len());
    let is_plain = bytes.iter().all(|it| it.is_ascii_graphic() && *it != b'\\');
    (fits && is_plain).then(|| std::str::from_utf8(bytes).ok())?
}

#[cfg(test)]
mod tests {
    use super::{is_stored, spoken_of, told};

    #[test]
    fn an_answer_tells_its_own_id_and_those_of_its_list() {
        for (answer, expected) in [
            (r#"{"id":"file-1","object":"file"}"#, &["file-1"][..]),
            (
                r#"{"object":"list","data":[{"id":"a"},{"id":"b","x":{"id":"c"}}]}"#,
                &["a", "b"],
            ),
            (
                r#"{"type":"response.created","response":{"id":"resp_1"}}"#,
                &["resp_1"],
            ),
            (
                r#"{"id":"u","file":{"id":"file-2"},"output_file_id":"f3"}"#,
                &["u", "file-2", "f3"],
            ),
            (
                r#"{"id":"b","output_file_id":null,"meta":{"id":"no"}}"#,
                &["b"],
            ),
            (r#"{"id":"a b"}"#, &[]),
            (r#"{"id":"a\u0062"}"#, &[]),
            (r#"{"id":7}"#, &[]),
            (r#"["id"]"#, &[]),
            ("", &[]),
        ] {
            assert_eq!(told(answer.as_bytes()), expected, "{answer}");
        }
    }

    #[test]
    fn the_beginning_of_an_answer_is_enough() {
        assert_eq!(told(br#"{"id":"batch_1","requests":[{"a":"#), ["batch_1"]);
        assert_eq!(told(br#"{"data":[{"id":"a"},{"id":"b"#), ["a"]);
        assert!(told(br#"{"id":"batch"#).is_empty());
    }

    #[test]
    fn a_chat_request_may_ask_to_be_stored() {
        for (body, expected) in [
            (r#"{"model":"m","store":true}"#, true),
            (r#"{"store" : true,"x":1}"#, true),
            (r#"{"store":false}"#, false),
            (r#"{"x":{"store":true}}"#, false),
            (r#"{"x":"\"store\":true"}"#, false),
            ("{}", false),
        ] {
            assert_eq!(is_stored(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_request_speaks_of_objects_at_any_depth() {
        let body = br#"{"model":"m","previous_response_id":"r","conversation":{"id":"c"},
            "tools":[{"vector_store_ids":["v1","v2"]}],"training_file":"f","input":"file-x",
            "input_items":[{"file_id":"f2","name":"n"}]}"#;
        assert_eq!(spoken_of(body), ["r", "c", "v1", "v2", "f", "f2"]);
    }
}
