//! What a body only points to: pictures and files by URL or id, conversations that the
//! provider keeps, prompts that it stores.
//!
//! A second pass over a body that [`super::scan()`] has accepted, made only where a limit
//! of the client counts the most that a request can use.

use super::cursor::{Cursor, Stop, visit_members};

/// Of Responses; `prompt` too, if it is an object.
const CONTEXTS: [&str; 2] = ["previous_response_id", "conversation"];
const PROMPT: &str = "prompt";
/// Keys of values that stand for a content elsewhere. `url` is in `image_url` of Chat
/// Completions and in `source` of Messages; the others of Responses and of files.
const POINTERS: [&str; 6] = [
    "url",
    "image_url",
    "file_url",
    "file_id",
    "video_url",
    "audio_url",
];
/// A URL that holds its content.
const DATA: &[u8] = b"data:";

/// Whether the prompt has more than what is in the body.
#[must_use]
pub fn refers_elsewhere(body: &[u8]) -> bool {
    let mut found = false;
    visit_members(body, |cursor, key| {
        let names_context = CONTEXTS.iter().any(|name| cursor.text_eq(key, name));
        let is_null = cursor.peek() == Some(b'n');
        let is_prompt = cursor.text_eq(key, PROMPT) && cursor.peek() == Some(b'{');
        found |= names_context && !is_null || is_prompt;
        visit(cursor, &mut found)
    });
    found
}

/// Consumes the value at the cursor, unless something is found. The depth is bounded by
/// the scan that accepted the body.
fn visit(cursor: &mut Cursor<'_>, found: &mut bool) -> Result<(), Stop> {
    if *found {
        return Err(Stop);
    }
    match cursor.peek() {
        Some(b'{') => cursor.object(|cursor, key| {
            let is_pointer = POINTERS.iter().any(|name| cursor.text_eq(key, name));
            if is_pointer && cursor.peek() == Some(b'"') {
                let value = cursor.string()?;
                *found |= !cursor.content(value).starts_with(DATA);
                return Ok(());
            }
            visit(cursor, found)
        }),
        Some(b'[') => cursor.array(|cursor| visit(cursor, found)),
        _ => Ok(cursor.skip_value()?),
    }
}

#[cfg(test)]
mod tests {
    use super::refers_elsewhere;

    #[test]
    fn finds_what_is_not_in_the_body() {
        for (body, expected) in [
            (
                r#"{"messages":[{"content":"see http://host/file_id"}]}"#,
                false,
            ),
            (r#"{"previous_response_id":"resp_1"}"#, true),
            (
                r#"{"previous_response_id":null,"conversation":null}"#,
                false,
            ),
            (r#"{"conversation":{"id":"conv_1"}}"#, true),
            (r#"{"prompt":"text"}"#, false),
            (r#"{"prompt":{"id":"pmpt_1"}}"#, true),
            (
                r#"{"messages":[{"content":[{"image_url":{"url":"https://host/a.png"}}]}]}"#,
                true,
            ),
            (
                r#"{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AA"}}]}]}"#,
                false,
            ),
            (
                r#"{"input":[{"content":[{"type":"input_image","image_url":"https://host/a"}]}]}"#,
                true,
            ),
            (
                r#"{"input":[{"content":[{"type":"input_image","file_id":"file-1"}]}]}"#,
                true,
            ),
            (
                r#"{"messages":[{"content":[{"source":{"type":"url","url":"http://host"}}]}]}"#,
                true,
            ),
            (
                r#"{"messages":[{"content":[{"source":{"type":"base64","data":"AA"}}]}]}"#,
                false,
            ),
            (
                r#"{"messages":[{"content":[{"source":{"type":"file","\u0066ile_id":"f"}}]}]}"#,
                true,
            ),
            // A schema of a tool has members of these names.
            (
                r#"{"tools":[{"parameters":{"properties":{"url":{"type":"string"}}}}]}"#,
                false,
            ),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(refers_elsewhere(body.as_bytes()), expected, "{body}");
        }
    }
}
