//! The targets of a model, and their states.

use std::borrow::Cow;

use serde::Serialize;

use super::clock::StatusClock;
use crate::catalog::{Model, Target, UnavailableTarget};
use crate::routing::{Fleet, Reason, TargetState};

#[derive(Serialize)]
pub struct TargetRow<'a> {
    provider: &'a str,
    upstream_model: Cow<'a, str>,
    /// Index of the credential, as in logs.
    key: Option<usize>,
    priority: usize,
    weight: u64,
    fallback: bool,
    state: &'static str,
    /// When the target gets requests again, in Unix milliseconds.
    until: Option<u64>,
}

/// In the order in which they are tried.
pub fn rows<'a>(model: &'a Model, fleet: &Fleet, clock: &StatusClock) -> Vec<TargetRow<'a>> {
    let is_only_target = model.targets.len() == 1;
    let ready = model.targets.iter().map(|target| {
        // A single target is never excluded.
        let state = if is_only_target {
            TargetState::Ready
        } else {
            fleet.target_state(target, clock.monotonic)
        };
        TargetRow::new(target, state, clock)
    });
    let mut rows: Vec<_> = ready
        .chain(model.unavailable.iter().map(TargetRow::from))
        .collect();
    rows.sort_by_key(|row| row.priority);
    rows
}

impl<'a> TargetRow<'a> {
    fn new(target: &'a Target, state: TargetState, clock: &StatusClock) -> Self {
        let (name, remaining) = match state {
            TargetState::Ready => ("ready", None),
            TargetState::Excluded(Reason::Failed | Reason::BrokenResponses, remaining) => {
                ("ejected", Some(remaining))
            }
            TargetState::Excluded(Reason::Throttled, remaining) => ("cooldown", Some(remaining)),
            TargetState::Excluded(Reason::Unauthorized, remaining) => {
                ("unauthorized", Some(remaining))
            }
            TargetState::Excluded(Reason::RateLimited, remaining) => {
                ("rate_limited", Some(remaining))
            }
            TargetState::Unhealthy => ("unhealthy", None),
        };
        Self {
            provider: &target.provider.name,
            upstream_model: String::from(target.upstream_model()).into(),
            key: Some(target.credential),
            priority: target.step,
            weight: target.configured_weight(),
            fallback: target.is_fallback,
            state: name,
            until: remaining.map(|remaining| clock.unix_millis_in(remaining)),
        }
    }
}

impl<'a> From<&'a UnavailableTarget> for TargetRow<'a> {
    fn from(target: &'a UnavailableTarget) -> Self {
        Self {
            provider: &target.provider.name,
            upstream_model: Cow::Borrowed(&target.upstream_model),
            key: None,
            priority: target.step,
            weight: u64::from(target.weight),
            fallback: target.is_fallback,
            state: "not_configured",
            until: None,
        }
    }
}
