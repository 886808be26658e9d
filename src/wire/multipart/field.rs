//! The fields of a form and of its parts, as far as they say what a part is.

use memchr::memmem;

use super::Fault;

/// Longest boundary (RFC 2046, section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// What the head of a part says.
pub(super) enum Part {
    /// It names the model.
    Model,
    /// It is something else.
    Other,
}

/// The boundary that a content type names (RFC 2046, section 5.1.1).
pub(super) fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    for (name, value) in parameters(content_type)? {
        if name.eq_ignore_ascii_case(b"boundary") && found.replace(value).is_some() {
            return None;
        }
    }
    let boundary = found?;
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    let fits = (1..=LONGEST_BOUNDARY).contains(&boundary.len());
    (fits && boundary.iter().all(is_known) && !boundary.ends_with(b" ")).then_some(boundary)
}

/// Reads the fields of a part's head, each behind a line end.
pub(super) fn part(fields: &[u8]) -> Result<Part, Fault> {
    let (mut disposition, mut encoded) = (None, false);
    let mut lines = fields;
    while let Some(line) = lines.strip_prefix(b"\r\n") {
        let length = memmem::find(line, b"\r\n").unwrap_or(line.len());
        let (field, rest) = line.split_at_checked(length).ok_or(Fault::Head)?;
        lines = rest;
        if field.is_empty() && rest.is_empty() {
            break;
        }
        let colon = field.iter().position(|byte| *byte == b':');
        let (name, value) = colon
            .and_then(|colon| field.split_at_checked(colon))
            .ok_or(Fault::Head)?;
        let is_token = |byte: &u8| byte.is_ascii_graphic();
        if name.is_empty() || !name.iter().all(is_token) || field.iter().any(|it| is_control(*it)) {
            return Err(Fault::Head);
        }
        let value = value.get(1..).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            if disposition.replace(value).is_some() {
                return Err(Fault::Head);
            }
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            let plain = [&b"7bit"[..], b"8bit", b"binary"];
            let value = value.trim_ascii();
            encoded = !plain.iter().any(|it| value.eq_ignore_ascii_case(it));
        }
    }
    let Some(disposition) = disposition else {
        return Ok(Part::Other);
    };
    let (mut name, mut is_file) = (None, false);
    for (key, value) in parameters(disposition).ok_or(Fault::Head)? {
        if key.eq_ignore_ascii_case(b"name") {
            if name.replace(value).is_some() {
                return Err(Fault::Head);
            }
        } else if key.eq_ignore_ascii_case(b"name*") {
            // Not for forms (RFC 7578, section 4.2), yet some know it.
            return Err(Fault::Head);
        }
        is_file |= key.eq_ignore_ascii_case(b"filename") || key.eq_ignore_ascii_case(b"filename*");
    }
    match name {
        Some(name) if name == b"model" && (is_file || encoded) => Err(Fault::BadModel),
        Some(name) if name == b"model" => Ok(Part::Model),
        _ => Ok(Part::Other),
    }
}

/// Line ends and their halves; a blank of either kind may stand in a field.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// The parameters behind the first `;` of a field's value, quotes and escapes
/// resolved; none where they are broken.
fn parameters(value: &[u8]) -> Option<Vec<(&[u8], Vec<u8>)>> {
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
        let (name, behind) = rest.split_at_checked(equals)?;
        let behind = behind.strip_prefix(b"=")?.trim_ascii_start();
        let (value, behind) = if let Some(quoted) = behind.strip_prefix(b"\"") {
            quoted_value(quoted)?
        } else {
            let end = behind.iter().position(|byte| *byte == b';');
            let (value, behind) = behind.split_at_checked(end.unwrap_or(behind.len()))?;
            (value.trim_ascii().to_vec(), behind)
        };
        found.push((name.trim_ascii(), value));
        rest = behind;
    }
}

/// A quoted value, whose first quote has been taken, and what follows it.
fn quoted_value(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        match rest {
            [b'"', behind @ ..] => return Some((value, behind)),
            [b'\\', escaped, behind @ ..] => {
                value.push(*escaped);
                rest = behind;
            }
            [byte, behind @ ..] => {
                value.push(*byte);
                rest = behind;
            }
            [] => return None,
        }
    }
}
