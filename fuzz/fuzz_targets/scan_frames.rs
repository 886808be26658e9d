//! The scan of blocks and frames against that of a cursor. The first byte says how many
//! of the next ones cut the body into frames, each by so many bytes after the last.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::oracle::check_frames;

fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else {
        return;
    };
    let count = usize::from(count % 8).min(rest.len());
    let (steps, body) = rest.split_at(count);
    let cuts = steps.iter().scan(0, |cut, step| {
        *cut += usize::from(*step);
        Some(*cut)
    });
    let cuts: Vec<usize> = cuts.collect();
    check_frames(body, &cuts);
    // Within valid JSON, which random bytes alone seldom are.
    check_frames(&[&b"{\"model\":\""[..], body, b"\"}"].concat(), &cuts);
    // In blocks that hold nothing but an array, which are checked as a whole.
    let text = "p".repeat(64);
    let before = format!("{{\"model\":\"m\",\"x\":[[\"{text}\",");
    let after = format!(",\"{text}\"]]}}");
    check_frames(&[before.as_bytes(), body, after.as_bytes()].concat(), &cuts);
    check_frames(
        &[before.as_bytes(), b"\"", body, b"\"", after.as_bytes()].concat(),
        &cuts,
    );
});
