//! `[models.ALIAS.hedge]`.

use super::Checker;
use crate::config::Hedge;
use crate::config::error::KeyPath;
use crate::config::raw::{self, Count, PositiveDuration};

const DEFAULT_SAMPLES: usize = 20;
const DEFAULT_FLOOR: PositiveDuration = PositiveDuration::millis(250);

pub fn resolve(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Hedge) -> Option<Hedge> {
    match (raw.after, raw.quantile) {
        (Some(after), None) => {
            for (key, is_set) in [
                ("floor", raw.floor.is_some()),
                ("samples", raw.samples.is_some()),
            ] {
                if is_set {
                    checker.error(&path.key(key), "applies only with quantile; remove it");
                }
            }
            Some(Hedge::After(after.get()))
        }
        (None, Some(percent)) => Some(Hedge::Quantile {
            percent: percent.get(),
            floor: raw.floor.unwrap_or(DEFAULT_FLOOR).get(),
            samples: raw.samples.map_or(DEFAULT_SAMPLES, Count::size),
        }),
        (Some(_), Some(_)) => {
            checker.error(path, "has both after and quantile; keep one");
            None
        }
        (None, None) => {
            if !checker.is_pruned(path) {
                let text = "has no delay; write after = \"2s\" or quantile = 95";
                checker.error(path, text);
            }
            None
        }
    }
}
