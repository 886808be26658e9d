//! From what was written to what the program obeys: each value is read and
//! judged, and every fault is kept. A value that is at fault is replaced by a
//! stand-in that nobody will see, so that the checks can go on.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::error::{Faults, KeyPath, nearest};
use super::file::Files;
use super::layers::Layers;
use super::preset::Presets;
use super::{Config, Provider, raw};

mod access;
mod affinity;
mod base_url;
mod breaker;
mod credential;
mod discovery;
mod fallback;
mod headers;
mod health;
mod hedge;
mod listener;
mod model;
mod origin;
mod price;
mod provider;
mod provider_api;
mod quantity;
mod retry;
mod server;
#[cfg(test)]
mod tests;
mod timeouts;
mod tls;
mod traces;

/// What the checks read from, and where they put what they find.
pub struct Check<'a> {
    /// Says where a key stands.
    pub layers: &'a Layers<'a>,
    /// The variables that providers may name.
    pub environment: &'a Environment,
    /// The files that may be named.
    pub files: &'a Files<'a>,
    /// The keys that were taken out because of a fault.
    pub spoiled: Vec<KeyPath>,
    /// What is wrong.
    pub faults: Faults,
    /// What is accepted but should be mended.
    pub warnings: Vec<String>,
}

impl Check<'_> {
    /// Notes a fault in this key.
    pub fn fault(&mut self, path: &KeyPath, text: impl Into<String>) {
        self.faults
            .push(self.layers.place(path), path.clone(), text);
    }

    /// The value, or the stand-in and a fault.
    pub fn settle<T>(&mut self, path: &KeyPath, value: Result<T, String>, stand_in: T) -> T {
        value.unwrap_or_else(|text| {
            self.fault(path, text);
            stand_in
        })
    }

    /// True when something under this key was taken out, so that what seems
    /// to be missing there may only be misspelt.
    pub fn is_spoiled(&self, path: &KeyPath) -> bool {
        self.spoiled.iter().any(|spoiled| path.contains(spoiled))
    }
}

/// Checks the whole configuration.
pub fn config(check: &mut Check<'_>, raw: &raw::Config, presets: &Presets) -> Config {
    let server = server::settle(check, &raw.server);
    let admin = server::admin(check, &raw.admin, &server.listen);
    let cors = origin::settle(check, &raw.cors);
    let access = access::settle(check, raw);
    listener::guard(check, raw, &server.listen);
    let mut providers = provider::settle(check, raw, presets, &server.listen);
    price::settle(check, raw, presets, &mut providers);
    let (retry, retry_budget) = retry::settle(check, &raw.retry);
    let breaker = breaker::settle(check, &raw.breaker);
    let discovery = discovery::settle(check, &raw.discovery);
    let traces = traces::settle(check, &raw.traces);
    let models = model::settle(check, raw, presets, &providers, retry);
    let default_provider = default_provider(check, raw, &providers);
    Config {
        server,
        admin,
        cors,
        log: super::Log {
            level: raw.log.level,
            format: raw.log.format,
            access: raw.log.access,
        },
        traces,
        access,
        strict_models: raw.strict_models,
        default_provider,
        demo: raw.demo,
        retry,
        retry_budget,
        breaker,
        discovery,
        watch: raw.reload.watch,
        providers,
        models,
        warnings: std::mem::take(&mut check.warnings),
    }
}

/// The provider of calls that do not say where they go.
fn default_provider(
    check: &mut Check<'_>,
    raw: &raw::Config,
    providers: &BTreeMap<String, Provider>,
) -> Option<String> {
    let name = raw.default_provider.clone()?;
    let path = KeyPath::new(["default_provider"]);
    if !providers.contains_key(&name) {
        let hint = match nearest(&name, providers.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "write a [providers] table for it".into(),
        };
        check.fault(&path, format!("no provider is called {name:?}; {hint}"));
    }
    Some(name)
}
