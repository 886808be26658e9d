//! Media types of bodies.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `text/event-stream`
    EventStream,
    /// `application/json` and `+json` types
    Json,
    /// `text/html`: an error page or a login form, with any status
    Html,
    /// `multipart/form-data`
    Multipart,
    /// None, other text, or bytes: it may be anything.
    Unspecified,
    Other,
}

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The fields of an event (WHATWG HTML, section 9.2.6), and a comment.
const EVENT_FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

impl MediaType {
    /// Parses the value of `content-type`.
    #[must_use]
    pub fn parse(content_type: Option<&[u8]>) -> Self {
        let value = content_type.unwrap_or_default();
        // The usual spellings.
        match value {
            b"application/json" => return Self::Json,
            b"text/event-stream" => return Self::EventStream,
            _ => {}
        }
        let essence = value
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        let ends_in_json = essence.len() > 5
            && essence
                .iter()
                .rev()
                .zip(b"nosj+")
                .all(|(a, b)| a.eq_ignore_ascii_case(b));
        if is("text/event-stream") {
            Self::EventStream
        } else if is("application/json") || ends_in_json {
            Self::Json
        } else if is("text/html") {
            Self::Html
        } else if is("multipart/form-data") {
            Self::Multipart
        } else if essence.is_empty() || is_text(essence) || is("application/octet-stream") {
            Self::Unspecified
        } else {
            Self::Other
        }
    }

    /// What a body is by its first bytes: JSON, an event stream, a page, or something
    /// else. `None` while they do not show it.
    #[must_use]
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        let start = match start.strip_prefix(&BOM) {
            None if BOM.starts_with(start) => return None,
            stripped => stripped.unwrap_or(start).trim_ascii_start(),
        };
        match start.first()? {
            b'{' | b'[' => Some(Self::Json),
            b'<' => Some(Self::Html),
            _ if EVENT_FIELDS.iter().any(|field| start.starts_with(field)) => {
                Some(Self::EventStream)
            }
            _ if EVENT_FIELDS.iter().any(|field| field.starts_with(start)) => None,
            _ => Some(Self::Other),
        }
    }
}

fn is_text(essence: &[u8]) -> bool {
    essence
        .get(..5)
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/"))
}

#[cfg(test)]
mod tests {
    use super::{BOM, MediaType};

    #[test]
    fn only_the_essence_counts() {
        for (text, expected) in [
            ("text/event-stream", MediaType::EventStream),
            ("Text/Event-Stream; charset=utf-8", MediaType::EventStream),
            ("application/json", MediaType::Json),
            ("application/json;charset=utf-8", MediaType::Json),
            ("application/problem+JSON", MediaType::Json),
            ("+json", MediaType::Other),
            ("text/html; charset=utf-8", MediaType::Html),
            ("multipart/Form-Data; boundary=x", MediaType::Multipart),
            ("text/plain; charset=utf-8", MediaType::Unspecified),
            ("Text/x", MediaType::Unspecified),
            ("application/octet-stream", MediaType::Unspecified),
            ("application/jsonp", MediaType::Other),
            ("image/png", MediaType::Other),
            ("", MediaType::Unspecified),
        ] {
            assert_eq!(MediaType::parse(Some(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(MediaType::parse(None), MediaType::Unspecified);
    }

    #[test]
    fn the_first_bytes_show_what_a_body_is() {
        for (start, expected) in [
            ("{\"id\"", Some(MediaType::Json)),
            ("\u{feff}\r\n [", Some(MediaType::Json)),
            ("data: {", Some(MediaType::EventStream)),
            ("\n\nevent:x", Some(MediaType::EventStream)),
            (": ping", Some(MediaType::EventStream)),
            ("id:", Some(MediaType::EventStream)),
            ("\u{feff}retry: 5", Some(MediaType::EventStream)),
            ("<!DOCTYPE html>", Some(MediaType::Html)),
            ("database", Some(MediaType::Other)),
            ("Internal Server Error", Some(MediaType::Other)),
            ("null", Some(MediaType::Other)),
            ("", None),
            ("\n \r\n", None),
            ("\u{feff}", None),
            ("dat", None),
            ("r", None),
        ] {
            assert_eq!(MediaType::of_bytes(start.as_bytes()), expected, "{start}");
        }
        assert_eq!(MediaType::of_bytes(&BOM[..2]), None);
    }
}
