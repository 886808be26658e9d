//! Event streams, and JSON texts: how they are split into chunks must make no
//! difference. The first byte is the number of following bytes that are chunk lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::oracle::{check_inspector, check_json_body};

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, stream) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let cuts: Vec<usize> = cuts.iter().map(|&cut| 1 + usize::from(cut)).collect();
    check_inspector(stream, &cuts);
    check_json_body(stream, &cuts);
});
