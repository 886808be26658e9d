//! Header fields of a form and of its parts.

use memchr::memmem;

use super::MultipartError;

/// Limit of RFC 2046, section 5.1.1.
const MAX_BOUNDARY_BYTES: usize = 70;

pub(super) enum PartKind {
    Model,
    Other,
}

/// The `boundary` of a content type (RFC 2046, section 5.1.1).
pub(super) fn parse_boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    for (name, value) in parse_parameters(content_type)? {
        if name.eq_ignore_ascii_case(b"boundary") && found.replace(value).is_some() {
            return None;
        }
    }
    let boundary = found?;
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    let fits = (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len());
    (fits && boundary.iter().all(is_known) && !boundary.ends_with(b" ")).then_some(boundary)
}

/// `fields` are the fields of a part, each after a line end.
pub(super) fn parse_part_header(fields: &[u8]) -> Result<PartKind, MultipartError> {
    let (mut disposition, mut encoded) = (None, false);
    let mut lines = fields;
    while let Some(line) = lines.strip_prefix(b"\r\n") {
        let length = memmem::find(line, b"\r\n").unwrap_or(line.len());
        let (field, rest) = line
            .split_at_checked(length)
            .ok_or(MultipartError::PartHeader)?;
        lines = rest;
        if field.is_empty() && rest.is_empty() {
            break;
        }
        let colon = field.iter().position(|byte| *byte == b':');
        let (name, value) = colon
            .and_then(|colon| field.split_at_checked(colon))
            .ok_or(MultipartError::PartHeader)?;
        let is_token = |byte: &u8| byte.is_ascii_graphic();
        if name.is_empty() || !name.iter().all(is_token) || field.iter().any(|it| is_control(*it)) {
            return Err(MultipartError::PartHeader);
        }
        let value = value.get(1..).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            if disposition.replace(value).is_some() {
                return Err(MultipartError::PartHeader);
            }
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            let plain = [&b"7bit"[..], b"8bit", b"binary"];
            let value = value.trim_ascii();
            encoded = !plain.iter().any(|it| value.eq_ignore_ascii_case(it));
        }
    }
    let Some(disposition) = disposition else {
        return Ok(PartKind::Other);
    };
    let (mut name, mut is_file) = (None, false);
    for (key, value) in parse_parameters(disposition).ok_or(MultipartError::PartHeader)? {
        if key.eq_ignore_ascii_case(b"name") {
            if name.replace(value).is_some() {
                return Err(MultipartError::PartHeader);
            }
        } else if key.eq_ignore_ascii_case(b"name*") {
            // Not allowed in forms (RFC 7578, section 4.2), but some parsers read it.
            return Err(MultipartError::PartHeader);
        }
        is_file |= key.eq_ignore_ascii_case(b"filename") || key.eq_ignore_ascii_case(b"filename*");
    }
    match name {
        Some(name) if name == b"model" && (is_file || encoded) => Err(MultipartError::InvalidModel),
        Some(name) if name == b"model" => Ok(PartKind::Model),
        // Some parsers ignore case, and would read it in place of the model.
        Some(name) if name.eq_ignore_ascii_case(b"model") => Err(MultipartError::DuplicateModel),
        _ => Ok(PartKind::Other),
    }
}

/// True for control characters other than tab.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// The parameters after the first `;` of a field's value, without quotes and
/// escapes; `None` if they are malformed.
fn parse_parameters(value: &[u8]) -> Option<Vec<(&[u8], Vec<u8>)>> {
    let mut found = Vec::new();
    let first = value.iter().position(|byte| *byte == b';');
    let mut rest = first.and_then(|at| value.get(at..)).unwrap_or_default();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(b";")?.trim_ascii_start();
        if rest.is_empty() || rest.starts_with(b";") {
            continue;
        }
        let equals = rest.iter().position(|byte| matches!(byte, b'=' | b';'))?;
        let (name, after) = rest.split_at_checked(equals)?;
        let after = after.strip_prefix(b"=")?.trim_ascii_start();
        let (value, after) = if let Some(quoted) = after.strip_prefix(b"\"") {
            parse_quoted(quoted)?
        } else {
            let end = after.iter().position(|byte| *byte == b';');
            let (value, after) = after.split_at_checked(end.unwrap_or(after.len()))?;
            (value.trim_ascii().to_vec(), after)
        };
        found.push((name.trim_ascii(), value));
        rest = after;
    }
}

/// The value after an opening quote, and the text after its closing quote.
fn parse_quoted(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', escaped, after @ ..] => {
                value.push(*escaped);
                rest = after;
            }
            [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}
