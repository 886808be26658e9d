//! For tests and fuzzers: how an answer is cut on its way must make no
//! difference.

use bytes::BytesMut;

use super::body::Malformed;
use super::head;

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
    ended: bool,
    left: Vec<u8>,
}

/// Reads an answer in one piece and in pieces of these lengths, and panics
/// where the two differ.
pub fn check_answer(answer: &[u8], cuts: &[usize]) {
    let whole = read([answer].into_iter());
    let mut rest = answer;
    let mut lengths = cuts.iter().copied().filter(|cut| *cut > 0);
    let pieces = std::iter::from_fn(|| {
        let length = lengths.next().unwrap_or(rest.len()).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    });
    let cut = read(pieces);
    match (&whole, &cut) {
        // What came before the fault may have gone on already.
        (Err(_), Err(_)) => {}
        _ => assert_eq!(whole, cut),
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<Read>, Malformed> {
    let mut arrived = BytesMut::new();
    let mut looked_at = 0;
    let mut found: Option<(head::Head, Vec<u8>)> = None;
    for piece in pieces {
        arrived.extend_from_slice(piece);
        if found.is_none() {
            found = head::take(&mut arrived, &mut looked_at)?.map(|head| (head, Vec::new()));
        }
        if let Some((head, content)) = &mut found {
            loop {
                let piece = head.body.take(&mut arrived)?;
                if piece.is_empty() {
                    break;
                }
                content.extend_from_slice(&piece);
            }
        }
    }
    Ok(found.map(|(head, content)| {
        let fields = head.headers.iter();
        Read {
            status: head.status.as_u16(),
            fields: fields
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            content,
            ended: head.body.has_ended(),
            left: arrived.to_vec(),
        }
    }))
}
