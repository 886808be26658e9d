//! `[models.ALIAS.affinity]`.

use http::HeaderName;

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{Affinity, AffinityBy, AffinityKind, raw};

/// Percent of its share that a target may have by default: with less, keys move
/// at every coincidence, with more, one target may carry what two should.
const MAX_LOAD: u64 = 125;
const MOST_LOAD: u64 = 10_000;

/// Checks what a model's requests are kept together by.
pub fn settle(check: &mut Check<'_>, path: &KeyPath, raw: &raw::Affinity) -> Option<Affinity> {
    let max_load = match raw.max_load.unwrap_or(MAX_LOAD) {
        0 => Ok(0),
        percent => quantity::within(percent, 100, MOST_LOAD)
            .map_err(|text| format!("{text}, or 0 for no bound")),
    };
    let max_load = check.settle(&path.key("max_load"), max_load, 0);
    let name = raw.header.as_deref().map(|text| {
        let cure = "the name of a header has letters, digits and \"-\", such as \"x-session-id\"";
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| cure.to_owned());
        let stand_in = HeaderName::from_static("x-session-id");
        check.settle(&path.key("header"), name, stand_in)
    });
    let by = match (raw.by, name) {
        (Some(AffinityKind::Header), Some(name)) => AffinityBy::Header(name),
        (Some(AffinityKind::Header), None) => {
            if !check.is_spoiled(path) {
                let text = "header is missing; name the one to go by, such as \"x-session-id\"";
                check.fault(path, text);
            }
            return None;
        }
        (by, Some(_)) => {
            check.fault(&path.key("header"), "counts only with by = \"header\"");
            kind(by?)
        }
        (Some(by), None) => kind(by),
        (None, None) => {
            if raw.max_load.is_some() && !check.is_spoiled(path) {
                let text = "by is missing; write by = \"user\", \"prompt\" or \"header\"";
                check.fault(path, text);
            }
            return None;
        }
    };
    Some(Affinity {
        by,
        max_load: (max_load > 0).then_some(max_load),
    })
}

fn kind(by: AffinityKind) -> AffinityBy {
    match by {
        AffinityKind::Prompt => AffinityBy::Prompt,
        AffinityKind::User | AffinityKind::Header => AffinityBy::User,
    }
}
