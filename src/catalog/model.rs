//! An alias, or the wildcard of a provider.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::target::{Target, UnavailableTarget};
use super::{Provider, Resolved, Unresolved};
use crate::config::{self, Affinity, Balance, Config, Hedge, Retry};

/// An alias, or `provider/*`.
#[derive(Debug, Clone)]
#[allow(
    clippy::struct_field_names,
    reason = "the upstream's model, unlike the label"
)]
pub struct Model {
    /// Index into tables with a row per model.
    pub id: usize,
    /// Name for clients, logs and metrics: the alias, or `provider/*`.
    pub label: Box<str>,
    /// The provider of its first target, for `owned_by` and metrics.
    pub provider: Arc<Provider>,
    /// The provider's name of it; empty for `provider/*`.
    pub upstream_model: Box<str>,
    /// Its own targets, then those of its fallbacks; empty while none is ready.
    pub targets: Box<[Target]>,
    /// Targets whose provider is not ready.
    pub unavailable: Box<[UnavailableTarget]>,
    /// Context window in tokens, input and output together, if known.
    pub context: Option<usize>,
    /// How the targets of one step share the requests.
    pub balance: Balance,
    pub affinity: Option<Affinity>,
    pub retry: Retry,
    pub hedge: Option<Hedge>,
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
        let (provider, upstream_model) = match targets.first() {
            Some(target) => (Arc::clone(&target.provider), target.upstream_model()),
            None => (
                Arc::clone(providers.get(configured.provider.as_str())?),
                configured.upstream_model.as_str().into(),
            ),
        };
        Some(Self {
            id,
            label: model.alias.as_str().into(),
            upstream_model,
            targets: targets.into(),
            unavailable: unavailable.into(),
            context: model.context,
            balance: model.balance,
            affinity: model.affinity.clone(),
            retry: model.retry,
            hedge: model.hedge,
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
            context: None,
            balance: Balance::default(),
            affinity: None,
            missing: None,
        }
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.targets.is_empty()
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
