//! Links between aliases: other names, and fallbacks.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::model::{Alias, MAX_TARGETS};
use super::settings::Settings;
use crate::cli::import::notes::{NoteScope, Notes, printable};
use crate::config::check_model_name;

type Models = IndexMap<String, Alias>;

/// Adds the aliases of `model_group_alias`, each with the targets of its model. Like
/// LiteLLM, it looks for them before it looks for models.
pub fn add_aliases(models: &mut Models, settings: &Settings, notes: &mut Notes) {
    for alias in &settings.aliases {
        let key = format!("model_group_alias.{}", printable(&alias.alias));
        let mut note = |text: &str| notes.add(&NoteScope::File, &alias.position, &key, text);
        if check_model_name(&alias.alias).is_err() {
            note("not carried over: not a valid name");
            continue;
        }
        let Some(model) = models.get(&alias.model) else {
            note("not carried over: there is no alias of the name that it stands for");
            continue;
        };
        if alias.alias == alias.model {
            continue;
        }
        let mut copy = model.clone();
        copy.copy_of = Some(alias.model.clone());
        if models.insert(alias.alias.clone(), copy).is_some() {
            note("replaces the deployments of this name, as in LiteLLM");
        }
    }
}

/// Adds the fallbacks that exist and lead in no circle.
pub fn add_fallbacks(models: &mut Models, settings: &Settings, notes: &mut Notes) {
    let mut linker = Linker {
        models,
        parents: HashMap::new(),
    };
    for from in &settings.fallbacks {
        if !linker.models.contains_key(&from.model) {
            let key = format!("fallbacks of {}", printable(&from.model));
            notes.add(&NoteScope::File, &from.position, &key, NO_ALIAS);
            continue;
        }
        for alias in linker.names_of(&from.model) {
            let scope = NoteScope::Model(alias.clone());
            for to in &from.to {
                if let Err(text) = linker.add(&alias, to) {
                    let key = format!("fallbacks: {}", printable(to));
                    notes.add(&scope, &from.position, &key, text);
                }
            }
        }
    }
    let has_none = linker
        .models
        .iter()
        .filter(|(_, model)| model.fallbacks.is_empty());
    let free: Vec<String> = has_none.map(|(alias, _)| alias.clone()).collect();
    for alias in free {
        for to in &settings.default_fallbacks {
            // One that leads back to the model is no fallback of it.
            let _ = linker.add(&alias, to);
        }
    }
}

const NO_ALIAS: &str = "not carried over: there is no such alias";

struct Linker<'m> {
    models: &'m mut Models,
    /// The aliases that have an alias as a fallback.
    parents: HashMap<String, Vec<String>>,
}

impl Linker<'_> {
    /// The alias, and those that stand for it.
    fn names_of(&self, alias: &str) -> Vec<String> {
        let stands_for = |(name, model): &(&String, &Alias)| {
            *name == alias || model.copy_of.as_deref() == Some(alias)
        };
        let names = self.models.iter().filter(stands_for);
        names.map(|(name, _)| name.clone()).collect()
    }

    fn add(&mut self, from: &str, to: &str) -> Result<(), &'static str> {
        if !self.models.contains_key(to) {
            return Err(NO_ALIAS);
        }
        if reachable(to, |alias| fallbacks(self.models, alias)).contains(from) {
            return Err("not carried over: it leads back to the model");
        }
        let Some(model) = self.models.get_mut(from) else {
            return Ok(());
        };
        if model.fallbacks.iter().any(|known| known == to) {
            return Ok(());
        }
        model.fallbacks.push(to.to_owned());
        let grown = reachable(from, |alias| {
            self.parents.get(alias).map_or(&[][..], Vec::as_slice)
        });
        if grown
            .iter()
            .any(|alias| plan_size(self.models, alias) > MAX_TARGETS)
        {
            if let Some(model) = self.models.get_mut(from) {
                model.fallbacks.pop();
            }
            return Err(
                "not carried over: a plan has at most 64 targets, counting keys and fallbacks",
            );
        }
        let parents = self.parents.entry(to.to_owned()).or_default();
        parents.push(from.to_owned());
        Ok(())
    }
}

fn fallbacks<'m>(models: &'m Models, alias: &str) -> &'m [String] {
    models.get(alias).map_or(&[], |model| &model.fallbacks)
}

/// The alias and all that lies behind it.
fn reachable<'m>(alias: &'m str, next: impl Fn(&str) -> &'m [String]) -> HashSet<&'m str> {
    let mut seen = HashSet::new();
    let mut open = vec![alias];
    while let Some(alias) = open.pop() {
        if seen.insert(alias) {
            open.extend(next(alias).iter().map(String::as_str));
        }
    }
    seen
}

/// The targets of a plan, counting keys and fallbacks.
pub fn plan_size(models: &Models, alias: &str) -> usize {
    let plan = reachable(alias, |alias| fallbacks(models, alias));
    let models = plan.into_iter().filter_map(|alias| models.get(alias));
    models.map(Alias::target_count).sum()
}
