//! `[models.ALIAS]`, over the built-in aliases.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::config::fault::{KeyPath, nearest};
use crate::config::preset::Presets;
use crate::config::{Model, Provider, raw};

/// Most bytes in the name of a model.
const LONGEST: usize = 256;

/// Checks every alias, the built-in ones among them.
pub fn settle(
    check: &mut Check<'_>,
    raw: &raw::Config,
    presets: &Presets,
    providers: &BTreeMap<String, Provider>,
) -> BTreeMap<String, Model> {
    let known: BTreeSet<&str> = providers
        .keys()
        // A provider that is at fault still is what the alias names.
        .chain(raw.providers.keys())
        .chain(presets.providers.keys())
        .map(String::as_str)
        .collect();
    let mut models = BTreeMap::new();
    let aliases: BTreeSet<&String> = presets.models.keys().chain(raw.models.keys()).collect();
    for alias in aliases {
        let written = raw.models.get(alias);
        let builtin = presets.models.get(alias);
        let path = KeyPath::new(["models", alias]);
        if let Err(text) = name(alias) {
            check.fault(&path, text);
        }
        let Some(provider) = provider(check, &path, written, builtin, &known) else {
            continue;
        };
        let model = Model {
            alias: alias.clone(),
            provider,
            upstream_model: upstream_model(check, &path, written, builtin, alias),
            builtin: written.is_none(),
        };
        models.insert(alias.clone(), model);
    }
    models
}

fn provider(
    check: &mut Check<'_>,
    path: &KeyPath,
    written: Option<&raw::Model>,
    builtin: Option<&raw::Model>,
    known: &BTreeSet<&str>,
) -> Option<String> {
    let Some(name) = written.and_then(|model| model.provider.as_deref()) else {
        let provider = builtin.and_then(|model| model.provider.clone());
        if provider.is_none() && !check.is_spoiled(path) {
            check.fault(
                path,
                "provider is missing; name one, such as provider = \"openai\"",
            );
        }
        return provider;
    };
    if known.contains(name) {
        return Some(name.to_owned());
    }
    let hint = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "write a [providers] table for it, or name a built-in one".into(),
    };
    let text = format!("no provider is called {name:?}; {hint}");
    check.fault(&path.key("provider"), text);
    None
}

/// The provider's name for the model. An alias that is moved to another
/// provider does not keep the name that the built-in one had there.
fn upstream_model(
    check: &mut Check<'_>,
    path: &KeyPath,
    written: Option<&raw::Model>,
    builtin: Option<&raw::Model>,
    alias: &str,
) -> String {
    let builtin = builtin.filter(|_| written.is_none_or(|model| model.provider.is_none()));
    let text = written.and_then(|model| model.model.as_deref());
    if let Some(Err(text)) = text.map(name) {
        check.fault(&path.key("model"), text);
    }
    let text = text.or_else(|| builtin?.model.as_deref());
    text.unwrap_or(alias).to_owned()
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
