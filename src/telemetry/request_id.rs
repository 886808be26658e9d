//! Request ids, which link a response, its log line and a client's report.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;
use http::HeaderValue;

use crate::wall_clock;

/// In bytes.
const MAX_CLIENT_ID_LEN: usize = 64;
/// A generated id: the prefix and two numbers in hex.
const PREFIX: &[u8; 4] = b"req-";
const ID_LEN: usize = PREFIX.len() + 32;
/// Ids that share one allocation.
const IDS_PER_BUFFER: usize = 64;

/// Generates one worker's ids from a random seed and a counter: no id needs the system's
/// random source, and none repeats within a worker.
#[derive(Debug)]
pub struct RequestIds {
    seed: [u8; 16],
    count: Cell<u64>,
    /// Memory for the next ids.
    buffer: RefCell<BytesMut>,
}

/// Generated, or the client's if it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

// === impl RequestIds ===

impl RequestIds {
    /// Falls back to the clock if the system has no random source: an id must be unique,
    /// not secret.
    #[must_use]
    pub fn new() -> Self {
        let clock = wall_clock::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| {
                since.as_secs() ^ u64::from(since.subsec_nanos()) << 32
            });
        let seed = getrandom::u64().unwrap_or(clock);
        Self::from(seed, getrandom::u64().unwrap_or(0) >> 16)
    }

    fn from(seed: u64, count: u64) -> Self {
        Self {
            seed: hex(seed),
            count: Cell::new(count),
            buffer: RefCell::default(),
        }
    }

    /// The client's id if it has only letters, digits and hyphens (so that it cannot forge
    /// a log line), else a new one.
    #[must_use]
    pub fn for_request(&self, offered: Option<&HeaderValue>) -> RequestId {
        match offered {
            Some(value) if is_valid_client_id(value.as_bytes()) => RequestId(value.clone()),
            _ => self.next(),
        }
    }

    fn next(&self) -> RequestId {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut buffer = self.buffer.borrow_mut();
        if buffer.capacity() < ID_LEN {
            *buffer = BytesMut::with_capacity(ID_LEN * IDS_PER_BUFFER);
        }
        buffer.extend_from_slice(PREFIX);
        buffer.extend_from_slice(&self.seed);
        buffer.extend_from_slice(&hex(count));
        // Lower-case hex and a hyphen are always a valid header value.
        let value = HeaderValue::from_maybe_shared(buffer.split().freeze());
        RequestId(value.unwrap_or(HeaderValue::from_static("req-0")))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

// === impl RequestId ===

impl RequestId {
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Not `format!`, which took as long as the scan of a small body.
fn hex(number: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (digit, byte) in text.iter_mut().rev().enumerate() {
        let nibble = (number >> (digit * 4) & 0xf) as u8;
        *byte = if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        };
    }
    text
}

fn is_valid_client_id(id: &[u8]) -> bool {
    (1..=MAX_CLIENT_ID_LEN).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::RequestIds;

    #[test]
    fn only_valid_client_ids_are_kept() {
        let ids = RequestIds::new();
        let kept = ids.for_request(Some(&HeaderValue::from_static("abc-123")));
        assert_eq!(kept.as_str(), "abc-123");
        let long = "a".repeat(65);
        for bad in ["", "a b", "a\tb", "a_b", "ä", "a=b", long.as_str()] {
            let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            let created = ids.for_request(Some(&value));
            assert!(created.as_str().starts_with("req-"), "{bad:?}");
        }
    }

    #[test]
    fn writes_the_seed_and_the_count_in_hex() {
        let ids = RequestIds::from(0x0123_4567_89ab_cdef, 0xfe);
        let id = ids.for_request(None);
        assert_eq!(id.as_str(), "req-0123456789abcdef00000000000000ff");
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids = RequestIds::new();
        assert_ne!(ids.for_request(None), ids.for_request(None));
        assert_ne!(ids.for_request(None), RequestIds::new().for_request(None));
    }
}
