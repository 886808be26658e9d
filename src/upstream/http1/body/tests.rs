use bytes::BytesMut;
use proptest::prelude::*;

use super::{Body, MAX_LINE, MAX_TRAILERS, Malformed};

/// The content taken each time, the body afterwards, and the bytes left.
type Decoded = (Vec<Vec<u8>>, Body, Vec<u8>);

fn decode(body: Body, reads: &[&[u8]]) -> Result<Decoded, Malformed> {
    let mut out = Vec::new();
    let (body, rest) = decode_into(&mut out, body, reads)?;
    Ok((out, body, rest))
}

/// `out` includes the content before an error.
fn decode_into(
    out: &mut Vec<Vec<u8>>,
    mut body: Body,
    reads: &[&[u8]],
) -> Result<(Body, Vec<u8>), Malformed> {
    let mut unread = BytesMut::new();
    for read in reads {
        unread.extend_from_slice(read);
        loop {
            let content = body.take_content(&mut unread)?;
            if content.is_empty() {
                break;
            }
            out.push(content.to_vec());
        }
    }
    Ok((body, unread.to_vec()))
}

/// Without the last chunk.
fn encode_chunks(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in chunks {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// Splits `text` into parts of these lengths, repeated.
fn split<'t>(text: &'t [u8], lengths: &[usize]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, after) = rest.split_at((*length).min(rest.len()));
        parts.push(part);
        rest = after;
    }
    parts
}

fn decode_chunked(text: &[u8]) -> Result<(Vec<u8>, Body, Vec<u8>), Malformed> {
    decode(Body::chunked(), &[text]).map(|(out, body, rest)| (out.concat(), body, rest))
}

#[test]
fn a_body_with_a_length_takes_only_that_many_bytes() {
    let (out, body, rest) = decode(Body::with_length(5), &[b"ab", b"cdefg"]).unwrap();
    assert_eq!(out, [b"ab".to_vec(), b"cde".to_vec()]);
    assert!(body.has_ended());
    assert_eq!(rest, b"fg");
    assert!(Body::with_length(0).has_ended());
}

#[test]
fn end_of_file_ends_only_a_body_without_length_and_chunks() {
    assert!(Body::UntilClose.end_at_eof());
    assert!(!Body::with_length(1).end_at_eof());
    assert!(!Body::chunked().end_at_eof());
}

#[test]
fn chunks_received_together_are_joined() {
    let text = b"3\r\nabc\r\n2;x=\"y\"\r\nde\r\nA \r\n0123456789\r\n0\r\nx: y\r\n\r\nrest";
    let (out, body, rest) = decode_chunked(text).unwrap();
    assert_eq!(out, b"abcde0123456789");
    assert!(body.has_ended());
    assert_eq!(rest, b"rest");
}

#[test]
fn a_partial_chunk_is_returned_at_once() {
    let reads: [&[u8]; 3] = [b"8\r\nab", b"cdef", b"gh\r\n0\r\n\r\n"];
    let (out, body, _) = decode(Body::chunked(), &reads).unwrap();
    assert_eq!(out, [b"ab".to_vec(), b"cdef".to_vec(), b"gh".to_vec()]);
    assert!(body.has_ended());
}

#[test]
fn content_before_an_error_in_the_same_read_is_returned() {
    let mut unread = BytesMut::from(&b"3\r\nabc\r\n2\r\nde\r\nxyz\r\n"[..]);
    let mut body = Body::chunked();
    assert_eq!(body.take_content(&mut unread).unwrap(), "abcde");
    for _ in 0..2 {
        assert!(body.take_content(&mut unread).is_err());
    }
    let field = [b'x'; 40];
    let trailers = [&field[..], b"\r\n"].concat().repeat(MAX_TRAILERS / 40 + 1);
    let mut unread = BytesMut::from(&[b"1\r\na\r\n0\r\n", &trailers[..], b"\r\n"].concat()[..]);
    let mut body = Body::chunked();
    assert_eq!(body.take_content(&mut unread).unwrap(), "a");
    assert!(body.take_content(&mut unread).is_err());
    assert!(!body.has_ended());
}

#[test]
fn rejects_what_other_parsers_might_treat_differently() {
    let long_line = [b"1;".as_slice(), &vec![b'x'; MAX_LINE], b"\r\n"].concat();
    let endless_line = vec![b'1'; MAX_LINE + 1];
    let trailers = [
        b"0\r\n".as_slice(),
        &b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(MAX_TRAILERS / 40),
    ]
    .concat();
    let bad: [&[u8]; 17] = [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 1\r\n",
        b"1\n",
        b"1\ra\r\n",
        b"1;a\rb\r\na\r\n",
        b"11111111111111111\r\n",
        b"1\r\nab",
        b"1\r\na\n",
        b"1\r\na\rb",
        &long_line,
        &endless_line,
        &trailers,
    ];
    for text in bad {
        assert!(
            decode_chunked(text).is_err(),
            "{:?}",
            String::from_utf8_lossy(text)
        );
    }
    // The largest size and leading zeros are valid.
    assert!(decode_chunked(b"FFFFFFFFFFFFFFFF\r\na").is_ok());
    assert!(decode_chunked(b"0000000000000001\r\na\r\n").is_ok());
}

proptest! {
    #[test]
    fn decodes_the_same_however_it_is_split(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
        lengths in prop::collection::vec(1_usize..9, 1..200),
    ) {
        let text = [encode_chunks(&chunks), b"0\r\n\r\n".to_vec()].concat();
        let (out, body, left) = decode(Body::chunked(), &split(&text, &lengths)).unwrap();
        prop_assert_eq!(out.concat(), chunks.concat());
        prop_assert!(body.has_ended());
        prop_assert!(left.is_empty());
    }

    #[test]
    fn content_before_an_error_is_returned(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..12),
        lengths in prop::collection::vec(1_usize..400, 1..20),
        malformed in prop::sample::select(vec!["x\r\n", "1\r\nabc", "-1\r\n", "0\r\na: b\n"]),
    ) {
        let text = [encode_chunks(&chunks), malformed.as_bytes().to_vec()].concat();
        let mut out = Vec::new();
        let decoded = decode_into(&mut out, Body::chunked(), &split(&text, &lengths));
        prop_assert!(decoded.is_err());
        // The content of a chunk that is longer than its size.
        let start: &[u8] = if malformed.starts_with('1') { b"a" } else { b"" };
        prop_assert_eq!(out.concat(), [chunks.concat(), start.to_vec()].concat());
    }

    #[test]
    fn never_panics_or_adds_bytes(text in prop::collection::vec(
        prop::sample::select(b"01aF;\r\n x".to_vec()), 0..200,
    )) {
        if let Ok((out, _, rest)) = decode_chunked(&text) {
            prop_assert!(out.len() + rest.len() <= text.len());
        }
    }
}
