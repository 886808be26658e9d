//! `[timeouts]`, and what providers and models say instead.

use std::time::Duration;

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{OwnTimeouts, Timeouts, raw};

/// What `[timeouts]` stands over; it says something of everything.
const NONE: Timeouts = Timeouts {
    connect: Duration::MAX,
    tls: None,
    head: Duration::MAX,
    first_event: None,
    gap: Duration::MAX,
    total: None,
};

/// Checks `[timeouts]`.
pub fn settle(check: &mut Check<'_>, raw: &raw::Timeouts) -> Timeouts {
    let path = KeyPath::new(["timeouts"]);
    NONE.with(&own(check, &path, &raw.whole()))
}

/// Checks what a provider or a model says.
pub fn own(check: &mut Check<'_>, path: &KeyPath, raw: &raw::OwnTimeouts) -> OwnTimeouts {
    let mut limit = |key, text: &Option<String>| {
        let text = text.as_ref()?;
        let limit = quantity::positive_duration(text);
        Some(check.settle(&path.key(key), limit, Duration::MAX))
    };
    let connect = limit("connect", &raw.connect);
    let head = limit("head", &raw.head);
    let gap = limit("gap", &raw.gap);
    let mut optional = |key, text: &Option<String>| {
        let text = text.as_ref()?;
        let limit = quantity::optional_duration(text);
        Some(check.settle(&path.key(key), limit, None))
    };
    OwnTimeouts {
        connect,
        tls: optional("tls", &raw.tls),
        head,
        first_event: optional("first_event", &raw.first_event),
        gap,
        total: optional("total", &raw.total),
    }
}
