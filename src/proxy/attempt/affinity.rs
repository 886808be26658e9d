//! What a request has in common with others that are to go where it goes.

use http::HeaderMap;

use crate::config::{Affinity, AffinityBy};
use crate::routing::Kinship;
use crate::wire::scan::affinity::{caller, opening};

/// Looks for what the model's requests are kept together by. `body` must be one
/// that was scanned.
pub(super) fn of(affinity: &Affinity, headers: &HeaderMap, body: &[u8]) -> Option<Kinship> {
    let max_load = affinity.max_load;
    match &affinity.by {
        AffinityBy::User => Kinship::of(&[&caller(body)?], max_load),
        AffinityBy::Prompt => Kinship::of(&opening(body), max_load),
        AffinityBy::Header(name) => Kinship::of(&[headers.get(name)?.as_bytes()], max_load),
    }
}
