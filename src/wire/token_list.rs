//! Comma-separated lists in header fields (RFC 9110, section 5.6.1).

/// The elements of one field value, trimmed. Empty ones are kept.
pub fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
