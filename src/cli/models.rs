//! `trunkline models`: lists models.

use std::io::{self, Write};

use crate::catalog::{DEMO, needs_demo};
use crate::config::{Config, Discover, ModelConfig, ProviderConfig};

/// Writes one ready model per line; with `all`, also those that are not ready, with
/// the reason after a tab, and the providers whose own models are listed.
pub fn write(config: &Config, all: bool, out: &mut dyn Write) -> io::Result<()> {
    if needs_demo(config) {
        writeln!(out, "{DEMO}")?;
    }
    if !all {
        let mut names = ready_models(config).filter(|model| !model.is_pattern());
        return names.try_for_each(|model| writeln!(out, "{}", model.alias));
    }
    for model in config.models.values() {
        match model_unavailable_reason(config, model) {
            None if model.is_pattern() => {
                writeln!(out, "{}\tother names that match", model.alias)?;
            }
            None => writeln!(out, "{}", model.alias)?,
            Some(reason) => writeln!(out, "{}\t{reason}", model.alias)?,
        }
    }
    if let Some(name) = catch_all(config) {
        writeln!(out, "*\tany other name, at {name}, the default_provider")?;
    }
    discovering_providers(config)
        .try_for_each(|name| writeln!(out, "{name}/*\tthe models that {name} lists"))
}

/// The provider of models whose names nothing else matches.
pub fn catch_all(config: &Config) -> Option<&str> {
    let has_pattern = config.models.contains_key("*");
    let name = config.default_provider.as_deref();
    name.filter(|_| !config.strict_models && !has_pattern)
}

/// The providers whose own models are always listed. Which these are is known at
/// run time only.
pub fn discovering_providers(config: &Config) -> impl Iterator<Item = &str> {
    let discovers = |it: &&ProviderConfig| it.is_ready() && it.discover == Discover::Always;
    let providers = config.providers.values().filter(discovers);
    providers.map(|it| it.name.as_str())
}

/// The aliases that are ready.
pub fn ready_models(config: &Config) -> impl Iterator<Item = &ModelConfig> {
    let is_ready = |model: &&ModelConfig| model.is_ready(&config.models, &config.providers);
    config.models.values().filter(is_ready)
}

/// Why the alias is not ready, or none when it is. One ready target is enough; if
/// none is, the first one is reported.
fn model_unavailable_reason(config: &Config, model: &ModelConfig) -> Option<String> {
    if model.is_ready(&config.models, &config.providers) {
        return None;
    }
    let first = model.targets.first()?;
    config
        .providers
        .get(&first.provider)
        .and_then(unavailable_reason)
}

/// Why the provider is not ready, or none when it is.
pub fn unavailable_reason(provider: &ProviderConfig) -> Option<String> {
    match provider.missing() {
        Some(variable) => Some(format!("set {variable}")),
        None if provider.is_ready() => None,
        None => Some(format!("name it: [providers.{}]", provider.name)),
    }
}
