use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::{BodyDecoder, CodingList, DecodeError, UnsupportedCoding};

const TEXT: &[u8] = br#"{"model":"m","input":"hi"}"#;
const LIMIT: usize = 100_000;
const FORMATS: [&str; 5] = ["zstd", "gzip", "deflate", "raw deflate", "br"];

fn encode(format: &str, body: &[u8]) -> Vec<u8> {
    match format {
        "zstd" => zstd::encode_all(body, 3).unwrap(),
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "raw deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            encoder.write_all(body).unwrap();
            encoder.into_inner()
        }
    }
}

/// The coding by which a format is named in the header field.
fn coding(format: &str) -> &str {
    format.strip_prefix("raw ").unwrap_or(format)
}

fn codings(value: &str) -> CodingList {
    let mut codings = CodingList::default();
    codings.add(value.as_bytes()).unwrap();
    codings
}

fn decode_in_steps(value: &str, body: &[u8], step: usize) -> Result<Bytes, DecodeError> {
    let mut decoder = BodyDecoder::new(Bytes::copy_from_slice(body), codings(value), LIMIT);
    while !decoder.decode(step)? {
        assert!(decoder.decoded_len() <= LIMIT);
    }
    Ok(decoder.into_decoded())
}

fn decode(value: &str, body: &[u8]) -> Result<Bytes, DecodeError> {
    decode_in_steps(value, body, LIMIT + 1)
}

#[test]
fn wc01_codings_are_read_in_any_spelling() {
    let parse = |values: &[&str]| {
        let mut codings = CodingList::default();
        let mut added = values.iter().map(|value| codings.add(value.as_bytes()));
        added.find(Result::is_err).unwrap_or(Ok(()))?;
        Ok(codings)
    };
    for plain in ["", "identity", "Identity , identity", " ,, "] {
        assert_eq!(parse(&[plain]), Ok(CodingList::default()), "{plain}");
    }
    for (values, same) in [
        (&["ZSTD"][..], "zstd"),
        (&["x-gzip"], "gzip"),
        (&["identity, GZip"], "gzip"),
        (&["gzip", "identity", "zstd"], "gzip,zstd"),
    ] {
        assert_eq!(parse(values), Ok(codings(same)), "{values:?}");
    }
    for unsupported in [
        &["compress"][..],
        &["foo"],
        &["gzip, foo"],
        &["gzip;q=1"],
        &["*"],
        &["gzip", "gzip", "gzip"],
    ] {
        let found = parse(unsupported);
        assert_eq!(found, Err(UnsupportedCoding), "{unsupported:?}");
    }
}

#[test]
fn wc01_a_frame_of_one_raw_block_is_decoded() {
    let head = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x1A, 0xD1, 0x00, 0x00];
    assert_eq!(decode("zstd", &[&head[..], TEXT].concat()).unwrap(), TEXT);
}

#[test]
fn wc01_every_format_is_decoded_in_steps_of_any_size() {
    let large = TEXT.repeat(3000);
    for format in FORMATS {
        for body in [TEXT, &large, b""] {
            let encoded = encode(format, body);
            for step in [1000, 4096, LIMIT + 1] {
                let decoded = decode_in_steps(coding(format), &encoded, step);
                assert_eq!(decoded.unwrap(), body, "{format} {step}");
            }
        }
    }
}

#[test]
fn wc01_the_last_coding_is_decoded_first() {
    for inner in FORMATS {
        for outer in FORMATS {
            let body = encode(outer, &encode(inner, TEXT));
            let value = format!("{}, {}", coding(inner), coding(outer));
            assert_eq!(decode(&value, &body).unwrap(), TEXT, "{value}");
        }
    }
    let body = encode("zstd", &encode("gzip", TEXT));
    assert_eq!(decode("zstd, gzip", &body), Err(DecodeError::Invalid));
}

#[test]
fn wc01_a_body_may_have_several_members_or_frames() {
    for format in ["gzip", "zstd"] {
        let body = encode(format, TEXT).repeat(2);
        assert_eq!(decode(format, &body).unwrap(), TEXT.repeat(2), "{format}");
    }
    let skippable = [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 7];
    let body = [&skippable[..], &encode("zstd", TEXT)].concat();
    assert_eq!(decode("zstd", &body).unwrap(), TEXT);
}

#[test]
fn wc01_what_is_not_whole_or_has_more_behind_it_is_invalid() {
    let invalid = Err(DecodeError::Invalid);
    for format in FORMATS {
        let encoded = encode(format, &TEXT.repeat(50));
        for end in 0..encoded.len() {
            let decoded = decode(coding(format), &encoded[..end]);
            assert_eq!(decoded, invalid, "{format}, {end} bytes");
        }
        for behind in [&b"x"[..], b"{}", &[0; 12], &[0xff; 9000]] {
            let decoded = decode(coding(format), &[&encoded, behind].concat());
            assert_eq!(decoded, invalid, "{format} with {} more", behind.len());
        }
        assert_eq!(
            decode(coding(format), TEXT),
            invalid,
            "{format}: plain JSON"
        );
    }
}

#[test]
fn wc01_checksums_are_checked() {
    let mut with_checksum = zstd::Encoder::new(Vec::new(), 3).unwrap();
    with_checksum.include_checksum(true).unwrap();
    with_checksum.write_all(TEXT).unwrap();
    let zstd = with_checksum.finish().unwrap();
    for (value, mut body) in [
        ("zstd", zstd),
        ("gzip", encode("gzip", TEXT)),
        ("deflate", encode("deflate", TEXT)),
    ] {
        assert_eq!(decode(value, &body).unwrap(), TEXT);
        // Gzip ends with the checksum and the length.
        let at = body.len() - if value == "gzip" { 5 } else { 1 };
        body[at] ^= 1;
        assert_eq!(decode(value, &body), Err(DecodeError::Invalid), "{value}");
    }
}

#[test]
fn wc01_decoding_ends_at_the_limit() {
    for format in FORMATS {
        let fits = encode(format, &vec![b' '; LIMIT]);
        assert_eq!(decode(coding(format), &fits).unwrap().len(), LIMIT);
        let bomb = encode(format, &vec![b' '; 50 * LIMIT]);
        for step in [1000, LIMIT + 1] {
            let decoded = decode_in_steps(coding(format), &bomb, step);
            assert_eq!(decoded, Err(DecodeError::TooLarge), "{format}");
        }
        // The inner body is within the limit, what lies between is not.
        let empty_members = encode("gzip", b"").repeat(LIMIT / 10);
        let value = format!("gzip, {}", coding(format));
        let decoded = decode(&value, &encode(format, &empty_members));
        assert_eq!(decoded, Err(DecodeError::TooLarge), "{value}");
    }
}

#[test]
fn wc01_a_window_beyond_the_rfcs_is_refused() {
    // A head without content size, and one empty block.
    let frame = |window| [0x28, 0xB5, 0x2F, 0xFD, 0x00, window, 0x01, 0x00, 0x00];
    assert_eq!(decode("zstd", &frame(13 << 3)).unwrap(), "");
    for window in [13 << 3 | 1, 14 << 3, 0xff] {
        assert_eq!(decode("zstd", &frame(window)), Err(DecodeError::Invalid));
    }
    let mut encoded = Vec::new();
    let large_window = brotli::enc::BrotliEncoderParams {
        large_window: true,
        lgwin: 28,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &TEXT[..], &mut encoded, &large_window).unwrap();
    assert_eq!(decode("br", &encoded), Err(DecodeError::Invalid));
}

proptest! {
    /// No input exceeds the limit or panics, and steps do not change the result.
    #[test]
    fn wc01_any_input_has_a_result(
        format in 0..FORMATS.len(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        is_encoded in any::<bool>(),
        step in 1..200_usize,
    ) {
        let format = FORMATS[format];
        let mut input = if is_encoded { encode(format, &body) } else { body.clone() };
        for (at, bits) in &flips {
            if !input.is_empty() {
                let at = at.index(input.len());
                input[at] ^= bits;
            }
        }
        let whole = decode(coding(format), &input);
        let in_steps = decode_in_steps(coding(format), &input, step);
        if is_encoded && flips.iter().all(|(_, bits)| *bits == 0) {
            prop_assert_eq!(whole.as_ref().unwrap(), &body);
            prop_assert!(in_steps.is_ok());
        }
        if let (Ok(whole), Ok(in_steps)) = (whole, in_steps) {
            prop_assert_eq!(whole, in_steps);
        }
    }
}
