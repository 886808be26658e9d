use bytes::BytesMut;
use proptest::prelude::*;

use super::{Body, LONGEST_LINE, MOST_TRAILERS, Malformed};

/// What was handed out each time, the body afterwards, and what was left.
type Fed = (Vec<Vec<u8>>, Body, Vec<u8>);

/// Feeds the pieces one by one.
fn feed(body: Body, pieces: &[&[u8]]) -> Result<Fed, Malformed> {
    let mut out = Vec::new();
    let (body, rest) = feed_into(&mut out, body, pieces)?;
    Ok((out, body, rest))
}

/// As [`feed`]; what was handed out before a fault is in `out` as well.
fn feed_into(
    out: &mut Vec<Vec<u8>>,
    mut body: Body,
    pieces: &[&[u8]],
) -> Result<(Body, Vec<u8>), Malformed> {
    let mut unread = BytesMut::new();
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            let content = body.take(&mut unread)?;
            if content.is_empty() {
                break;
            }
            out.push(content.to_vec());
        }
    }
    Ok((body, unread.to_vec()))
}

/// Chunks on the wire, without an end.
fn chunked(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in chunks {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// Cuts `text` into pieces of these lengths, over and over.
fn cut<'t>(text: &'t [u8], cuts: &[usize]) -> Vec<&'t [u8]> {
    let mut pieces = Vec::new();
    let mut rest = text;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

fn whole(text: &[u8]) -> Result<(Vec<u8>, Body, Vec<u8>), Malformed> {
    feed(Body::chunked(), &[text]).map(|(out, body, rest)| (out.concat(), body, rest))
}

#[test]
fn a_length_takes_no_more_than_its_own() {
    let (out, body, rest) = feed(Body::of_length(5), &[b"ab", b"cdefg"]).unwrap();
    assert_eq!(out, [b"ab".to_vec(), b"cde".to_vec()]);
    assert!(body.has_ended());
    assert_eq!(rest, b"fg");
    assert!(Body::of_length(0).has_ended());
}

#[test]
fn the_end_of_the_connection_ends_only_what_has_no_other_end() {
    assert!(Body::UntilClose.ends_here());
    assert!(!Body::of_length(1).ends_here());
    assert!(!Body::chunked().ends_here());
}

#[test]
fn chunks_that_came_together_go_on_together() {
    let text = b"3\r\nabc\r\n2;x=\"y\"\r\nde\r\nA \r\n0123456789\r\n0\r\nx: y\r\n\r\nrest";
    let (out, body, rest) = whole(text).unwrap();
    assert_eq!(out, b"abcde0123456789");
    assert!(body.has_ended());
    assert_eq!(rest, b"rest");
}

#[test]
fn a_part_of_a_chunk_does_not_wait_for_the_rest() {
    let pieces: [&[u8]; 3] = [b"8\r\nab", b"cdef", b"gh\r\n0\r\n\r\n"];
    let (out, body, _) = feed(Body::chunked(), &pieces).unwrap();
    assert_eq!(out, [b"ab".to_vec(), b"cdef".to_vec(), b"gh".to_vec()]);
    assert!(body.has_ended());
}

#[test]
fn a_fault_in_the_same_read_takes_nothing_away() {
    let mut unread = BytesMut::from(&b"3\r\nabc\r\n2\r\nde\r\nxyz\r\n"[..]);
    let mut body = Body::chunked();
    assert_eq!(body.take(&mut unread).unwrap(), "abcde");
    for _ in 0..2 {
        assert!(body.take(&mut unread).is_err());
    }
    let field = [b'x'; 40];
    let trailers = [&field[..], b"\r\n"]
        .concat()
        .repeat(MOST_TRAILERS / 40 + 1);
    let mut unread = BytesMut::from(&[b"1\r\na\r\n0\r\n", &trailers[..], b"\r\n"].concat()[..]);
    let mut body = Body::chunked();
    assert_eq!(body.take(&mut unread).unwrap(), "a");
    assert!(body.take(&mut unread).is_err());
    assert!(!body.has_ended());
}

#[test]
fn refuses_what_another_reader_might_read_differently() {
    let long_line = [b"1;".as_slice(), &vec![b'x'; LONGEST_LINE], b"\r\n"].concat();
    let endless_line = vec![b'1'; LONGEST_LINE + 1];
    let trailers = [
        b"0\r\n".as_slice(),
        &b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(MOST_TRAILERS / 40),
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
        assert!(whole(text).is_err(), "{:?}", String::from_utf8_lossy(text));
    }
    // The largest size there is, and leading zeros, are sizes.
    assert!(whole(b"FFFFFFFFFFFFFFFF\r\na").is_ok());
    assert!(whole(b"0000000000000001\r\na\r\n").is_ok());
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
        cuts in prop::collection::vec(1_usize..9, 1..200),
    ) {
        let text = [chunked(&chunks), b"0\r\n\r\n".to_vec()].concat();
        let (out, body, left) = feed(Body::chunked(), &cut(&text, &cuts)).unwrap();
        prop_assert_eq!(out.concat(), chunks.concat());
        prop_assert!(body.has_ended());
        prop_assert!(left.is_empty());
    }

    #[test]
    fn whatever_came_before_a_fault_goes_on(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..12),
        cuts in prop::collection::vec(1_usize..400, 1..20),
        fault in prop::sample::select(vec!["x\r\n", "1\r\nabc", "-1\r\n", "0\r\na: b\n"]),
    ) {
        let text = [chunked(&chunks), fault.as_bytes().to_vec()].concat();
        let mut out = Vec::new();
        let fed = feed_into(&mut out, Body::chunked(), &cut(&text, &cuts));
        prop_assert!(fed.is_err());
        // A chunk that is longer than its size has a beginning.
        let beginning: &[u8] = if fault.starts_with('1') { b"a" } else { b"" };
        prop_assert_eq!(out.concat(), [chunks.concat(), beginning.to_vec()].concat());
    }

    #[test]
    fn nothing_makes_it_panic_or_add_bytes(text in prop::collection::vec(
        prop::sample::select(b"01aF;\r\n x".to_vec()), 0..200,
    )) {
        if let Ok((out, _, rest)) = whole(&text) {
            prop_assert!(out.len() + rest.len() <= text.len());
        }
    }
}
