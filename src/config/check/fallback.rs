//! `fallbacks` of a model: each must be there, and none may lead back.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::config::error::{KeyPath, nearest};
use crate::config::model::MOST_TARGETS;
use crate::config::{Model, Provider};

/// The fallbacks that are there, and a fault for each that is not.
pub fn names(
    check: &mut Check<'_>,
    path: &KeyPath,
    written: &[String],
    aliases: &BTreeSet<&String>,
) -> Vec<String> {
    let path = path.key("fallbacks");
    let mut known = Vec::new();
    for (index, name) in written.iter().enumerate() {
        if aliases.contains(name) {
            known.push(name.clone());
            continue;
        }
        let hint = match nearest(name, aliases.iter().map(|alias| alias.as_str())) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "write a [models] table for it".into(),
        };
        let text = format!("no model is called {name:?}; {hint}");
        check.fault(&path.index(index), text);
    }
    known
}

/// Finds circles, and plans that are too long.
pub fn judge(
    check: &mut Check<'_>,
    models: &BTreeMap<String, Model>,
    providers: &BTreeMap<String, Provider>,
) {
    let mut walk = Walk {
        models,
        trail: Vec::new(),
        done: BTreeSet::new(),
        circles: Vec::new(),
    };
    for alias in models.keys() {
        walk.visit(alias);
    }
    for circle in walk.circles {
        let first = circle.first().copied().unwrap_or_default();
        let text = format!(
            "leads back to itself: {}; take one of these fallbacks out",
            circle.join(" -> ")
        );
        check.fault(&KeyPath::new(["models", first, "fallbacks"]), text);
    }
    for (alias, model) in models {
        let steps = model.steps(models);
        let targets = steps.iter().flat_map(|step| &step.targets);
        let count: usize = targets
            .filter_map(|target| providers.get(&target.provider))
            .map(|provider| provider.credentials.len())
            .sum();
        if count > MOST_TARGETS {
            let text = format!(
                "comes to {count} targets, keys and fallbacks counted; at most {MOST_TARGETS} are tried"
            );
            check.fault(&KeyPath::new(["models", alias]), text);
        }
    }
}

struct Walk<'a> {
    models: &'a BTreeMap<String, Model>,
    /// From the alias the walk began at to where it is.
    trail: Vec<&'a str>,
    done: BTreeSet<&'a str>,
    circles: Vec<Vec<&'a str>>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, alias: &'a str) {
        if let Some(start) = self.trail.iter().position(|seen| *seen == alias) {
            let mut circle = self.trail.split_off(start);
            self.trail.extend(&circle);
            circle.push(alias);
            self.circles.push(circle);
            return;
        }
        if !self.done.insert(alias) {
            return;
        }
        self.trail.push(alias);
        let models = self.models;
        for fallback in models.get(alias).into_iter().flat_map(|it| &it.fallbacks) {
            self.visit(fallback);
        }
        self.trail.pop();
    }
}
