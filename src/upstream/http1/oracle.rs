//! Test oracle for proptest and fuzzers: a response must parse the same however its bytes
//! are split into reads.

use bytes::BytesMut;

use super::body::Malformed;
use super::head;

#[derive(Debug, PartialEq, Eq)]
struct ParsedResponse {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
    ended: bool,
    left: Vec<u8>,
}

/// Parses a response from one read, and from reads of these lengths.
///
/// # Panics
///
/// If the results differ.
pub fn check_response(response: &[u8], lengths: &[usize]) {
    let whole = parse([response].into_iter());
    let mut rest = response;
    let mut lengths = lengths.iter().copied().filter(|length| *length > 0);
    let reads = std::iter::from_fn(|| {
        let length = lengths.next().unwrap_or(rest.len()).min(rest.len());
        let (read, after) = rest.split_at(length);
        rest = after;
        (!read.is_empty()).then_some(read)
    });
    let split = parse(reads);
    match (&whole, &split) {
        // Content before the error may have been taken already.
        (Err(_), Err(_)) => {}
        _ => assert_eq!(whole, split),
    }
}

fn parse<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Result<Option<ParsedResponse>, Malformed> {
    let mut unread = BytesMut::new();
    let mut searched = 0;
    let mut parsed: Option<(head::ParsedHead, Vec<u8>)> = None;
    for read in reads {
        unread.extend_from_slice(read);
        if parsed.is_none() {
            parsed = head::take_head(&mut unread, &mut searched)?.map(|head| (head, Vec::new()));
        }
        if let Some((head, content)) = &mut parsed {
            loop {
                let taken = head.body.take_content(&mut unread)?;
                if taken.is_empty() {
                    break;
                }
                content.extend_from_slice(&taken);
            }
        }
    }
    Ok(parsed.map(|(head, content)| {
        let fields = head.headers.iter();
        ParsedResponse {
            status: head.status.as_u16(),
            fields: fields
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            content,
            ended: head.body.has_ended(),
            left: unread.to_vec(),
        }
    }))
}
