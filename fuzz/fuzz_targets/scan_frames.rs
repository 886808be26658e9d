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
    // In blocks that hold nothing but arrays, the objects in an array, or objects in
    // objects, which are checked as a whole, as values and as text.
    let text = "p".repeat(64);
    for (open, key, close) in [
        ("[[", "", "]]"),
        ("[{", "\"k\":", "}]"),
        ("{\"y\":{", "\"k\":", "}}"),
    ] {
        let before = format!("{{\"model\":\"m\",\"x\":{open}{key}\"{text}\",{key}");
        let after = format!(",{key}\"{text}\"{close}}}");
        for quote in [&b""[..], b"\""] {
            let parts = [before.as_bytes(), quote, body, quote, after.as_bytes()];
            check_frames(&parts.concat(), &cuts);
        }
    }
});
