//! What one alias stands for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::target::{Target, Unready};
use super::{Provider, Resolved, Unresolved};
use crate::config::{self, Affinity, Balance, Config, Hedge, Retry};

/// What one alias stands for, or what `provider/…` stands for as a whole.
#[derive(Debug, Clone)]
pub struct Model {
    /// Dense number, for tables with a row per model.
    pub id: usize,
    /// Name for callers, logs and metrics: the alias, or `provider/*`.
    pub label: Box<str>,
    /// The provider of its first target, for `owned_by` and metrics.
    pub provider: Arc<Provider>,
    /// What its provider calls it; empty for `provider/*`.
    pub upstream_model: Box<str>,
    /// Where it goes, its fallbacks' targets behind its own; empty while none of
    /// them is ready.
    pub targets: Box<[Target]>,
    /// The places that are left out, since their provider is not ready.
    pub unready: Box<[Unready]>,
    /// Tokens that it can take, question and answer together, where known.
    pub context: Option<usize>,
    /// How those of one step share the requests.
    pub balance: Balance,
    /// Which of its requests go to the same target.
    pub affinity: Option<Affinity>,
    /// When and how often they are tried.
    pub retry: Retry,
    /// When a second one is tried beside the first, if ever.
    pub hedge: Option<Hedge>,
    /// The environment variable (or file) whose lack keeps it from being ready.
    pub missing: Option<Box<str>>,
}

impl Model {
    pub(super) fn new(
        id: usize,
        model: &config::Model,
        targets: Vec<Target>,
        unready: Vec<Unready>,
        providers: &HashMap<Box<str>, Arc<Provider>>,
    ) -> Option<Self> {
        // The first that can be called, else the first that is meant.
        let meant = model.targets.first()?;
        let (provider, upstream_model) = match targets.first() {
            Some(target) => (Arc::clone(&target.provider), target.upstream_model()),
            None => (
                Arc::clone(providers.get(meant.provider.as_str())?),
                meant.upstream_model.as_str().into(),
            ),
        };
        Some(Self {
            id,
            label: model.alias.as_str().into(),
            upstream_model,
            targets: targets.into(),
            unready: unready.into(),
            context: model.context,
            balance: model.balance,
            affinity: model.affinity.clone(),
            retry: model.retry,
            hedge: model.hedge,
            missing: provider.why_not_ready(),
            provider,
        })
    }

    /// What `provider/…` stands for as a whole.
    pub(super) fn any(provider: &Arc<Provider>, config: &Config) -> Self {
        Self {
            id: provider.any_model,
            label: format!("{}/*", provider.name).into(),
            provider: Arc::clone(provider),
            upstream_model: Box::default(),
            targets: Box::default(),
            unready: Box::default(),
            retry: config.retry,
            hedge: None,
            context: None,
            balance: Balance::default(),
            affinity: None,
            missing: None,
        }
    }

    /// True when it can be called now.
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
