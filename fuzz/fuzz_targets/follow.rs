//! Streams: how they are cut into chunks must make no difference. The first
//! byte says how many of the next are lengths of chunks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::oracle::check_follow;

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, stream) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let cuts: Vec<usize> = cuts.iter().map(|&cut| 1 + usize::from(cut)).collect();
    check_follow(stream, &cuts);
});
