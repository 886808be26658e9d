//! `[models.ALIAS]`, over the built-in aliases.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, affinity, fallback, hedge, quantity, retry, timeouts};
use crate::config::error::{KeyPath, nearest};
use crate::config::preset::Presets;
use crate::config::{Hedge, Model, Provider, Retry, Target, raw};

/// Most bytes in the name of a model.
const LONGEST: usize = 256;
/// Largest share and largest priority; beyond it, a number is a slip.
const MOST: u64 = 1_000;

/// Checks every alias, the built-in ones among them.
pub fn settle(
    check: &mut Check<'_>,
    raw: &raw::Config,
    presets: &Presets,
    providers: &BTreeMap<String, Provider>,
    retry: Retry,
) -> BTreeMap<String, Model> {
    let known: BTreeSet<&str> = providers
        .keys()
        // A provider that is at fault still is what the alias names.
        .chain(raw.providers.keys())
        .chain(presets.providers.keys())
        .map(String::as_str)
        .collect();
    let mut models = BTreeMap::new();
    let untouched = raw::Model::default();
    let aliases: BTreeSet<&String> = presets.models.keys().chain(raw.models.keys()).collect();
    for alias in &aliases {
        let written = raw.models.get(*alias);
        let one = One {
            alias,
            path: KeyPath::new(["models", alias]),
            raw: written.unwrap_or(&untouched),
            builtin: presets.models.get(*alias),
            known: &known,
        };
        if let Err(text) = name(alias) {
            check.fault(&one.path, text);
        }
        let targets = one.targets(check);
        let context = one.context(check);
        let fallbacks = fallback::names(check, &one.path, &one.raw.fallbacks, &aliases);
        let retry = retry::model(check, &one.path.key("retry"), &one.raw.retry, retry);
        let affinity = affinity::settle(check, &one.path.key("affinity"), &one.raw.affinity);
        let timeouts = timeouts::own(check, &one.path.key("timeouts"), &one.raw.timeouts);
        let hedge = one.hedge(check, retry);
        if targets.is_empty() {
            continue;
        }
        let model = Model {
            alias: (*alias).clone(),
            targets,
            context,
            balance: one.raw.balance.unwrap_or_default(),
            affinity,
            fallbacks,
            retry,
            timeouts,
            hedge,
            builtin: written.is_none(),
        };
        models.insert((*alias).clone(), model);
    }
    fallback::judge(check, &models, providers);
    models
}

struct One<'a> {
    alias: &'a str,
    path: KeyPath,
    raw: &'a raw::Model,
    builtin: Option<&'a raw::Model>,
    known: &'a BTreeSet<&'a str>,
}

impl One<'_> {
    /// Where the alias goes; none when that is at fault.
    fn targets(&self, check: &mut Check<'_>) -> Vec<Target> {
        let raw = self.raw;
        if raw.targets.is_empty() {
            return self.short_form(check).into_iter().collect();
        }
        if raw.provider.is_some() || raw.model.is_some() {
            let text = "targets stand instead of provider and model; write one or the other";
            check.fault(&self.path.key("targets"), text);
        }
        let targets = raw.targets.iter().enumerate();
        let found: Vec<_> = targets
            .filter_map(|(index, target)| self.target(check, index, target))
            .collect();
        for (index, target) in found.iter().enumerate() {
            let earlier = found.get(..index).unwrap_or_default();
            if earlier.iter().any(|it| is_same_place(it, target)) {
                let path = self.path.key("targets").index(index);
                let text = "stands in the list already; give the first one more weight instead";
                check.fault(&path, text);
            }
        }
        found
    }

    /// The built-in figure holds for the built-in place alone.
    fn context(&self, check: &mut Check<'_>) -> Option<usize> {
        let raw = self.raw;
        let is_builtin = raw.provider.is_none() && raw.model.is_none() && raw.targets.is_empty();
        let builtin = self.builtin.filter(|_| is_builtin);
        let context = raw.context.or_else(|| builtin?.context)?;
        let context = quantity::count(context, 1);
        context
            .map_err(|text| check.fault(&self.path.key("context"), text))
            .ok()
    }

    /// When a second target is asked, which takes a second target and a second
    /// attempt.
    fn hedge(&self, check: &mut Check<'_>, retry: Retry) -> Option<Hedge> {
        let path = self.path.key("hedge");
        let hedge = hedge::settle(check, &path, self.raw.hedge.as_ref()?)?;
        if self.raw.targets.len() < 2 && self.raw.fallbacks.is_empty() {
            check.fault(
                &path,
                "needs another place to ask; give the model targets or fallbacks",
            );
        }
        if retry.attempts < 2 {
            check.fault(&path, "takes a second attempt, and retry.attempts is 1");
        }
        Some(hedge)
    }

    fn short_form(&self, check: &mut Check<'_>) -> Option<Target> {
        let provider = if self.raw.provider.is_some() {
            self.provider(check, &self.path, self.raw.provider.as_deref())?
        } else {
            let builtin = self.builtin.and_then(|model| model.provider.clone());
            if builtin.is_none() && !check.is_spoiled(&self.path) {
                let text = "provider is missing; name one, such as provider = \"openai\"";
                check.fault(&self.path, text);
            }
            builtin?
        };
        Some(Target::new(provider, self.upstream_model(check)))
    }

    fn target(&self, check: &mut Check<'_>, index: usize, raw: &raw::Target) -> Option<Target> {
        let path = self.path.key("targets").index(index);
        let provider = self.provider(check, &path, raw.provider.as_deref())?;
        if let Some(Err(text)) = raw.model.as_deref().map(name) {
            check.fault(&path.key("model"), text);
        }
        let weight = number(raw.weight, 1, 1);
        let priority = number(raw.priority, 0, 0);
        Some(Target {
            provider,
            upstream_model: raw.model.as_deref().unwrap_or(self.alias).to_owned(),
            weight: check.settle(&path.key("weight"), weight, 1),
            priority: check.settle(&path.key("priority"), priority, 0),
        })
    }

    fn provider(
        &self,
        check: &mut Check<'_>,
        path: &KeyPath,
        name: Option<&str>,
    ) -> Option<String> {
        let Some(name) = name else {
            if !check.is_spoiled(path) {
                check.fault(path, "provider is missing; each target names one");
            }
            return None;
        };
        if self.known.contains(name) {
            return Some(name.to_owned());
        }
        let hint = match nearest(name, self.known.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "write a [providers] table for it, or name a built-in one".into(),
        };
        let text = format!("no provider is called {name:?}; {hint}");
        check.fault(&path.key("provider"), text);
        None
    }

    /// The provider's name for the model. An alias that is moved to another
    /// provider does not keep the name that the built-in one had there.
    fn upstream_model(&self, check: &mut Check<'_>) -> String {
        let builtin = self.builtin.filter(|_| self.raw.provider.is_none());
        let text = self.raw.model.as_deref();
        if let Some(Err(text)) = text.map(name) {
            check.fault(&self.path.key("model"), text);
        }
        let text = text.or_else(|| builtin?.model.as_deref());
        text.unwrap_or(self.alias).to_owned()
    }
}

fn is_same_place(one: &Target, other: &Target) -> bool {
    one.provider == other.provider && one.upstream_model == other.upstream_model
}

fn number(written: Option<u64>, default: u32, least: u64) -> Result<u32, String> {
    let Some(number) = written else {
        return Ok(default);
    };
    quantity::within(number, least, MOST)
}

/// Accepts a name that a caller can send and a log can show.
pub fn name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(format!(
            "the name of a model has 1 to {LONGEST} bytes and no control characters"
        ));
    }
    Ok(())
}
