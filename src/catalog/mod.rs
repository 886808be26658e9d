//! What may be called: aliases and providers, and why one is left out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;

use crate::config::{
    self, Config, Demo, Discover, Manner, OwnTimeouts, PriceList, Speaks, StreamUsage, Timeouts,
};

mod cost;
mod fingerprint;
mod model;
mod slot;
mod suggest;
mod target;
#[cfg(test)]
pub(crate) mod tests;

pub use cost::Cost;
pub use fingerprint::fingerprint;
pub use model::Model;
pub use slot::{Slot, Spot};
pub use target::{Target, Unready};

use target::{Slots, in_header};

/// Alias and provider name of the built-in demo model.
pub const DEMO: &str = "demo";

/// Every model and provider of one snapshot.
#[derive(Debug)]
pub struct Catalog {
    models: HashMap<Box<str>, Model>,
    by_name: HashMap<Box<str>, Arc<Provider>>,
    /// How many [`Model::id`]s there are.
    model_count: usize,
    slot_count: usize,
    row_count: usize,
    strict: bool,
    /// Where calls go that name neither a model nor anything else that tells.
    default_provider: Option<Arc<Provider>>,
    /// Whether there is more than one place where an object can live.
    has_choice: bool,
    /// What `provider/…` stands for, by [`Provider::id`].
    any_models: Box<[Model]>,
}

/// A provider as the catalog knows it.
#[derive(Debug)]
pub struct Provider {
    /// Dense number, for tables with a row per provider.
    pub id: usize,
    /// Name, as in `[providers.NAME]`.
    pub name: Box<str>,
    /// The name as a header carries it, where it can.
    pub name_header: Option<HeaderValue>,
    /// Whether usage is asked for in streams.
    pub stream_usage: StreamUsage,
    /// How it wants to be spoken to.
    pub manner: Manner,
    /// Whether it takes requests as they come, but for the model's name.
    pub is_plain: bool,
    /// Limits in time on an attempt.
    timeouts: Timeouts,
    /// The credentials that open it, each by a number that is the same in every
    /// process; one where it asks for none.
    credentials: Box<[u64]>,
    /// [`Target::key`] of the first of them.
    first_key: usize,
    /// What the tokens of its models cost.
    prices: PriceList,
    ready: bool,
    missing: Option<Box<str>>,
    /// When the models that it lists itself are told of.
    pub discover: Discover,
    /// [`Model::id`] of `name/*`.
    pub any_model: usize,
}

/// What a name was found to be. Borrowed where it can be: a counted reference
/// would be counted by all workers in one place.
#[derive(Debug, Clone)]
pub struct Resolved<'c> {
    /// The alias's entry, or the entry of `provider/*`.
    pub model: &'c Model,
    /// Where it goes, in order of preference; never empty.
    pub targets: Cow<'c, [Target]>,
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// No such name, or not for this caller; the nearest names that are.
    Unknown {
        /// At most three names that the caller may use.
        nearest: Vec<String>,
    },
    /// Known, but its provider lacks this variable.
    NotConfigured {
        /// The alias.
        alias: String,
        /// What to set.
        variable: String,
    },
}

impl Catalog {
    /// Builds the catalog of one configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let model_count = config.models.len() + config.providers.len();
        let (by_name, keys) = providers(config);
        let mut slots = Slots::after(keys);
        let mut row_count = model_count;
        let models = config.models.values().enumerate();
        let models = models
            .filter_map(|(id, model)| {
                let (mut targets, unready) =
                    target::plan(model, &config.models, &by_name, &mut slots);
                target::number_rows(&mut targets, id, &mut row_count);
                let entry = Model::new(id, model, targets, unready, &by_name)?;
                Some((entry.label.clone(), entry))
            })
            .collect();
        let mut ready = by_name.values().filter(|it| it.ready && &*it.name != DEMO);
        let (first, second) = (ready.next(), ready.next());
        let default_provider = match &config.default_provider {
            Some(name) => by_name.get(name.as_str()),
            // The only one is not chosen.
            None => first.filter(|_| second.is_none()),
        };
        let mut any_models: Vec<_> = by_name.values().map(|it| Model::any(it, config)).collect();
        any_models.sort_unstable_by_key(|model| model.id);
        Self {
            default_provider: default_provider.cloned(),
            has_choice: second.is_some() || first.is_some_and(|it| it.credentials.len() > 1),
            models,
            any_models: any_models.into(),
            slot_count: slots.count(),
            row_count,
            model_count,
            by_name,
            strict: config.strict_models,
        }
    }

    /// Finds what `name` stands for, for a caller who may use the names that
    /// `visible` lets through. An alias goes before `provider/model`.
    pub fn resolve(
        &self,
        name: &str,
        visible: impl Fn(&str) -> bool,
    ) -> Result<Resolved<'_>, Unresolved> {
        if !visible(name) {
            return Err(self.unknown(name, visible));
        }
        if let Some(model) = self.models.get(name) {
            return model.resolved();
        }
        match self.by_provider(name) {
            Some(resolved) => Ok(resolved),
            None => Err(self.unknown(name, visible)),
        }
    }

    /// Finds what `name` stands for at this provider: an alias that leads there,
    /// else the provider's own name for a model.
    pub fn resolve_at(
        &self,
        provider: &Provider,
        name: &str,
        visible: impl Fn(&str) -> bool,
    ) -> Result<Resolved<'_>, Unresolved> {
        let alias = self.models.get(name).filter(|_| visible(name));
        if let Some(mut resolved) = alias.and_then(|model| model.resolved().ok())
            && resolved.narrow(|target| target.provider.id == provider.id)
        {
            return Ok(resolved);
        }
        let prefix = format!("{}/", provider.name);
        if name.starts_with(&prefix) {
            return self.resolve(name, visible);
        }
        self.resolve(&(prefix + name), visible)
    }

    /// A call that goes to this provider and names no model; none while it is
    /// not ready. It takes the credential of this identity, else the first one,
    /// so that what one call makes is there for the next.
    #[must_use]
    pub fn at(&self, provider: &Arc<Provider>, credential: Option<u64>) -> Option<Resolved<'_>> {
        let mut resolved = self.any_of(provider, "")?;
        resolved.narrow(|target| provider.credential_identity(target.credential) == credential);
        resolved.narrow(|target| target.credential == 0);
        for target in resolved.targets.to_mut() {
            target.model_header = None;
            target.price = None;
        }
        Some(resolved)
    }

    /// The provider of this name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.by_name.get(name)
    }

    /// Where calls go that do not say where.
    #[must_use]
    pub fn default_provider(&self) -> Option<&Arc<Provider>> {
        self.default_provider.as_ref()
    }

    /// Whether there is more than one place where an object can live.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.has_choice
    }

    /// Aliases that can be called now, sorted by name.
    #[must_use]
    pub fn ready(&self) -> Vec<&Model> {
        self.sorted(Model::is_ready)
    }

    /// True when a model of its own has this name, ready or not.
    #[must_use]
    pub fn is_alias(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// True when models are told of that a provider lists itself, whether they
    /// are asked for or not.
    #[must_use]
    pub fn discovers(&self) -> bool {
        let mut providers = self.by_name.values();
        providers.any(|it| it.ready && it.discover == Discover::Always)
    }

    /// All aliases, sorted by name.
    #[must_use]
    pub fn models(&self) -> Vec<&Model> {
        self.sorted(|_| true)
    }

    /// All providers, sorted by name.
    #[must_use]
    pub fn providers(&self) -> Vec<&Arc<Provider>> {
        let mut providers: Vec<_> = self.by_name.values().collect();
        providers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        providers
    }

    /// How many [`Model::id`]s there are, `provider/*` entries included.
    #[must_use]
    pub fn model_count(&self) -> usize {
        self.model_count
    }

    /// How many [`Target::row`]s there are; the first are the [`Model::id`]s.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// How many [`Target::slot`]s there are.
    #[must_use]
    pub fn slot_count(&self) -> usize {
        self.slot_count
    }

    fn sorted(&self, keep: impl Fn(&Model) -> bool) -> Vec<&Model> {
        let mut models: Vec<_> = self.models.values().filter(|model| keep(model)).collect();
        models.sort_unstable_by(|one, other| one.label.cmp(&other.label));
        models
    }

    fn by_provider(&self, name: &str) -> Option<Resolved<'_>> {
        let (provider, upstream_model) = name.split_once('/')?;
        if self.strict || upstream_model.is_empty() {
            return None;
        }
        self.any_of(self.by_name.get(provider)?, upstream_model)
    }

    fn any_of(&self, provider: &Arc<Provider>, upstream_model: &str) -> Option<Resolved<'_>> {
        if !provider.ready {
            return None;
        }
        let timeouts = OwnTimeouts::default();
        let targets = target::all(provider, upstream_model, &timeouts).collect();
        Some(Resolved {
            model: self.any_models.get(provider.id)?,
            targets: Cow::Owned(targets),
        })
    }

    fn unknown(&self, name: &str, visible: impl Fn(&str) -> bool) -> Unresolved {
        let ready = self.ready();
        let names = ready
            .iter()
            .map(|model| &*model.label)
            .filter(|name| visible(name));
        Unresolved::Unknown {
            nearest: suggest::names(name, names),
        }
    }
}

/// The providers by name, and how many [`Target::key`]s they take up.
fn providers(config: &Config) -> (HashMap<Box<str>, Arc<Provider>>, usize) {
    let mut keys = 0;
    let providers = config.providers.values().enumerate();
    let by_name = providers
        .map(|(id, provider)| {
            let credentials = fingerprint::of_credentials(provider);
            let first_key = keys;
            // One for the credential, one for all that no alias names.
            keys += 2 * credentials.len();
            let entry = Provider {
                id,
                name: provider.name.as_str().into(),
                name_header: in_header(&provider.name),
                stream_usage: provider.stream_usage,
                is_plain: provider.manner.dialect == Speaks::Openai
                    && provider.manner.api_version.is_none(),
                manner: provider.manner.clone(),
                timeouts: provider.timeouts,
                credentials,
                first_key,
                prices: provider.prices.clone(),
                ready: provider.is_ready(),
                missing: provider.missing().map(Into::into),
                discover: provider.discover,
                any_model: config.models.len() + id,
            };
            (entry.name.clone(), Arc::new(entry))
        })
        .collect();
    (by_name, keys)
}

impl Resolved<'_> {
    /// Keeps the targets that `wanted` lets through, or all where it lets none
    /// through; true when it does.
    pub fn narrow(&mut self, wanted: impl Fn(&Target) -> bool) -> bool {
        let any = self.targets.iter().any(&wanted);
        if any && !self.targets.iter().all(&wanted) {
            let kept = self.targets.iter().filter(|it| wanted(it)).cloned();
            self.targets = Cow::Owned(kept.collect());
        }
        any
    }
}

impl Provider {
    /// What a credential is known by, in every process and generation the same.
    #[must_use]
    pub fn credential_identity(&self, credential: usize) -> Option<u64> {
        self.credentials.get(credential).copied()
    }

    /// The environment variable (or table of the config) whose lack keeps it
    /// from being ready; none when it is.
    #[must_use]
    pub fn why_not_ready(&self) -> Option<Box<str>> {
        if self.ready {
            return None;
        }
        let table = || format!("[providers.{}] in the config", self.name).into();
        Some(self.missing.clone().unwrap_or_else(table))
    }
}

/// True when the demo model belongs into the catalog: it is asked for, or
/// nothing else would answer.
#[must_use]
pub fn wants_demo(config: &Config) -> bool {
    let is_ready = |name: &str| {
        config
            .providers
            .get(name)
            .is_some_and(config::Provider::is_ready)
    };
    match config.demo {
        Demo::On => true,
        Demo::Off => false,
        Demo::Auto => {
            let any_alias = config
                .models
                .values()
                .any(|model| model.is_ready(&config.models, &config.providers));
            let any_provider = config.providers.keys().any(|name| is_ready(name));
            !any_alias && (config.strict_models || !any_provider)
        }
    }
}
