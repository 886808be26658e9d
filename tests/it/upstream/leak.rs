//! Searches an output for parts of a secret in any encoding.

use std::collections::HashSet;

use crate::support::gateway::sha256_hex;

/// The part of a secret, as text or in base64, that counts as a leak.
const WINDOW: usize = 8;

/// The same in hexadecimal digits, of which two are a byte. Eight would also match
/// times and trace ids by chance: `52625434` is the text `RbT4`.
const HEX_WINDOW: usize = 12;

/// The same of a hash, which looks like a request id.
const HASH_WINDOW: usize = 16;

/// The windows of every encoding of a secret.
fn windows_of(secret: &str) -> HashSet<Vec<u8>> {
    let digits = hex(secret.as_bytes());
    let mut spellings = vec![
        (secret.to_owned(), WINDOW),
        (digits.to_uppercase(), HEX_WINDOW),
        (digits, HEX_WINDOW),
    ];
    for skip in 0..3 {
        spellings.push((base64(&secret.as_bytes()[skip..]), WINDOW));
    }
    let mut traces: HashSet<Vec<u8>> = spellings
        .iter()
        .flat_map(|(text, size)| text.as_bytes().windows(*size))
        .map(<[u8]>::to_vec)
        .collect();
    traces.extend(
        [
            &sha256_hex(secret)[..HASH_WINDOW],
            &sha256_hex(secret)[64 - HASH_WINDOW..],
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    traces
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift) as usize & 63]))
    });
    groups.collect()
}

/// Where an output contains a part of a secret, with its surroundings.
pub fn leak(output: &[u8], secret: &str) -> Option<String> {
    let traces = windows_of(secret);
    let hit = |size: usize| {
        output
            .windows(size)
            .position(|window| traces.contains(window))
            .map(|at| {
                let around = at.saturating_sub(60)..(at + 60).min(output.len());
                String::from_utf8_lossy(&output[around]).into_owned()
            })
    };
    hit(WINDOW)
        .or_else(|| hit(HEX_WINDOW))
        .or_else(|| hit(HASH_WINDOW))
}

#[test]
fn the_search_finds_every_encoding() {
    const KEY: &str = "uKq7Zp2vXw9RbT4nLs8Yd3Hf6JgMc5Ae";
    let hidden = |text: &str| leak(format!("some {text} output").as_bytes(), KEY).is_some();
    assert!(hidden(KEY));
    assert!(hidden(&KEY[5..13]));
    assert!(hidden(&hex(KEY.as_bytes())[8..20]));
    assert!(hidden(&base64(&KEY.as_bytes()[1..])[4..16]));
    assert!(hidden(&base64(format!("Bearer {KEY}").as_bytes())));
    assert!(hidden(&sha256_hex(KEY)));
    assert!(!hidden("nothing of note, 0123456789abcdef"));
    assert!(!hidden("1796023652625434308"), "a time in nanoseconds");
    assert!(!hidden(&KEY[..7]));
    assert_eq!(base64(b"Man"), "TWFu");
}
