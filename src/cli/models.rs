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
        return ready_models(config).try_for_each(|model| writeln!(out, "{}", model.alias));
    }
    for model in config.models.values() {
        match model_unavailable_reason(config, model) {
            None => writeln!(out, "{}", model.alias)?,
            Some(reason) => writeln!(out, "{}\t{reason}", model.alias)?,
        }
    }
    discovering_providers(config)
        .try_for_each(|name| writeln!(out, "{name}/*\tthe models that {name} lists"))
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
