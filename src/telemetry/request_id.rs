//! The id that ties an answer, a log line and a caller's report together.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;
use http::HeaderValue;

use crate::wall_clock;

/// Longest id taken over from a caller, in bytes.
const LONGEST: usize = 64;
/// How an id of ours begins, and how long it is: two numbers in hex follow.
const PREFIX: &[u8; 4] = b"req-";
const LENGTH: usize = PREFIX.len() + 32;
/// Ids that share one piece of memory.
const IDS_AT_ONCE: usize = 64;

/// Makes ids for one worker: a random start and a count, so that no id needs
/// the system's random source and none repeats within a process.
#[derive(Debug)]
pub struct RequestIds {
    seed: [u8; 16],
    count: Cell<u64>,
    /// Room for ids to come.
    room: RefCell<BytesMut>,
}

/// A request's id: ours, or the caller's own where it is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestIds {
    /// A source of ids. Falls back to the clock where the system gives no
    /// random bytes: an id must be unique, not secret.
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
            room: RefCell::default(),
        }
    }

    /// The caller's id where it has only letters, digits and hyphens (nothing
    /// that could forge a log line), else a new one.
    #[must_use]
    pub fn for_request(&self, offered: Option<&HeaderValue>) -> RequestId {
        match offered {
            Some(value) if is_harmless(value.as_bytes()) => RequestId(value.clone()),
            _ => self.next(),
        }
    }

    fn next(&self) -> RequestId {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut room = self.room.borrow_mut();
        if room.capacity() < LENGTH {
            *room = BytesMut::with_capacity(LENGTH * IDS_AT_ONCE);
        }
        room.extend_from_slice(PREFIX);
        room.extend_from_slice(&self.seed);
        room.extend_from_slice(&hex(count));
        // Lower-case hex and a hyphen are always a valid header value.
        let value = HeaderValue::from_maybe_shared(room.split().freeze());
        RequestId(value.unwrap_or(HeaderValue::from_static("req-0")))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestId {
    /// As a header carries it.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// As a log line carries it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// By hand: formatting took as long as the scan of a small body.
fn hex(number: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (digit, place) in text.iter_mut().rev().enumerate() {
        let nibble = (number >> (digit * 4) & 0xf) as u8;
        *place = if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        };
    }
    text
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::RequestIds;

    #[test]
    fn takes_over_harmless_ids_only() {
        let ids = RequestIds::new();
        let taken = ids.for_request(Some(&HeaderValue::from_static("abc-123")));
        assert_eq!(taken.as_str(), "abc-123");
        let long = "a".repeat(65);
        for bad in ["", "a b", "a\tb", "a_b", "ä", "a=b", long.as_str()] {
            let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            let made = ids.for_request(Some(&value));
            assert!(made.as_str().starts_with("req-"), "{bad:?}");
        }
    }

    #[test]
    fn writes_the_seed_and_the_count_in_hex() {
        let ids = RequestIds::from(0x0123_4567_89ab_cdef, 0xfe);
        let id = ids.for_request(None);
        assert_eq!(id.as_str(), "req-0123456789abcdef00000000000000ff");
    }

    #[test]
    fn does_not_repeat() {
        let ids = RequestIds::new();
        assert_ne!(ids.for_request(None), ids.for_request(None));
        assert_ne!(ids.for_request(None), RequestIds::new().for_request(None));
    }
}
