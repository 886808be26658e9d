//! Resolves the written configuration: parses text, applies built-in tables and
//! checks rules between keys. All errors are collected; an invalid value is
//! replaced by a fallback, which is never used, so that checks can continue.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors, KeyPath, Location, nearest};
use super::file::Files;
use super::in_force::ReadFiles;
use super::layers::Layers;
use super::preset::Presets;
use super::{AdminConfig, Config, LedgerConfig, ProviderConfig, Retry, raw};

mod access;
mod affinity;
mod base_url;
mod breaker;
mod certificates;
mod credential;
mod discovery;
mod fallback;
mod headers;
mod health;
mod hedge;
mod key_models;
mod key_text;
mod ledger;
mod limit;
mod listener;
mod log;
mod memory;
mod metrics;
mod model;
mod origin;
mod price;
mod provider;
mod provider_api;
pub mod reload;
mod roots;
mod server;
mod store;
mod store_url;
#[cfg(test)]
mod tests;
mod tls;
mod traces;

pub use base_url::{is_public_cleartext, parse as parse_base_url, points_to_listener};
pub use headers::RESERVED as RESERVED_HEADERS;
pub use model::name as check_model_name;

pub use provider::name as check_name;

/// Inputs of the checks, and what they report.
pub struct Checker<'a> {
    pub layers: &'a Layers<'a>,
    /// For the variables that providers name.
    pub environment: &'a Environment,
    pub files: &'a Files<'a>,
    /// The container's, in bytes.
    pub memory_limit: Option<u64>,
    /// How many file descriptors the process may open.
    pub descriptor_limit: Option<u64>,
    /// Keys that the validator removed.
    pub pruned: Vec<KeyPath>,
    pub errors: ConfigErrors,
    /// Accepted, but should be corrected.
    pub warnings: Vec<String>,
}

impl Checker<'_> {
    pub fn error(&mut self, path: &KeyPath, text: impl Into<String>) {
        self.errors
            .push(self.layers.location(path), path.clone(), text);
    }

    /// Reports what is accepted, but should be corrected.
    pub fn warn(&mut self, location: Location, path: &KeyPath, text: impl Into<String>) {
        let warning = ConfigError {
            location,
            key: path.clone(),
            message: text.into(),
        };
        self.warnings.push(warning.to_string());
    }

    /// The value, or the fallback after an error.
    pub fn or_fallback<T>(&mut self, path: &KeyPath, value: Result<T, String>, fallback: T) -> T {
        value.unwrap_or_else(|text| {
            self.error(path, text);
            fallback
        })
    }

    /// True when something under this key was removed, so that what seems to be
    /// missing may be misspelt.
    pub fn is_pruned(&self, path: &KeyPath) -> bool {
        self.pruned.iter().any(|pruned| path.contains(pruned))
    }
}

pub fn config(checker: &mut Checker<'_>, raw: &raw::Config, presets: &Presets) -> Config {
    let server = server::resolve(checker, &raw.server);
    memory::check(checker, &server);
    let admin = server::admin(checker, &raw.admin, &server.listen);
    roots::check(checker);
    let cors = origin::resolve(checker, &raw.cors);
    let access = access::resolve(checker, raw);
    listener::require_access_control(checker, raw, &server.listen);
    let mut providers = provider::resolve(checker, raw, presets, &server.listen);
    price::resolve(checker, raw, presets, &mut providers);
    let retry = Retry::from(&raw.retry);
    let breaker = breaker::resolve(checker, &raw.breaker);
    let discovery = discovery::resolve(checker, &raw.discovery);
    let traces = traces::resolve(checker, &raw.traces);
    let metrics = metrics::resolve(checker, &raw.metrics, traces.as_ref());
    let session_headers = log::session_headers(checker, &raw.log);
    let models = model::resolve(checker, raw, presets, &providers, retry);
    let default_provider = default_provider(checker, raw, &providers);
    let mut config = Config {
        server,
        admin,
        cors,
        log: raw.log.clone(),
        session_headers,
        traces,
        metrics,
        access,
        strict_models: raw.strict_models,
        default_provider,
        demo: raw.demo,
        retry,
        retry_budget: raw.retry.budget.get(),
        breaker,
        discovery,
        watch: raw.reload.watch,
        providers,
        models,
        limits: Vec::new(),
        ledger: ledger::resolve(checker, &raw.ledger),
        store: store::resolve(checker, &raw.store),
        orchestrator: orchestrator(checker.environment),
        files: ReadFiles::default(),
        warnings: Vec::new(),
    };
    key_models::check(checker, raw, &config);
    config.limits = limit::resolve(checker, raw, &config);
    config.warnings = std::mem::take(&mut checker.warnings);
    config
}

/// Each sets such a variable in every process that it starts.
fn orchestrator(environment: &Environment) -> Option<&'static str> {
    let known = [
        ("KUBERNETES_SERVICE_HOST", "Kubernetes"),
        ("NOMAD_ALLOC_ID", "Nomad"),
        ("ECS_CONTAINER_METADATA_URI_V4", "ECS"),
    ];
    let found = known.into_iter().find(|(name, _)| environment.has(name));
    found.map(|(_, name)| name)
}

/// The admin listener alone.
pub fn admin(checker: &mut Checker<'_>, raw: &raw::Config) -> AdminConfig {
    server::admin(checker, &raw.admin, &server::placeholder_address())
}

/// The ledger alone.
pub fn ledger(checker: &mut Checker<'_>, raw: &raw::Config) -> Option<LedgerConfig> {
    ledger::resolve(checker, &raw.ledger)
}

fn default_provider(
    checker: &mut Checker<'_>,
    raw: &raw::Config,
    providers: &BTreeMap<String, ProviderConfig>,
) -> Option<String> {
    let name = raw.default_provider.clone()?;
    let path = KeyPath::new(["default_provider"]);
    if !providers.contains_key(&name) {
        let hint = match nearest(&name, providers.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "write a [providers] table for it".into(),
        };
        checker.error(&path, format!("unknown provider {name:?}; {hint}"));
    }
    Some(name)
}
