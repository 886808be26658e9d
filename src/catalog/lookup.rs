//! Lookup of models and providers by name.

use std::collections::HashMap;
use std::sync::Arc;

use super::pattern::{self, Patterns};
use super::target::{self, StateIndices};
use super::{DEMO, Model, Provider, Resolved, Target, Unresolved, provider, suggest};
use crate::config::{Config, Discover, TimeoutOverrides};

/// All models and providers of one snapshot.
#[derive(Debug)]
pub struct Catalog {
    models: HashMap<Box<str>, Model>,
    patterns: Patterns,
    pub(super) providers_by_name: HashMap<Box<str>, Arc<Provider>>,
    model_count: usize,
    state_count: usize,
    metric_row_count: usize,
    strict: bool,
    /// Whether everyone may know which settings are missing.
    is_open: bool,
    /// For requests that name neither a model nor a known object.
    default_provider: Option<Arc<Provider>>,
    /// For models of unknown names.
    catch_all: Option<Arc<Provider>>,
    has_several_object_locations: bool,
    /// The entries of `provider/*`, by [`Provider::id`].
    wildcard_models: Box<[Model]>,
}

impl Catalog {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let model_count = config.models.len() + config.providers.len();
        let (by_name, credential_states) = provider::build(config);
        let mut state_indices = StateIndices::starting_at(credential_states);
        let mut metric_row_count = model_count;
        let models = config.models.values().enumerate();
        let models = models.filter_map(|(id, model)| {
            let (mut targets, unavailable) =
                target::resolve_targets(model, &config.models, &by_name, &mut state_indices);
            target::assign_metric_rows(&mut targets, id, &mut metric_row_count);
            let entry = Model::new(id, model, targets, unavailable, &by_name)?;
            Some((model.is_pattern(), entry))
        });
        let (patterns, models): (Vec<_>, Vec<_>) = models.partition(|(is_pattern, _)| *is_pattern);
        let models = models.into_iter().map(|(_, it)| (it.label.clone(), it));
        let patterns = patterns.into_iter().map(|(_, model)| model);
        let mut ready = by_name.values().filter(|it| it.ready && &*it.name != DEMO);
        let (first, second) = (ready.next(), ready.next());
        let default_provider = match &config.default_provider {
            Some(name) => by_name.get(name.as_str()),
            // The only provider that is ready needs no setting.
            None => first.filter(|_| second.is_none()),
        };
        let wildcard_models = by_name.values().map(|it| Model::wildcard(it, config));
        let mut wildcard_models: Vec<_> = wildcard_models.collect();
        wildcard_models.sort_unstable_by_key(|model| model.id);
        let configured = || by_name.get(config.default_provider.as_deref()?);
        let catch_all = configured().filter(|_| !config.strict_models);
        Self {
            catch_all: catch_all.cloned(),
            default_provider: default_provider.cloned(),
            has_several_object_locations: second.is_some()
                || first.is_some_and(|it| it.credentials.len() > 1),
            models: models.collect(),
            patterns: Patterns::new(patterns.collect()),
            wildcard_models: wildcard_models.into(),
            state_count: state_indices.count(),
            metric_row_count,
            model_count,
            providers_by_name: by_name,
            strict: config.strict_models,
            is_open: config.access.is_open(),
        }
    }

    /// Resolves an alias, else `provider/model`, else a pattern of aliases, else a model
    /// of the default provider, if it is configured, for a client that may use the names
    /// that are `visible`.
    ///
    /// What only the built-in table names comes behind the patterns that are about some
    /// names, and last while its provider is not ready.
    pub fn resolve(
        &self,
        name: &str,
        visible: impl Fn(&str) -> bool,
    ) -> Result<Resolved<'_>, Unresolved> {
        let is_visible = visible(name);
        if is_visible && let Some(found) = self.find(name, &visible) {
            return found;
        }
        if let Some(provider) = &self.catch_all
            && (is_visible || visible(&format!("{}/{name}", provider.name)))
        {
            let found = self.wildcard(provider, name);
            return found.ok_or_else(|| self.unready(provider, name, visible));
        }
        if !is_visible {
            return Err(self.unknown(name, visible));
        }
        if let Some(model) = self.models.get(name) {
            return model.resolved();
        }
        Err(match self.split_provider(name) {
            Some((provider, _)) => self.unready(provider, name, visible),
            None => self.unknown(name, visible),
        })
    }

    /// What the configuration has under this name.
    fn find(
        &self,
        name: &str,
        visible: impl Fn(&str) -> bool,
    ) -> Option<Result<Resolved<'_>, Unresolved>> {
        let (builtin, configured) = match self.models.get(name) {
            Some(model) if model.builtin => (Some(model), None),
            model => (None, model),
        };
        if let Some(model) = configured {
            return Some(model.resolved());
        }
        if let Some(model) = self.patterns.find(name, true) {
            return Some(model.resolved_as(name));
        }
        if let Some((provider, model)) = self.split_provider(name)
            && (provider.ready || provider.configured)
        {
            let found = self.wildcard(provider, model);
            return Some(found.ok_or_else(|| self.unready(provider, name, visible)));
        }
        let pattern = self.patterns.find(name, false);
        let specific = pattern.filter(|pattern| !pattern::matches_all(&pattern.label));
        if let Some(pattern) = specific {
            return Some(pattern.resolved_as(name));
        }
        if let Some(model) = builtin.filter(|model| model.is_ready()) {
            return Some(model.resolved());
        }
        Some(pattern?.resolved_as(name))
    }

    /// Resolves an alias with a target at this provider, else the provider's own
    /// name of a model.
    pub fn resolve_at(
        &self,
        provider: &Arc<Provider>,
        name: &str,
        visible: impl Fn(&str) -> bool,
    ) -> Result<Resolved<'_>, Unresolved> {
        let alias = self.models.get(name).filter(|_| visible(name));
        if let Some(mut resolved) = alias.and_then(|model| model.resolved().ok())
            && resolved.retain_if_any(|target| target.provider.id == provider.id)
        {
            return Ok(resolved);
        }
        let prefix = format!("{}/", provider.name);
        let own_name = name.strip_prefix(&prefix).filter(|name| !name.is_empty());
        let own_name = own_name.unwrap_or(name);
        let full_name = prefix + own_name;
        if self.strict || own_name.is_empty() || !visible(&full_name) {
            return Err(self.unknown(&full_name, visible));
        }
        let found = self.wildcard(provider, own_name);
        found.ok_or_else(|| self.unready(provider, &full_name, visible))
    }

    /// The target of a request that names no model; `None` while the provider is
    /// not ready. It has the credential with this identity, else the first one, so
    /// that a later request finds the objects that this one creates.
    #[must_use]
    pub fn at_provider(
        &self,
        provider: &Arc<Provider>,
        credential: Option<u64>,
    ) -> Option<Resolved<'_>> {
        let mut resolved = self.wildcard(provider, "")?;
        resolved
            .retain_if_any(|target| provider.credential_identity(target.credential) == credential);
        resolved.retain_if_any(|target| target.credential == 0);
        for target in resolved.targets.to_mut() {
            target.model_header = None;
            target.price = None;
        }
        Some(resolved)
    }

    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers_by_name.get(name)
    }

    /// For requests that name neither a model nor a known object.
    #[must_use]
    pub fn default_provider(&self) -> Option<&Arc<Provider>> {
        self.default_provider.as_ref()
    }

    /// Whether objects can be at more than one provider or credential.
    #[must_use]
    pub fn has_several_object_locations(&self) -> bool {
        self.has_several_object_locations
    }

    /// Aliases with a target, sorted by name; without patterns, since these name no model.
    #[must_use]
    pub fn ready_models(&self) -> Vec<&Model> {
        sorted(self.models.values().filter(|model| model.is_ready()))
    }

    /// Whether the name is an alias, ready or not.
    #[must_use]
    pub fn is_alias(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// Whether the list of models always includes a provider's own list.
    #[must_use]
    pub fn always_discovers(&self) -> bool {
        let mut providers = self.providers_by_name.values();
        providers.any(|it| it.ready && it.discover == Discover::Always)
    }

    /// All aliases and patterns, sorted by name.
    #[must_use]
    pub fn models(&self) -> Vec<&Model> {
        sorted(self.all_models())
    }

    pub(super) fn all_models(&self) -> impl Iterator<Item = &Model> {
        self.models.values().chain(self.patterns.models())
    }

    /// All providers, sorted by name.
    #[must_use]
    pub fn providers(&self) -> Vec<&Arc<Provider>> {
        let mut providers: Vec<_> = self.providers_by_name.values().collect();
        providers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        providers
    }

    /// Number of [`Model::id`]s, with those of `provider/*`.
    #[must_use]
    pub fn model_count(&self) -> usize {
        self.model_count
    }

    /// Number of [`super::Target::metric_row`]s; the first are the [`Model::id`]s.
    #[must_use]
    pub fn metric_row_count(&self) -> usize {
        self.metric_row_count
    }

    /// The label of each model that can be called, with the name of each of its providers.
    pub fn metric_rows(&self) -> impl Iterator<Item = (&str, &str)> {
        let models = self.all_models().flat_map(|model| {
            let mut targets = model.targets.iter().collect::<Vec<_>>();
            targets.sort_unstable_by_key(|target| target.metric_row);
            targets.dedup_by_key(|target| target.metric_row);
            let providers = targets.into_iter().map(|target| &*target.provider.name);
            providers.map(|provider| (&*model.label, provider))
        });
        let usable = |model: &&Model| model.provider.ready && !self.strict;
        let wildcards = self.wildcard_models.iter().filter(usable);
        models.chain(wildcards.map(|model| (&*model.label, &*model.provider.name)))
    }

    /// The label of each alias without a target, with the name of its provider.
    pub fn unready_rows(&self) -> impl Iterator<Item = (&str, &str)> {
        let models = self.all_models().filter(|model| !model.is_ready());
        models.map(|model| (&*model.label, &*model.provider.name))
    }

    /// The alias, or the entry of `provider/*`, that lacks a setting.
    #[must_use]
    pub fn not_configured(&self, unresolved: &Unresolved) -> Option<&Model> {
        match unresolved {
            Unresolved::Unknown { .. } => None,
            Unresolved::NotConfigured { alias, .. } => {
                let model = self.models.get(alias.as_str());
                model.or_else(|| self.patterns.get(alias))
            }
            Unresolved::ProviderNotConfigured { provider, .. } => {
                self.wildcard_models.get(self.provider(provider)?.id)
            }
        }
    }

    /// Number of [`super::Target::state_index`]es.
    #[must_use]
    pub fn state_count(&self) -> usize {
        self.state_count
    }

    /// The parts of `provider/model`.
    fn split_provider<'n>(&self, name: &'n str) -> Option<(&Arc<Provider>, &'n str)> {
        let (provider, upstream_model) = name.split_once('/')?;
        if self.strict || upstream_model.is_empty() {
            return None;
        }
        Some((self.provider(provider)?, upstream_model))
    }

    fn unready(
        &self,
        provider: &Provider,
        name: &str,
        visible: impl Fn(&str) -> bool,
    ) -> Unresolved {
        let missing = self.missing_setting(provider);
        missing.unwrap_or_else(|| self.unknown(name, visible))
    }

    /// Why a provider cannot be called, if that is for want of a setting and clients may
    /// know it: that of the default provider is of use to all of them.
    #[must_use]
    pub fn missing_setting(&self, provider: &Provider) -> Option<Unresolved> {
        let is_default = self
            .default_provider()
            .is_some_and(|it| it.id == provider.id);
        if !self.is_open && !is_default {
            return None;
        }
        Some(Unresolved::ProviderNotConfigured {
            provider: provider.name.to_string(),
            variable: provider.missing_setting()?.into(),
        })
    }

    fn wildcard(&self, provider: &Arc<Provider>, upstream_model: &str) -> Option<Resolved<'_>> {
        if !provider.ready {
            return None;
        }
        let timeouts = TimeoutOverrides::default();
        let targets = target::per_credential(provider, upstream_model, &timeouts);
        let targets = targets.map(|target| Target {
            named_by_client: true,
            ..target
        });
        Some(Resolved {
            model: self.wildcard_models.get(provider.id)?,
            targets: targets.collect(),
        })
    }

    fn unknown(&self, name: &str, visible: impl Fn(&str) -> bool) -> Unresolved {
        let ready = self.ready_models();
        let names = ready
            .iter()
            .map(|model| &*model.label)
            .filter(|name| visible(name));
        Unresolved::Unknown {
            nearest: suggest::similar_names(name, names),
        }
    }
}

fn sorted<'m>(models: impl Iterator<Item = &'m Model>) -> Vec<&'m Model> {
    let mut models: Vec<_> = models.collect();
    models.sort_unstable_by(|one, other| one.label.cmp(&other.label));
    models
}
