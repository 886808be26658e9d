//! Sees in an answer which objects a provider has now.

use std::sync::Arc;

use memchr::memchr;

use super::Worker;
use crate::catalog::Target;
use crate::metering::Meter;
use crate::routing::{Home, Homes};
use crate::wire::endpoint::Endpoint;
use crate::wire::scan::object_ids;

/// So much of an answer is looked at.
const MOST: usize = 16 * 1024;

/// Reads the beginning of one answer.
#[derive(Debug)]
pub struct Learner {
    homes: Arc<Homes>,
    home: Home,
    seen: Vec<u8>,
}

impl Learner {
    /// Whether there is anything to be learned from a good answer to this call
    /// that is not plain.
    pub(super) fn is_wanted(worker: &Worker, endpoint: Endpoint, body: &[u8]) -> bool {
        worker.snapshot.remembers()
            && (endpoint.makes_objects()
                || endpoint == Endpoint::ChatCompletions && object_ids::is_stored(body))
    }

    /// One for an answer that comes from this target.
    pub(super) fn of(worker: &Worker, meter: &Meter, target: &Target) -> Option<Box<Self>> {
        let snapshot = &worker.snapshot;
        let provider = &target.provider;
        Some(Box::new(Self {
            homes: Arc::clone(&snapshot.homes),
            home: Home {
                provider: provider.name.clone(),
                credential: provider.credential_identity(target.credential)?,
                owner: meter.key_name().map(Into::into),
            },
            seen: Vec::new(),
        }))
    }

    /// Looks at the next piece; true when it has seen enough.
    pub(super) fn feed(&mut self, piece: &[u8], is_last: bool) -> bool {
        let room = MOST - self.seen.len();
        self.seen
            .extend_from_slice(piece.get(..room).unwrap_or(piece));
        let is_full = is_last || self.seen.len() == MOST;
        let text = match self.seen.first() {
            None => return is_last,
            Some(b'{') if !is_full => return false,
            Some(b'{') => &self.seen[..],
            // An event stream: its first event tells of the object.
            Some(_) => match first_data(&self.seen) {
                Some(data) => data,
                None => return is_full,
            },
        };
        for id in object_ids::told(text) {
            self.homes.remember(id, self.home.clone());
        }
        true
    }
}

/// The data of the first event whose line is whole (WHATWG HTML, section 9.2).
fn first_data(stream: &[u8]) -> Option<&[u8]> {
    let mut rest = stream;
    while let Some(end) = memchr(b'\n', rest) {
        let (line, behind) = rest.split_at_checked(end)?;
        if let Some(data) = line.strip_prefix(b"data:") {
            return Some(data.trim_ascii());
        }
        rest = behind.get(1..)?;
    }
    None
}
