//! Targets of a model: provider, credential, upstream model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::{Provider, fingerprint};
use crate::config::{self, Price, SystemMessages, TimeoutOverrides, Timeouts};
use crate::wire::splice::encode_model;

/// Factor of all weights: divisible by every number up to 16, so that the keys of a
/// provider get equal shares of a weight.
const WEIGHT_UNIT: u64 = 720_720;

/// Where a request can go.
#[derive(Debug, Clone)]
pub struct Target {
    pub provider: Arc<Provider>,
    /// Index among the provider's usable credentials.
    pub credential: usize,
    /// Index of the credential in tables of target states.
    pub credential_state_index: usize,
    /// Index of credential and upstream model in tables of target states. Models
    /// without an alias share one per credential.
    pub state_index: usize,
    /// Row of the metrics of this model at this provider.
    pub metric_row: usize,
    /// Whether the target belongs to another model than the requested one.
    pub is_fallback: bool,
    /// Whether the upstream's name for the model comes from the client.
    pub named_by_client: bool,
    /// The upstream's own model name, as JSON with its quotes; the alias's pattern until
    /// a client has named the model.
    pub encoded_model: Bytes,
    /// The same name as a header value, if it is valid as one.
    pub model_header: Option<HeaderValue>,
    pub price: Option<Arc<Price>>,
    /// Share of the requests among the targets of the same step.
    pub weight: u64,
    /// Targets of a lower step are tried first.
    pub step: usize,
    /// The provider's timeouts, with the alias's overrides.
    pub timeouts: Timeouts,
    /// The provider's, or the alias's override.
    pub system_messages: SystemMessages,
    /// Identity for affinity, the same in every process; 0 for the only target of
    /// a model.
    pub identity: u64,
}

/// A target whose provider is not ready.
#[derive(Debug, Clone)]
pub struct UnavailableTarget {
    pub provider: Arc<Provider>,
    /// The provider's name of the model.
    pub upstream_model: Box<str>,
    /// Whether the target belongs to another model than the requested one.
    pub is_fallback: bool,
    /// As configured.
    pub weight: u32,
    /// As in [`Target::step`].
    pub step: usize,
}

/// One target for each credential of a provider, of equal weights.
pub(super) fn per_credential(
    provider: &Arc<Provider>,
    upstream_model: &str,
    overrides: &TimeoutOverrides,
) -> impl ExactSizeIterator<Item = Target> {
    let encoded_model = encode_model(upstream_model);
    let model_header = header_value(upstream_model);
    let price = provider.prices.get(upstream_model).cloned();
    let count = provider.credentials.len();
    (0..count).map(move |credential| Target {
        provider: Arc::clone(provider),
        credential,
        credential_state_index: provider.first_state_index + 2 * credential,
        state_index: provider.first_state_index + 2 * credential + 1,
        metric_row: provider.wildcard_model,
        is_fallback: false,
        named_by_client: false,
        encoded_model: encoded_model.clone(),
        model_header: model_header.clone(),
        price: price.clone(),
        weight: WEIGHT_UNIT / count as u64,
        step: 0,
        timeouts: provider.timeouts.with_overrides(overrides),
        system_messages: provider.api.system_messages,
        identity: 0,
    })
}

/// The targets of a model in the order of their steps, and those whose provider is
/// not ready. A target of several steps is listed in the first one only.
pub(super) fn resolve_targets(
    model: &config::ModelConfig,
    models: &BTreeMap<String, config::ModelConfig>,
    providers: &HashMap<Box<str>, Arc<Provider>>,
    state_indices: &mut StateIndices,
) -> (Vec<Target>, Vec<UnavailableTarget>) {
    let mut found: Vec<Target> = Vec::new();
    let mut unavailable: Vec<UnavailableTarget> = Vec::new();
    for (step, one) in model.plan_steps(models).into_iter().enumerate() {
        for configured in one.targets {
            let Some(provider) = providers.get(configured.provider.as_str()) else {
                continue;
            };
            let is_fallback = one.model.alias != model.alias;
            if !provider.ready {
                let target = UnavailableTarget {
                    provider: Arc::clone(provider),
                    upstream_model: configured.upstream_model.as_str().into(),
                    is_fallback,
                    weight: configured.weight,
                    step,
                };
                if !unavailable
                    .iter()
                    .any(|other| other.is_same_target(&target))
                {
                    unavailable.push(target);
                }
                continue;
            }
            let upstream_model = &configured.upstream_model;
            for mut target in per_credential(provider, upstream_model, &one.model.timeouts) {
                target.step = step;
                target.weight *= u64::from(configured.weight);
                target.is_fallback = is_fallback;
                target.named_by_client = configured.named_by_client;
                if let Some(own) = one.model.system_messages {
                    target.system_messages = own;
                }
                if !found.iter().any(|other| other.is_same_target(&target)) {
                    found.push(target);
                }
            }
        }
    }
    if found.len() > 1 {
        for target in &mut found {
            target.state_index = state_indices.assign(target);
            target.identity = target.compute_identity();
        }
    }
    (found, unavailable)
}

/// Assigns the metric rows of a model: `own` at its first provider, and from `next`
/// on one for each further provider.
pub(super) fn assign_metric_rows(targets: &mut [Target], own: usize, next: &mut usize) {
    let mut rows = HashMap::new();
    for target in targets {
        let is_first = rows.is_empty();
        target.metric_row = *rows.entry(target.provider.id).or_insert_with(|| {
            if is_first {
                return own;
            }
            *next += 1;
            *next - 1
        });
    }
}

/// Assigns [`Target::state_index`]es, one for each credential and upstream model.
#[derive(Debug)]
pub(super) struct StateIndices {
    /// The lower ones belong to the credentials, two to each.
    first: usize,
    assigned: HashMap<(usize, Bytes), usize>,
}

// === impl StateIndices ===

impl StateIndices {
    pub(super) fn starting_at(first: usize) -> Self {
        Self {
            first,
            assigned: HashMap::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.first + self.assigned.len()
    }

    fn assign(&mut self, target: &Target) -> usize {
        let next = self.count();
        let key = (target.credential_state_index, target.encoded_model.clone());
        *self.assigned.entry(key).or_insert(next)
    }
}

// === impl Target ===

impl Target {
    /// The upstream's own model name, or `*` where it comes from the client, since it is
    /// not logged then.
    #[must_use]
    pub fn model_for_log(&self) -> Box<str> {
        if self.named_by_client || self.state_index == self.credential_state_index + 1 {
            return "*".into();
        }
        self.upstream_model()
    }

    /// The upstream's own model name, decoded.
    #[must_use]
    pub fn upstream_model(&self) -> Box<str> {
        // It was encoded from a string, so decoding cannot fail.
        serde_json::from_slice(&self.encoded_model).unwrap_or_default()
    }

    /// The target of a request for the model that a client has named.
    pub(super) fn with_model(mut self, upstream_model: &str) -> Self {
        self.encoded_model = encode_model(upstream_model);
        self.model_header = header_value(upstream_model);
        self.price = self.provider.prices.get(upstream_model).cloned();
        self
    }

    /// The configured name of the model; empty where it comes from the client.
    #[must_use]
    pub fn configured_model(&self) -> Box<str> {
        if self.named_by_client {
            return Box::default();
        }
        self.upstream_model()
    }

    fn compute_identity(&self) -> u64 {
        let credential = self.provider.credentials.get(self.credential);
        let credential = credential.copied().unwrap_or_default();
        fingerprint([&credential.to_le_bytes()[..], &self.encoded_model[..]])
    }

    /// The weight in the config, which the provider's credentials share.
    #[must_use]
    pub fn configured_weight(&self) -> u64 {
        // Rounded: the number of credentials need not divide the unit.
        (self.weight * self.provider.credentials.len() as u64 + WEIGHT_UNIT / 2) / WEIGHT_UNIT
    }

    fn is_same_target(&self, other: &Self) -> bool {
        self.provider.id == other.provider.id
            && self.credential == other.credential
            && self.encoded_model == other.encoded_model
    }
}

// === impl UnavailableTarget ===

impl UnavailableTarget {
    fn is_same_target(&self, other: &Self) -> bool {
        self.provider.id == other.provider.id && self.upstream_model == other.upstream_model
    }
}

/// `None` for a name that is not ASCII: recipients decode other bytes differently
/// (RFC 9110, section 5.5).
pub(super) fn header_value(name: &str) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(name).ok();
    value.filter(|_| name.is_ascii())
}
