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
    Other,
}

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
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType;

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
            ("text/plain", MediaType::Other),
            ("application/jsonp", MediaType::Other),
            ("", MediaType::Other),
        ] {
            assert_eq!(MediaType::parse(Some(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(MediaType::parse(None), MediaType::Other);
    }
}
