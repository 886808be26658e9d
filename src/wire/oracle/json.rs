//! Depth and raw members of JSON that `serde_json` has accepted.
//!
//! `serde_json` neither limits the depth of ignored values nor reports duplicate
//! members.

/// The raw keys and values of an object; `None` for any other value.
pub(super) fn members(json: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let inside = json.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, byte) in outside_strings(inside) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => {
                parts.push(inside[start..at].trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(inside[start..].trim_ascii());
    Some(
        parts
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect(),
    )
}

pub(super) fn depth(json: &[u8]) -> usize {
    outside_strings(json)
        .scan(0_usize, |depth, (_, byte)| {
            match byte {
                b'{' | b'[' => *depth += 1,
                b'}' | b']' => *depth -= 1,
                _ => {}
            }
            Some(*depth)
        })
        .max()
        .unwrap_or(0)
}

/// The bytes outside of strings, with their offsets.
pub(super) fn outside_strings(json: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let (mut inside, mut escape) = (false, false);
    json.iter().copied().enumerate().filter(move |&(_, byte)| {
        let was_inside = inside;
        match byte {
            _ if escape => escape = false,
            b'\\' if inside => escape = true,
            b'"' => inside = !inside,
            _ => {}
        }
        !was_inside && !inside
    })
}

/// Compares a raw key to `name`, with escapes resolved.
pub(super) fn key_is(key: &[u8], name: &str) -> bool {
    serde_json::from_slice::<String>(key).is_ok_and(|key| key == name)
}
