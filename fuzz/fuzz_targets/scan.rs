//! Request bodies: scan and splice against `serde_json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::oracle::{check_affinity, check_scan, check_splice};
use trunkline::internals::splice::StreamUsage;

fuzz_target!(|body: &[u8]| {
    check_scan(body);
    check_splice(body, "up/stream \"é", StreamUsage::Inject);
    // Within valid JSON, which random bytes alone seldom are.
    check_scan(&[b"{\"model\":\"m\",\"x\":", body, b"}"].concat());
    check_scan(&[b"{\"model\":\"", body, b"\"}"].concat());
    check_affinity(body);
    check_affinity(&[b"{\"model\":\"m\",\"messages\":", body, b"}"].concat());
    check_affinity(&[b"{\"model\":\"m\",\"user\":", body, b"}"].concat());
});
