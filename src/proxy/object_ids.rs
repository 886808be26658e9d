//! Records ids of provider-side objects that a response contains.

use std::sync::Arc;
use std::time::Duration;

use memchr::memchr;

use super::Worker;
use crate::catalog::Target;
use crate::metering::Meter;
use crate::routing::{ObjectDirectory, ObjectLocation};
use crate::store_sync::SharedObjects;
use crate::wire::endpoint::Endpoint;
use crate::wire::scan::{Scan, object_ids};

/// Bytes of a response body that are inspected.
const MAX_INSPECTED: usize = 16 * 1024;
/// How long the store keeps a response or a completion that is not used: as OpenAI does
/// (<https://platform.openai.com/docs/guides/your-data>).
const RESPONSE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Other objects are few, and stay until they are deleted.
const OBJECT_LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);

/// Inspects the start of one response body.
#[derive(Debug)]
pub struct ObjectIdRecorder {
    objects: Arc<ObjectDirectory>,
    shared: Option<Arc<SharedObjects>>,
    location: ObjectLocation,
    buffer: Vec<u8>,
}

impl ObjectIdRecorder {
    /// Whether a successful response may contain ids that matter.
    pub(super) fn is_needed(worker: &Worker, endpoint: Endpoint, scan: &Scan) -> bool {
        worker.snapshot.tracks_objects()
            && (endpoint.creates_objects()
                || endpoint == Endpoint::ChatCompletions && scan.store == Some(true))
    }

    /// None where the target's credential has no identity.
    pub(super) fn new(
        worker: &Worker,
        meter: &Meter,
        target: &Target,
        scan: &Scan,
    ) -> Option<Box<Self>> {
        let snapshot = &worker.snapshot;
        let provider = &target.provider;
        // A response that is not kept can be continued on a WebSocket only, at this replica.
        let shared = snapshot.shared_objects.as_ref();
        let shared = shared.filter(|_| scan.store != Some(false));
        Some(Box::new(Self {
            objects: Arc::clone(&snapshot.objects),
            shared: shared.map(Arc::clone),
            location: ObjectLocation {
                provider: provider.name.clone(),
                credential: provider.credential_identity(target.credential)?,
                owner: meter.key_name().map(Into::into),
                lifetime: lifetime(meter.endpoint()),
            },
            buffer: Vec::new(),
        }))
    }

    /// Returns true when no further chunk is needed.
    pub(super) fn feed(&mut self, chunk: &[u8], is_last: bool) -> bool {
        let room = MAX_INSPECTED - self.buffer.len();
        self.buffer
            .extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        let is_full = is_last || self.buffer.len() == MAX_INSPECTED;
        let text = match self.buffer.first() {
            None => return is_last,
            Some(b'{') if !is_full => return false,
            Some(b'{') => &self.buffer[..],
            // An event stream: its first event contains the object.
            Some(_) => match first_event_data(&self.buffer) {
                Some(data) => data,
                None => return is_full,
            },
        };
        for id in object_ids::created_ids(text) {
            self.objects.insert(id, self.location.clone());
            if let Some(shared) = &self.shared {
                shared.write(id);
            }
        }
        true
    }
}

fn lifetime(endpoint: Endpoint) -> Duration {
    match endpoint {
        Endpoint::Responses
        | Endpoint::ResponseObjects
        | Endpoint::ChatCompletions
        | Endpoint::StoredCompletions => RESPONSE_LIFETIME,
        _ => OBJECT_LIFETIME,
    }
}

/// The first complete `data:` line (WHATWG HTML, section 9.2).
fn first_event_data(stream: &[u8]) -> Option<&[u8]> {
    let mut rest = stream;
    while let Some(end) = memchr(b'\n', rest) {
        let (line, after) = rest.split_at_checked(end)?;
        if let Some(data) = line.strip_prefix(b"data:") {
            return Some(data.trim_ascii());
        }
        rest = after.get(1..)?;
    }
    None
}
