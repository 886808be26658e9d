//! The places that a model's requests can go to, and how each stands.

use std::borrow::Cow;

use serde::Serialize;

use super::view::Clock;
use crate::catalog::{Model, Target, Unready};
use crate::routing::{Fleet, Standing, Why};

#[derive(Serialize)]
pub struct TargetRow<'a> {
    provider: &'a str,
    upstream_model: Cow<'a, str>,
    /// The number of the credential, as the log has it.
    key: Option<usize>,
    /// The lowest is tried first.
    priority: usize,
    weight: u64,
    fallback: bool,
    state: &'static str,
    /// When requests may go there again.
    until: Option<u64>,
}

/// In the order in which they are tried.
pub fn of<'a>(model: &'a Model, fleet: &Fleet, clock: &Clock) -> Vec<TargetRow<'a>> {
    let is_alone = model.targets.len() == 1;
    let ready = model.targets.iter().map(|target| {
        // Nobody else could take its place, so it is never left out.
        let standing = if is_alone {
            Standing::Ready
        } else {
            fleet.standing(target, clock.steady)
        };
        TargetRow::new(target, standing, clock)
    });
    let mut rows: Vec<_> = ready
        .chain(model.unready.iter().map(TargetRow::from))
        .collect();
    rows.sort_by_key(|row| row.priority);
    rows
}

impl<'a> TargetRow<'a> {
    fn new(target: &'a Target, standing: Standing, clock: &Clock) -> Self {
        let (state, rest) = match standing {
            Standing::Ready => ("ready", None),
            Standing::Out(Why::Ejected, rest) => ("ejected", Some(rest)),
            Standing::Out(Why::Cooling, rest) => ("cooling", Some(rest)),
            Standing::Out(Why::Benched, rest) => ("benched", Some(rest)),
            Standing::Out(Why::Exhausted, rest) => ("exhausted", Some(rest)),
            Standing::Unwell => ("unwell", None),
        };
        Self {
            provider: &target.provider.name,
            upstream_model: String::from(target.upstream_model()).into(),
            key: Some(target.credential),
            priority: target.step,
            weight: target.asked_weight(),
            fallback: target.is_fallback,
            state,
            until: rest.map(|rest| clock.time_in(rest)),
        }
    }
}

impl<'a> From<&'a Unready> for TargetRow<'a> {
    fn from(place: &'a Unready) -> Self {
        Self {
            provider: &place.provider.name,
            upstream_model: Cow::Borrowed(&place.upstream_model),
            key: None,
            priority: place.step,
            weight: u64::from(place.weight),
            fallback: place.is_fallback,
            state: "not_configured",
            until: None,
        }
    }
}
