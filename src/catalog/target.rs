//! Where a model's requests can go: provider, credential, upstream model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::{Provider, fingerprint};
use crate::config::{self, OwnTimeouts, Price, Timeouts};
use crate::wire::splice::encode_model;

/// What a weight is multiplied by, so that it can be shared out evenly between
/// the keys of a provider: every number up to 16 divides it.
const SHARE: u64 = 720_720;

/// Provider, credential and upstream model name: one place a request can go to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whose it is.
    pub provider: Arc<Provider>,
    /// Which of the provider's credentials is sent, by its number among those
    /// that are there.
    pub credential: usize,
    /// Number of the credential, in the same tables as [`Self::slot`].
    pub key: usize,
    /// Number of the place, for tables with a row per place. Those that no
    /// alias names share one for each credential.
    pub slot: usize,
    /// Row of what is counted of this model at this provider.
    pub row: usize,
    /// Whether another model than the one asked for answers here.
    pub is_fallback: bool,
    /// The upstream's own model name, as JSON with its quotes.
    pub encoded_model: Bytes,
    /// The same name as a header carries it, where it can.
    pub model_header: Option<HeaderValue>,
    /// What its tokens cost, if that is known.
    pub price: Option<Arc<Price>>,
    /// Share of the requests among the targets of the same step.
    pub weight: u64,
    /// Targets of a lower step are tried first.
    pub step: usize,
    /// Limits in time on an attempt there: the provider's, but for what the
    /// alias that names the place sets itself.
    pub timeouts: Timeouts,
    /// What affinity knows the place by, in every process the same; 0 where
    /// there is nothing to choose.
    pub identity: u64,
}

/// A place that requests would go to if its provider were ready.
#[derive(Debug, Clone)]
pub struct Unready {
    /// Whose it is.
    pub provider: Arc<Provider>,
    /// What the provider calls the model.
    pub upstream_model: Box<str>,
    /// Whether another model than the one asked for answers here.
    pub is_fallback: bool,
    /// As the config has it.
    pub weight: u32,
    /// As in [`Target::step`].
    pub step: usize,
}

/// One target for each credential of a provider, of equal shares.
pub(super) fn all(
    provider: &Arc<Provider>,
    upstream_model: &str,
    own: &OwnTimeouts,
) -> impl ExactSizeIterator<Item = Target> {
    let model = encode_model(upstream_model);
    let header = in_header(upstream_model);
    let price = provider.prices.of(upstream_model).cloned();
    let count = provider.credentials.len();
    (0..count).map(move |credential| Target {
        provider: Arc::clone(provider),
        credential,
        key: provider.first_key + 2 * credential,
        slot: provider.first_key + 2 * credential + 1,
        row: provider.any_model,
        is_fallback: false,
        encoded_model: model.clone(),
        model_header: header.clone(),
        price: price.clone(),
        weight: SHARE / count as u64,
        step: 0,
        timeouts: provider.timeouts.with(own),
        identity: 0,
    })
}

/// The targets of a model that are ready, in the order of their steps, and the
/// places that are not. A place that several steps lead to stands in the first
/// one only.
pub(super) fn plan(
    model: &config::Model,
    models: &BTreeMap<String, config::Model>,
    providers: &HashMap<Box<str>, Arc<Provider>>,
    slots: &mut Slots,
) -> (Vec<Target>, Vec<Unready>) {
    let mut found: Vec<Target> = Vec::new();
    let mut unready: Vec<Unready> = Vec::new();
    for (step, one) in model.steps(models).into_iter().enumerate() {
        for place in one.targets {
            let Some(provider) = providers.get(place.provider.as_str()) else {
                continue;
            };
            let is_fallback = one.model.alias != model.alias;
            if !provider.ready {
                let place = Unready {
                    provider: Arc::clone(provider),
                    upstream_model: place.upstream_model.as_str().into(),
                    is_fallback,
                    weight: place.weight,
                    step,
                };
                if !unready.iter().any(|other| other.is_same_place(&place)) {
                    unready.push(place);
                }
                continue;
            }
            for mut target in all(provider, &place.upstream_model, &one.model.timeouts) {
                target.step = step;
                target.weight *= u64::from(place.weight);
                target.is_fallback = is_fallback;
                if !found.iter().any(|other| other.is_same_place(&target)) {
                    found.push(target);
                }
            }
        }
    }
    if found.len() > 1 {
        for target in &mut found {
            target.slot = slots.of(target);
            target.identity = target.identify();
        }
    }
    (found, unready)
}

/// Numbers the rows of what is counted of a model: `own` at its first provider,
/// and from `next` on one for each further one.
pub(super) fn number_rows(targets: &mut [Target], own: usize, next: &mut usize) {
    let mut rows = HashMap::new();
    for target in targets {
        let is_first = rows.is_empty();
        target.row = *rows.entry(target.provider.id).or_insert_with(|| {
            if is_first {
                return own;
            }
            *next += 1;
            *next - 1
        });
    }
}

/// Hands out [`Target::slot`]s, one for each place.
#[derive(Debug)]
pub(super) struct Slots {
    /// The first numbers are those of the credentials, two for each.
    first: usize,
    known: HashMap<(usize, Bytes), usize>,
}

impl Slots {
    pub(super) fn after(first: usize) -> Self {
        Self {
            first,
            known: HashMap::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.first + self.known.len()
    }

    fn of(&mut self, target: &Target) -> usize {
        let next = self.count();
        let place = (target.key, target.encoded_model.clone());
        *self.known.entry(place).or_insert(next)
    }
}

impl Target {
    /// The upstream's model as logs may show it: as JSON, and not at all where
    /// it is a word of the caller's.
    #[must_use]
    pub fn shown_model(&self) -> &str {
        if self.slot == self.key + 1 {
            return "*";
        }
        std::str::from_utf8(&self.encoded_model).unwrap_or_default()
    }

    /// The upstream's own model name as it is spoken.
    #[must_use]
    pub fn upstream_model(&self) -> Box<str> {
        // It was encoded from a string, so it can be decoded.
        serde_json::from_slice(&self.encoded_model).unwrap_or_default()
    }

    fn identify(&self) -> u64 {
        let credential = self.provider.credentials.get(self.credential);
        let credential = credential.copied().unwrap_or_default();
        fingerprint([&credential.to_le_bytes()[..], &self.encoded_model[..]])
    }

    /// The weight that the config gives its place; with several credentials each
    /// has a part of it.
    #[must_use]
    pub fn asked_weight(&self) -> u64 {
        // Their number need not divide the whole evenly.
        (self.weight * self.provider.credentials.len() as u64 + SHARE / 2) / SHARE
    }

    fn is_same_place(&self, other: &Self) -> bool {
        self.provider.id == other.provider.id
            && self.credential == other.credential
            && self.encoded_model == other.encoded_model
    }
}

impl Unready {
    fn is_same_place(&self, other: &Self) -> bool {
        self.provider.id == other.provider.id && self.upstream_model == other.upstream_model
    }
}

/// A name as a header carries it; none where readers would not agree on what
/// it says (RFC 9110, section 5.5).
pub(super) fn in_header(name: &str) -> Option<HeaderValue> {
    let named = HeaderValue::from_str(name).ok();
    named.filter(|_| name.is_ascii())
}
