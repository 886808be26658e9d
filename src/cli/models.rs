//! `trunkline models`: the models that can be called.

use std::io::{self, Write};

use crate::catalog::{DEMO, wants_demo};
use crate::config::{Config, Discover, Model, Provider};

/// Writes one ready model on each line; with `all`, also those that are left
/// out, with the reason behind a tab, and the providers that are asked for theirs.
pub fn write(config: &Config, all: bool, out: &mut dyn Write) -> io::Result<()> {
    if wants_demo(config) {
        writeln!(out, "{DEMO}")?;
    }
    if !all {
        return ready(config).try_for_each(|model| writeln!(out, "{}", model.alias));
    }
    for model in config.models.values() {
        match why_left_out(config, model) {
            None => writeln!(out, "{}", model.alias)?,
            Some(reason) => writeln!(out, "{}\t{reason}", model.alias)?,
        }
    }
    discovered(config).try_for_each(|name| writeln!(out, "{name}/*\tas {name} lists them"))
}

/// The providers whose own models are always told of. Which these are, only the
/// provider knows.
pub fn discovered(config: &Config) -> impl Iterator<Item = &str> {
    let told = |it: &&Provider| it.is_ready() && it.discover == Discover::Always;
    let providers = config.providers.values().filter(told);
    providers.map(|it| it.name.as_str())
}

/// The aliases that have a provider that is ready.
pub fn ready(config: &Config) -> impl Iterator<Item = &Model> {
    let is_ready = |model: &&Model| model.is_ready(&config.models, &config.providers);
    config.models.values().filter(is_ready)
}

/// Why the alias cannot be called, or none when it can. Any of its targets will
/// do; the first is the one to speak of.
fn why_left_out(config: &Config, model: &Model) -> Option<String> {
    if model.is_ready(&config.models, &config.providers) {
        return None;
    }
    let first = model.targets.first()?;
    config.providers.get(&first.provider).and_then(left_out)
}

/// Why no model of this provider can be called, or none when they can.
pub fn left_out(provider: &Provider) -> Option<String> {
    match provider.missing() {
        Some(variable) => Some(format!("set {variable}")),
        None if provider.is_ready() => None,
        None => Some(format!("name it: [providers.{}]", provider.name)),
    }
}
