//! `[models.ALIAS.affinity]`.

use http::HeaderName;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Affinity, AffinityBy, AffinityKind, raw};

/// Percent of its share that a target may carry: with less, keys move at every
/// coincidence; with more, one target may carry the load of two.
const DEFAULT_MAX_LOAD: u64 = 125;
const LARGEST_MAX_LOAD: u64 = 10_000;

pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Affinity,
    log: &raw::Log,
) -> Option<Affinity> {
    let max_load = match raw.max_load.unwrap_or(DEFAULT_MAX_LOAD) {
        0 => Ok(None),
        percent if (100..=LARGEST_MAX_LOAD).contains(&percent) => Ok(u32::try_from(percent).ok()),
        _ => Err(format!(
            "must be from 100 to {LARGEST_MAX_LOAD}, or 0 for no bound"
        )),
    };
    let max_load = checker.or_fallback(&path.key("max_load"), max_load, None);
    let name = raw.header.as_deref().map(|text| {
        let cure = "not a header name; use letters, digits and \"-\", such as \"x-session-id\"";
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| cure.to_owned());
        let fallback = HeaderName::from_static("x-session-id");
        checker.or_fallback(&path.key("header"), name, fallback)
    });
    let by = match (raw.by, name) {
        (Some(AffinityKind::Header), Some(name)) => AffinityBy::Header(name),
        (Some(AffinityKind::Header), None) => {
            if !checker.is_pruned(path) {
                let text = "header is missing; set its name, such as \"x-session-id\"";
                checker.error(path, text);
            }
            return None;
        }
        (by, Some(_)) => {
            checker.error(&path.key("header"), "applies only with by = \"header\"");
            kind(by?)
        }
        (Some(by), None) => kind(by),
        (None, None) => {
            if raw.max_load.is_some() && !checker.is_pruned(path) {
                let text =
                    "by is missing; write by = \"user\", \"prompt\", \"session\" or \"header\"";
                checker.error(path, text);
            }
            return None;
        }
    };
    if by == AffinityBy::Session && log.session_headers.is_empty() {
        let text = "log.session_headers is empty, so that no request has a session";
        checker.error(&path.key("by"), text);
    }
    Some(Affinity { by, max_load })
}

fn kind(by: AffinityKind) -> AffinityBy {
    match by {
        AffinityKind::Prompt => AffinityBy::Prompt,
        AffinityKind::Session => AffinityBy::Session,
        AffinityKind::User | AffinityKind::Header => AffinityBy::User,
    }
}
