//! The user that a request names, for limits by user.
//!
//! A second pass over a body that [`super::scan()`] has accepted, made only where a limit
//! has amounts for each user, and only for clients that may name them.

use super::cursor::{Cursor, Stop, visit_members};
use super::string::{Decoder, JsonString};

/// In order of precedence. OpenAI's API reference: the identifier replaces `user`.
const NAMES: [&str; 2] = ["safety_identifier", "user"];
/// Anthropic's API reference: `metadata.user_id`.
const METADATA: &str = "metadata";
const USER_ID: &str = "user_id";
/// Bytes of a name; Anthropic's limit of it is 256 characters.
const MAX_NAME: usize = 1024;

/// `safety_identifier`, else `user`, else `metadata.user_id`. `None` if it is empty or not
/// a string.
#[must_use]
pub fn named_user(body: &[u8]) -> Option<String> {
    let mut found: [Option<String>; 3] = Default::default();
    let [by_identifier, by_user, by_metadata] = &mut found;
    visit_members(body, |cursor, key| {
        let slot = if cursor.text_eq(key, NAMES[0]) {
            &mut *by_identifier
        } else if cursor.text_eq(key, NAMES[1]) {
            &mut *by_user
        } else if cursor.text_eq(key, METADATA) && cursor.peek() == Some(b'{') {
            return cursor.object(|cursor, key| {
                if cursor.text_eq(key, USER_ID) {
                    read_name(cursor, by_metadata)
                } else {
                    Ok(cursor.skip_value()?)
                }
            });
        } else {
            return Ok(cursor.skip_value()?);
        };
        read_name(cursor, slot)
    });
    found.into_iter().flatten().next()
}

/// The start of a name that is too long.
#[must_use]
pub fn bounded(name: &str) -> &str {
    let end = (0..=MAX_NAME.min(name.len())).rev();
    let end = end.into_iter().find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// The first one counts, as in `super::affinity`.
fn read_name(cursor: &mut Cursor<'_>, slot: &mut Option<String>) -> Result<(), Stop> {
    if cursor.peek() != Some(b'"') {
        return Ok(cursor.skip_value()?);
    }
    let text = cursor.string()?;
    if slot.is_none() {
        *slot = content(cursor, text).filter(|name| !name.is_empty());
    }
    Ok(())
}

/// Decoded, so that two spellings are one user.
fn content(cursor: &Cursor<'_>, text: JsonString) -> Option<String> {
    let content = cursor.content(text);
    let name = if text.escaped {
        // Half of a surrogate pair is taken as it is.
        let decoded = Decoder::from_bytes(content).collect::<Result<String, usize>>();
        decoded.or_else(|_| std::str::from_utf8(content).map(str::to_owned))
    } else {
        std::str::from_utf8(content).map(str::to_owned)
    };
    Some(bounded(&name.ok()?).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAME, bounded, named_user};

    #[test]
    fn finds_the_user_by_precedence() {
        for (body, expected) in [
            (r#"{"model":"m"}"#, None),
            (r#"{"user":"ann"}"#, Some("ann")),
            (r#"{"user":"ann","safety_identifier":"bob"}"#, Some("bob")),
            (r#"{"metadata":{"user_id":"cid"}}"#, Some("cid")),
            (
                r#"{"metadata":{"a":[1],"user_id":"cid"},"user":"ann"}"#,
                Some("ann"),
            ),
            (r#"{"metadata":"x","user":1}"#, None),
            (r#"{"messages":[{"user":"eve"}],"user":""}"#, None),
            (r#"{"us\u0065r":"\u0061nn"}"#, Some("ann")),
            (r#"{"user":"\ud800"}"#, Some(r"\ud800")),
            (r#"{"user":"ann","user":"bob"}"#, Some("ann")),
        ] {
            assert_eq!(named_user(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_name_is_bounded() {
        let long = "é".repeat(MAX_NAME);
        assert_eq!(bounded(&long).len(), MAX_NAME);
        assert_eq!(bounded(&format!("a{long}")).len(), MAX_NAME - 1);
        assert_eq!(bounded("short"), "short");
    }
}
