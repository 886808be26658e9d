//! Answers of upstreams over HTTP/1.1: how they are cut on their way must make
//! no difference. The first byte says how many of the next are lengths of
//! pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::http1_oracle::check_answer;

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, answer) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let cuts: Vec<usize> = cuts.iter().map(|&cut| usize::from(cut)).collect();
    check_answer(answer, &cuts);
});
