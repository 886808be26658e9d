//! Ids of objects stored at a provider (files, responses, batches, …), found in
//! responses and in requests.

use super::cursor::{Cursor, Stop, visit_members};
use super::string::JsonString;

/// OpenAI's ids have at most about 70 bytes.
const MAX_ID_BYTES: usize = 256;
/// Per request or response.
const MAX_IDS: usize = 128;

/// The ids in a response or in the start of one: its own, those of listed
/// objects, and those of output files.
#[must_use]
pub fn created_ids(response: &[u8]) -> Vec<&str> {
    let mut found = Vec::new();
    visit_members(response, |cursor, key| {
        if is_own_id(cursor, key) {
            return read_id(response, cursor, &mut found);
        }
        // `response` in the first event of a stream, `file` in an upload that
        // is complete.
        let holds_object = ["response", "file"]
            .iter()
            .any(|it| cursor.text_eq(key, it));
        match cursor.peek() {
            Some(b'{') if holds_object => read_object(response, cursor, &mut found),
            Some(b'[') if cursor.text_eq(key, "data") => {
                cursor.array(|cursor| read_object(response, cursor, &mut found))
            }
            _ => Ok(cursor.skip_value()?),
        }
    });
    found
}

/// The strings in a request that may be object ids, by the names of their members.
#[must_use]
pub fn referenced_ids(body: &[u8]) -> Vec<&str> {
    let mut found = Vec::new();
    visit_members(body, |cursor, key| {
        read_member(body, cursor, key, &mut found)
    });
    found
}

fn read_object<'b>(
    response: &'b [u8],
    cursor: &mut Cursor<'b>,
    found: &mut Vec<&'b str>,
) -> Result<(), Stop> {
    if cursor.peek() != Some(b'{') {
        return Ok(cursor.skip_value()?);
    }
    cursor.object(|cursor, key| {
        if is_own_id(cursor, key) {
            return read_id(response, cursor, found);
        }
        Ok(cursor.skip_value()?)
    })
}

/// True for a member of a response that holds the id of an existing object.
fn is_own_id(cursor: &Cursor<'_>, key: JsonString) -> bool {
    let names = ["id", "output_file_id", "error_file_id"];
    names.iter().any(|name| cursor.text_eq(key, name))
}

/// True for a member of a request that refers to an object.
fn is_reference(cursor: &Cursor<'_>, key: JsonString) -> bool {
    let name = cursor.content(key);
    // A conversation may have more calls than ids are read.
    let is_of_part = matches!(
        name,
        b"call_id" | b"item_id" | b"tool_call_id" | b"tool_use_id"
    );
    !is_of_part
        && (name.ends_with(b"_id")
            || name.ends_with(b"_ids")
            || name.ends_with(b"_file")
            || matches!(name, b"id" | b"conversation"))
}

fn read_member<'b>(
    body: &'b [u8],
    cursor: &mut Cursor<'b>,
    key: JsonString,
    found: &mut Vec<&'b str>,
) -> Result<(), Stop> {
    // The client's own notes.
    if cursor.text_eq(key, "metadata") {
        return Ok(cursor.skip_value()?);
    }
    let is_id = is_reference(cursor, key);
    read_value(body, cursor, is_id, found)
}

fn read_value<'b>(
    body: &'b [u8],
    cursor: &mut Cursor<'b>,
    is_id: bool,
    found: &mut Vec<&'b str>,
) -> Result<(), Stop> {
    match cursor.peek() {
        Some(b'"') if is_id => read_id(body, cursor, found),
        Some(b'{') => cursor.object(|cursor, key| read_member(body, cursor, key, found)),
        Some(b'[') => cursor.array(|cursor| read_value(body, cursor, is_id, found)),
        _ => Ok(cursor.skip_value()?),
    }
}

/// Consumes a value and records it if it looks like an id.
fn read_id<'b>(
    body: &'b [u8],
    cursor: &mut Cursor<'b>,
    found: &mut Vec<&'b str>,
) -> Result<(), Stop> {
    if cursor.peek() != Some(b'"') {
        return Ok(cursor.skip_value()?);
    }
    let text = cursor.string()?;
    let id = body.get(text.span.start + 1..text.span.end - 1);
    if let Some(id) = id.and_then(parse_id) {
        found.push(id);
    }
    if found.len() < MAX_IDS {
        Ok(())
    } else {
        Err(Stop)
    }
}

fn parse_id(bytes: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_ID_BYTES).contains(&bytes.len());
    let is_plain = bytes.iter().all(|it| it.is_ascii_graphic() && *it != b'\\');
    (fits && is_plain).then(|| std::str::from_utf8(bytes).ok())?
}

#[cfg(test)]
mod tests {
    use super::{created_ids, referenced_ids};
    use crate::wire::scan::scan_object;

    #[test]
    fn a_response_has_its_own_id_and_those_of_its_list() {
        for (response, expected) in [
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
            assert_eq!(created_ids(response.as_bytes()), expected, "{response}");
        }
    }

    #[test]
    fn the_start_of_a_response_is_enough() {
        assert_eq!(
            created_ids(br#"{"id":"batch_1","requests":[{"a":"#),
            ["batch_1"]
        );
        assert_eq!(created_ids(br#"{"data":[{"id":"a"},{"id":"b"#), ["a"]);
        assert!(created_ids(br#"{"id":"batch"#).is_empty());
    }

    #[test]
    fn a_chat_request_may_request_storage() {
        for (body, expected) in [
            (r#"{"model":"m","store":true}"#, Some(true)),
            (r#"{"store" : true,"x":1}"#, Some(true)),
            (r#"{"store":false}"#, Some(false)),
            (r#"{"store":false,"store":true}"#, Some(false)),
            (r#"{"store":[{"store":true}]}"#, None),
            (r#"{"store":null}"#, None),
            (r#"{"x":{"store":true}}"#, None),
            (r#"{"x":"\"store\":true"}"#, None),
            ("{}", None),
        ] {
            let scan = scan_object(body.as_bytes()).unwrap();
            assert_eq!(scan.store, expected, "{body}");
        }
    }

    #[test]
    fn a_request_refers_to_objects_at_any_depth() {
        let body = br#"{"model":"m","previous_response_id":"r","conversation":{"id":"c"},
            "tools":[{"vector_store_ids":["v1","v2"]}],"training_file":"f","input":"file-x",
            "input_items":[{"file_id":"f2","name":"n"}]}"#;
        assert_eq!(referenced_ids(body), ["r", "c", "v1", "v2", "f", "f2"]);
    }

    #[test]
    fn parts_of_a_conversation_and_metadata_are_no_objects() {
        let calls = r#"{"call_id":"call_1"},"#.repeat(200);
        let body = format!(
            r#"{{"metadata":{{"file_id":"f"}},"input":[{calls}{{"tool_use_id":"t"}}],"previous_response_id":"r"}}"#
        );
        assert_eq!(referenced_ids(body.as_bytes()), ["r"]);
    }
}
