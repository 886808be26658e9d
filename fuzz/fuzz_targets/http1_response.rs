//! HTTP/1.1 responses of upstreams: how the network segments them must make no
//! difference. The first byte is the number of following bytes that are segment
//! lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::http1_oracle::check_response;

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, response) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let cuts: Vec<usize> = cuts.iter().map(|&cut| usize::from(cut)).collect();
    check_response(response, &cuts);
});
