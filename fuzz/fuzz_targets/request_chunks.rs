//! Requests in small chunks, which are joined before hyper reads them: it must receive the
//! same requests as alone. The first byte is the number of following bytes that are lengths
//! of reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::chunk_oracle::check_connection;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (lengths, bytes) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let lengths: Vec<usize> = lengths.iter().map(|&length| usize::from(length)).collect();
    check_connection(bytes, &lengths);
    // Random bytes alone are seldom a head.
    check_connection(&[HEAD, bytes].concat(), &lengths);
    check_connection(
        &[HEAD, bytes].concat(),
        &[&[HEAD.len()], &*lengths].concat(),
    );
});
