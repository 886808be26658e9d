//! Content codings: any body has a result within the limit, and steps do not change it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::content_coding::{BodyDecoder, CodingList, DecodeError};

const LIMIT: usize = 64 * 1024;
const CODINGS: [&str; 6] = ["zstd", "gzip", "deflate", "br", "gzip, zstd", "br, deflate"];

fn decode(codings: &str, body: &[u8], step: usize) -> Result<Vec<u8>, DecodeError> {
    let mut list = CodingList::default();
    list.add(codings.as_bytes()).expect("known codings");
    let mut decoder = BodyDecoder::new(body.to_vec().into(), list, LIMIT);
    while !decoder.decode(step)? {
        assert!(decoder.decoded_len() <= LIMIT);
    }
    Ok(decoder.into_decoded().to_vec())
}

fuzz_target!(|input: &[u8]| {
    let [coding, step, body @ ..] = input else {
        return;
    };
    let codings = CODINGS[usize::from(*coding) % CODINGS.len()];
    let whole = decode(codings, body, LIMIT + 1);
    let in_steps = decode(codings, body, usize::from(*step) * 64 + 1);
    // A zstd frame with too large a window is decoded if its content fits one read.
    if let (Ok(whole), Ok(in_steps)) = (whole, in_steps) {
        assert!(whole.len() <= LIMIT);
        assert_eq!(whole, in_steps);
    }
});
