//! An alias, or the wildcard of a provider.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::target::{Target, UnavailableTarget};
use super::{Provider, Resolved, Unresolved};
use crate::config::{self, Affinity, Balance, Config, Hedge, Retry, TokenCounting};

/// An alias, a pattern of aliases, or `provider/*`.
#[derive(Debug, Clone)]
#[allow(
    clippy::struct_field_names,
    reason = "the upstream's model, unlike the label"
)]
pub struct Model {
    /// Index into tables with a row per model.
    pub id: usize,
    /// Name for clients, logs and metrics: the alias, its pattern, or `provider/*`.
    pub label: Box<str>,
    /// The provider of its first target, for `owned_by` and metrics.
    pub provider: Arc<Provider>,
    /// The provider's name of it; empty where it comes from the client.
    pub upstream_model: Box<str>,
    /// Its own targets, then those of its fallbacks; empty while none is ready.
    pub targets: Box<[Target]>,
    /// Targets whose provider is not ready.
    pub unavailable: Box<[UnavailableTarget]>,
    /// Context window in tokens, input and output together, if configured or built in.
    pub context: Option<usize>,
    /// Maximum tokens of a completion, if configured or built in.
    pub max_output: Option<usize>,
    /// Name for people.
    pub display_name: Option<Box<str>>,
    /// How the targets of one step share the requests.
    pub balance: Balance,
    pub affinity: Option<Affinity>,
    pub retry: Retry,
    pub hedge: Option<Hedge>,
    /// Whether tokens are estimated where no provider counts them.
    pub estimates_tokens: bool,
    /// True when it comes from the built-in table.
    pub builtin: bool,
    /// The environment variable, file or table without which it is not ready.
    pub missing: Option<Box<str>>,
}

impl Model {
    pub(super) fn new(
        id: usize,
        model: &config::ModelConfig,
        targets: Vec<Target>,
        unavailable: Vec<UnavailableTarget>,
        providers: &HashMap<Box<str>, Arc<Provider>>,
    ) -> Option<Self> {
        // The first ready target, else the first configured one.
        let configured = model.targets.first()?;
        let (provider, upstream_model) = if let Some(target) = targets.first() {
            (Arc::clone(&target.provider), target.configured_model())
        } else {
            let provider = providers.get(configured.provider.as_str())?;
            let name = Some(configured.upstream_model.as_str());
            let name = name.filter(|_| !configured.named_by_client);
            (Arc::clone(provider), name.unwrap_or_default().into())
        };
        Some(Self {
            id,
            label: model.alias.as_str().into(),
            upstream_model,
            targets: targets.into(),
            unavailable: unavailable.into(),
            context: model.context,
            max_output: model.max_output,
            display_name: model.display_name.as_deref().map(Into::into),
            builtin: model.builtin,
            balance: model.balance,
            affinity: model.affinity.clone(),
            retry: model.retry,
            hedge: model.hedge,
            estimates_tokens: model.count_tokens == TokenCounting::Estimate,
            missing: provider.missing_setting(),
            provider,
        })
    }

    /// The entry of `provider/*`.
    pub(super) fn wildcard(provider: &Arc<Provider>, config: &Config) -> Self {
        Self {
            id: provider.wildcard_model,
            label: format!("{}/*", provider.name).into(),
            provider: Arc::clone(provider),
            upstream_model: Box::default(),
            targets: Box::default(),
            unavailable: Box::default(),
            retry: config.retry,
            hedge: None,
            estimates_tokens: false,
            context: None,
            max_output: None,
            display_name: None,
            builtin: false,
            balance: Balance::default(),
            affinity: None,
            missing: None,
        }
    }

    /// Its id, if this is its name: one of a pattern, or of a provider's own models, has none.
    #[must_use]
    #[inline]
    pub fn id_of(&self, name: &str) -> Option<usize> {
        (*self.label == *name).then_some(self.id)
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.targets.is_empty()
    }

    /// For a name that matches the pattern.
    pub(super) fn resolved_as(&self, name: &str) -> Result<Resolved<'_>, Unresolved> {
        let mut resolved = self.resolved()?;
        if self.targets.iter().any(|target| target.named_by_client) {
            let named = self.targets.iter().map(|target| match target {
                Target {
                    named_by_client: true,
                    ..
                } => target.clone().with_model(name),
                _ => target.clone(),
            });
            resolved.targets = named.collect();
        }
        Ok(resolved)
    }

    pub(super) fn resolved(&self) -> Result<Resolved<'_>, Unresolved> {
        if self.is_ready() {
            return Ok(Resolved {
                model: self,
                targets: Cow::Borrowed(&self.targets),
            });
        }
        Err(Unresolved::NotConfigured {
            alias: self.label.to_string(),
            variable: self.missing.as_deref().unwrap_or_default().to_owned(),
        })
    }
}
