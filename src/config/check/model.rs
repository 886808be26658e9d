//! `[models.ALIAS]`, merged with the built-in aliases.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, affinity, fallback, hedge};
use crate::config::error::{KeyPath, nearest};
use crate::config::model::is_pattern;
use crate::config::preset::{ModelPreset, Presets};
use crate::config::raw::Count;
use crate::config::{Hedge, ModelConfig, ProviderConfig, Retry, TargetConfig, raw};

/// In bytes.
const MAX_NAME_LENGTH: usize = 256;

pub fn resolve(
    checker: &mut Checker<'_>,
    raw: &raw::Config,
    presets: &Presets,
    providers: &BTreeMap<String, ProviderConfig>,
    retry: Retry,
) -> BTreeMap<String, ModelConfig> {
    let known: BTreeSet<&str> = providers
        .keys()
        // An alias may name a provider that has errors of its own.
        .chain(raw.providers.keys())
        .chain(presets.providers.keys())
        .map(String::as_str)
        .collect();
    let mut models = BTreeMap::new();
    let untouched = raw::Model::default();
    let aliases: BTreeSet<&String> = presets.models.keys().chain(raw.models.keys()).collect();
    for alias in &aliases {
        let written = raw.models.get(*alias);
        let entry = ModelCheck {
            alias,
            path: KeyPath::new(["models", alias]),
            raw: written.unwrap_or(&untouched),
            builtin: presets.models.get(*alias),
            known: &known,
        };
        if let Err(text) = name(alias) {
            checker.error(&entry.path, text);
        }
        let targets = entry.targets(checker);
        let context = entry.with_builtin(|model| model.context);
        let max_output = entry.with_builtin(|model| model.max_output);
        let display_name = entry.display_name(checker);
        let fallbacks = fallback::resolve(checker, &entry.path, &entry.raw.fallbacks, &aliases);
        let retry = retry.with_overrides(&entry.raw.retry);
        let path = entry.path.key("affinity");
        let affinity = affinity::resolve(checker, &path, &entry.raw.affinity, &raw.log);
        let timeouts = (&entry.raw.timeouts).into();
        let hedge = entry.hedge(checker, retry);
        if targets.is_empty() {
            continue;
        }
        let model = ModelConfig {
            alias: (*alias).clone(),
            targets,
            context,
            max_output,
            display_name,
            balance: entry.raw.balance.unwrap_or_default(),
            affinity,
            fallbacks,
            retry,
            timeouts,
            system_messages: entry.raw.system_messages,
            count_tokens: entry.raw.count_tokens.unwrap_or_default(),
            hedge,
            builtin: written.is_none(),
            retirement: entry
                .with_builtin_target()
                .and_then(|builtin| builtin.retirement.clone()),
        };
        models.insert((*alias).clone(), model);
    }
    fallback::check_plans(checker, &models, providers);
    models
}

struct ModelCheck<'a> {
    alias: &'a str,
    path: KeyPath,
    raw: &'a raw::Model,
    builtin: Option<&'a ModelPreset>,
    known: &'a BTreeSet<&'a str>,
}

impl ModelCheck<'_> {
    /// None after an error.
    fn targets(&self, checker: &mut Checker<'_>) -> Vec<TargetConfig> {
        let raw = self.raw;
        if raw.targets.is_empty() {
            return self.short_form(checker).into_iter().collect();
        }
        if raw.provider.is_some() || raw.model.is_some() {
            let text = "targets replace provider and model; remove one or the other";
            checker.error(&self.path.key("targets"), text);
        }
        let targets = raw.targets.iter().enumerate();
        let found: Vec<_> = targets
            .filter_map(|(index, target)| self.target(checker, index, target))
            .collect();
        for (index, target) in found.iter().enumerate() {
            let earlier = found.get(..index).unwrap_or_default();
            if earlier.iter().any(|it| is_same_target(it, target)) {
                let path = self.path.key("targets").index(index);
                let text = "duplicate target; increase the weight of the first one instead";
                checker.error(&path, text);
            }
        }
        found
    }

    /// The built-in entry, unless the configuration sets another target.
    fn with_builtin_target(&self) -> Option<&ModelPreset> {
        let raw = self.raw;
        let is_builtin = raw.provider.is_none() && raw.model.is_none() && raw.targets.is_empty();
        self.builtin.filter(|_| is_builtin)
    }

    /// A built-in value applies to the built-in target only.
    fn with_builtin(&self, key: impl Fn(&raw::Model) -> Option<Count<1>>) -> Option<usize> {
        let builtin = || key(&self.with_builtin_target()?.settings);
        Some(key(self.raw).or_else(builtin)?.size())
    }

    fn display_name(&self, checker: &mut Checker<'_>) -> Option<String> {
        let text = self.raw.display_name.as_deref()?;
        if let Err(text) = name(text) {
            checker.error(&self.path.key("display_name"), text);
        }
        Some(text.to_owned())
    }

    /// Hedging requires a second target and a second attempt.
    fn hedge(&self, checker: &mut Checker<'_>, retry: Retry) -> Option<Hedge> {
        let path = self.path.key("hedge");
        let hedge = hedge::resolve(checker, &path, self.raw.hedge.as_ref()?)?;
        if self.raw.targets.len() < 2 && self.raw.fallbacks.is_empty() {
            checker.error(&path, "needs a second target; add targets or fallbacks");
        }
        if retry.attempts < 2 {
            checker.error(&path, "needs a second attempt, but retry.attempts is 1");
        }
        Some(hedge)
    }

    fn short_form(&self, checker: &mut Checker<'_>) -> Option<TargetConfig> {
        let provider = if self.raw.provider.is_some() {
            self.provider(checker, &self.path, self.raw.provider.as_deref())?
        } else {
            let builtin = self
                .builtin
                .and_then(|model| model.settings.provider.clone());
            if builtin.is_none() && !checker.is_pruned(&self.path) {
                let text = "provider is missing; name one, such as provider = \"openai\"";
                checker.error(&self.path, text);
            }
            builtin?
        };
        self.check_model(checker, &self.path, self.raw.model.as_deref());
        Some(TargetConfig {
            named_by_client: is_pattern(self.alias) && self.raw.model.is_none(),
            ..TargetConfig::new(provider, self.upstream_model())
        })
    }

    fn target(
        &self,
        checker: &mut Checker<'_>,
        index: usize,
        raw: &raw::Target,
    ) -> Option<TargetConfig> {
        let path = self.path.key("targets").index(index);
        let provider = self.provider(checker, &path, raw.provider.as_deref())?;
        self.check_model(checker, &path, raw.model.as_deref());
        Some(TargetConfig {
            provider,
            upstream_model: raw.model.as_deref().unwrap_or(self.alias).to_owned(),
            named_by_client: is_pattern(self.alias) && raw.model.is_none(),
            weight: raw.weight.map_or(1, Count::get),
            priority: raw.priority.map_or(0, Count::get),
        })
    }

    fn check_model(&self, checker: &mut Checker<'_>, path: &KeyPath, model: Option<&str>) {
        let path = path.key("model");
        match model.map(name) {
            Some(Err(text)) => checker.error(&path, text),
            Some(Ok(())) if is_pattern(self.alias) && model.is_some_and(|it| it.contains('*')) => {
                let text = "`*` is not replaced here; remove model to send the name that the client asked for, or name one model";
                checker.error(&path, text);
            }
            _ => {}
        }
    }

    fn provider(
        &self,
        checker: &mut Checker<'_>,
        path: &KeyPath,
        name: Option<&str>,
    ) -> Option<String> {
        let Some(name) = name else {
            if !checker.is_pruned(path) {
                checker.error(path, "provider is missing; each target names one");
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
        let text = format!("unknown provider {name:?}; {hint}");
        checker.error(&path.key("provider"), text);
        None
    }

    /// The provider's name for the model. An alias that is moved to another provider
    /// does not keep the built-in name.
    fn upstream_model(&self) -> String {
        let builtin = self.builtin.filter(|_| self.raw.provider.is_none());
        let text = self.raw.model.as_deref();
        let text = text.or_else(|| builtin?.settings.model.as_deref());
        text.unwrap_or(self.alias).to_owned()
    }
}

fn is_same_target(one: &TargetConfig, other: &TargetConfig) -> bool {
    one.provider == other.provider && one.upstream_model == other.upstream_model
}

/// Accepts names that clients can send and logs can show.
pub fn name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME_LENGTH || name.chars().any(char::is_control) {
        return Err(format!(
            "not a valid model name; use 1 to {MAX_NAME_LENGTH} bytes without control characters"
        ));
    }
    Ok(())
}
