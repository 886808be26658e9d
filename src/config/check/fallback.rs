//! `fallbacks` of a model: they must exist and form no cycle.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use crate::config::error::{KeyPath, nearest};
use crate::config::model::{MAX_TARGETS, is_pattern};
use crate::config::{ModelConfig, ProviderConfig};

/// The fallbacks that exist, and an error for each that does not.
pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    written: &[String],
    aliases: &BTreeSet<&String>,
) -> Vec<String> {
    let path = path.key("fallbacks");
    let mut known = Vec::new();
    for (index, name) in written.iter().enumerate() {
        if is_pattern(name) {
            let text = "a pattern names no model; write the alias of one";
            checker.error(&path.index(index), text);
            continue;
        }
        if aliases.contains(name) {
            known.push(name.clone());
            continue;
        }
        let hint = match nearest(name, aliases.iter().map(|alias| alias.as_str())) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "write a [models] table for it".into(),
        };
        let text = format!("unknown model {name:?}; {hint}");
        checker.error(&path.index(index), text);
    }
    known
}

/// Reports cycles, and plans with too many targets.
pub fn check_plans(
    checker: &mut Checker<'_>,
    models: &BTreeMap<String, ModelConfig>,
    providers: &BTreeMap<String, ProviderConfig>,
) {
    let mut search = CycleSearch {
        models,
        trail: Vec::new(),
        done: BTreeSet::new(),
        cycles: Vec::new(),
    };
    for alias in models.keys() {
        search.visit(alias);
    }
    for cycle in search.cycles {
        let first = cycle.first().copied().unwrap_or_default();
        let text = format!(
            "fallback cycle: {}; remove one of these fallbacks",
            cycle.join(" -> ")
        );
        checker.error(&KeyPath::new(["models", first, "fallbacks"]), text);
    }
    for (alias, model) in models {
        let steps = model.plan_steps(models);
        let targets = steps.iter().flat_map(|step| &step.targets);
        let count: usize = targets
            .filter_map(|target| providers.get(&target.provider))
            .map(|provider| provider.credentials.len())
            .sum();
        if count > MAX_TARGETS {
            let text = format!(
                "has {count} targets, counting keys and fallbacks; the maximum is {MAX_TARGETS}"
            );
            checker.error(&KeyPath::new(["models", alias]), text);
        }
    }
}

struct CycleSearch<'a> {
    models: &'a BTreeMap<String, ModelConfig>,
    /// From the alias where the search began to the current one.
    trail: Vec<&'a str>,
    done: BTreeSet<&'a str>,
    cycles: Vec<Vec<&'a str>>,
}

impl<'a> CycleSearch<'a> {
    fn visit(&mut self, alias: &'a str) {
        if let Some(start) = self.trail.iter().position(|seen| *seen == alias) {
            let mut cycle = self.trail.split_off(start);
            self.trail.extend(&cycle);
            cycle.push(alias);
            self.cycles.push(cycle);
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
