//! `[models.ALIAS.hedge]`

use std::time::Duration;

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{Hedge, raw};

/// Answers of a target that are remembered.
const MOST_SAMPLES: u64 = 128;
const SAMPLES: u64 = 20;
const FLOOR: &str = "250ms";

/// Checks when a second target is asked.
pub fn settle(check: &mut Check<'_>, path: &KeyPath, raw: &raw::Hedge) -> Option<Hedge> {
    match (&raw.after, raw.quantile) {
        (Some(text), None) => {
            for (key, is_set) in [
                ("floor", raw.floor.is_some()),
                ("samples", raw.samples.is_some()),
            ] {
                if is_set {
                    check.fault(&path.key(key), "belongs to quantile; leave it out");
                }
            }
            let time = quantity::positive_duration(text);
            let time = check.settle(&path.key("after"), time, Duration::ZERO);
            Some(Hedge::After(time))
        }
        (None, Some(percent)) => {
            let percent = quantity::within(percent, 50, 99);
            let floor = quantity::positive_duration(raw.floor.as_deref().unwrap_or(FLOOR));
            let samples = quantity::within(raw.samples.unwrap_or(SAMPLES), 5, MOST_SAMPLES);
            Some(Hedge::Quantile {
                percent: check.settle(&path.key("quantile"), percent, 99),
                floor: check.settle(&path.key("floor"), floor, Duration::ZERO),
                samples: check.settle(&path.key("samples"), samples, 5) as usize,
            })
        }
        (Some(_), Some(_)) => {
            let text = "says when in two ways; keep after or quantile";
            check.fault(path, text);
            None
        }
        (None, None) => {
            if !check.is_spoiled(path) {
                let text = "does not say when; write after = \"2s\" or quantile = 95";
                check.fault(path, text);
            }
            None
        }
    }
}
