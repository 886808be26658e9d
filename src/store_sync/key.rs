//! What things are called in the store.
//!
//! `PREFIXtrunkline:1:KIND:{NAME}`, where 1 is the version of the scripts, so that two
//! releases can run side by side, and the braces keep the keys of one bucket together in a
//! server that distributes keys.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::limits::{LeaseId, QuotaKind};

const VERSION: &str = "trunkline:1";
/// Neither braces nor the colons that separate the parts.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'/')
    .remove(b'@');
/// Of a hash, in bytes: two users do not share one by chance.
const HASH_LENGTH: usize = 16;

/// The key of a bucket, and that of what was folded of it.
pub fn bucket(prefix: &str, id: &LeaseId) -> (String, String) {
    let kind = match id.kind {
        QuotaKind::Amount(_, period) if period.refill().is_some() => 'r',
        QuotaKind::Amount(..) | QuotaKind::Concurrent => 'b',
    };
    let name = name(id);
    (
        format!("{prefix}{VERSION}:{kind}:{{{name}}}"),
        format!("{prefix}{VERSION}:f:{{{name}}}"),
    )
}

/// The key of an object's location. The id may be all that is needed to read the object.
pub fn object(prefix: &str, id: &str) -> String {
    format!("{prefix}{VERSION}:o:{}", hash(id))
}

/// The key of the replicas that are alive.
pub fn replicas(prefix: &str) -> String {
    format!("{prefix}{VERSION}:replicas")
}

fn name(id: &LeaseId) -> String {
    let mut name = part(&id.rule);
    match id.kind {
        QuotaKind::Amount(of, period) => {
            name.extend([":", of.key(), "/", period.name()]);
        }
        QuotaKind::Concurrent => name.push_str(":concurrent"),
    }
    let mut add = |kind: &str, value: &str| {
        if !value.is_empty() {
            name.extend([":", kind, "=", value]);
        }
    };
    add("of", &part(&id.subject));
    add("model", &part(&id.model));
    if !id.user.is_empty() {
        add("user", &hash(&id.user));
    }
    add("provider", &part(&id.provider));
    if let Some(window) = &id.window {
        add("zone", &part(&window.zone));
        if window.start == i64::MIN {
            add("from", "ever");
        } else {
            add("from", &window.start.to_string());
        }
        // Months that begin on different days may begin on the same one.
        add("day", &window.month_starts_on.to_string());
    }
    name
}

fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// Of what is not to stand in the store by name.
fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut hash = String::with_capacity(2 * HASH_LENGTH);
    for byte in digest.iter().take(HASH_LENGTH) {
        // Never fails.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}
