//! What is known of the targets, from the attempts of all requests.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Outcome;
use super::budget::Budget;
use super::counts::{Counts, Reason};
use super::health::{Health, millis};
use super::load::{InFlight, Load};
use crate::catalog::{Catalog, Target};
use crate::config::{Breaker, Config};
use crate::telemetry::metric::Registry;

/// How long a target rests that is busy and did not say for how long.
const SHORT_REST: Duration = Duration::from_secs(1);

/// What is known of the targets. Shared by all workers; there are only atomics
/// in it. Requests to a model with a single target never come here.
#[derive(Debug)]
pub struct Fleet {
    pub(super) began: Instant,
    rules: Breaker,
    /// By the number of the provider.
    pub(super) budgets: Box<[Arc<Budget>]>,
    /// By [`Target::slot`]; the first are the credentials themselves.
    pub(super) health: Box<[Arc<Health>]>,
    /// By the same number.
    pub(super) loads: Box<[Arc<Load>]>,
    /// By the number of the provider.
    counts: Box<[OnceLock<Counts>]>,
    registry: Registry,
}

impl Fleet {
    /// A fleet that knows nothing ill of anybody.
    #[must_use]
    pub fn new(config: &Config, catalog: &Catalog, registry: &Registry, now: Instant) -> Self {
        let budget = |_| Arc::new(Budget::new(config.retry_budget));
        Self {
            began: now,
            rules: config.breaker,
            budgets: (0..config.providers.len()).map(budget).collect(),
            health: (0..catalog.slot_count()).map(|_| Arc::default()).collect(),
            loads: (0..catalog.slot_count()).map(|_| Arc::default()).collect(),
            counts: config.providers.iter().map(|_| OnceLock::new()).collect(),
            registry: registry.clone(),
        }
    }

    /// Notes how an attempt ended; none is a good end.
    pub fn note(&self, target: &Target, fault: Option<Outcome>, now: Instant) {
        let Some(health) = self.health.get(target.slot) else {
            return;
        };
        let at = self.at(now);
        match fault {
            Some(Outcome::NotProcessed | Outcome::MaybeProcessed | Outcome::Failed) => {
                if let Some(ejection) = health.failed(at, &self.rules) {
                    if ejection.is_new {
                        self.count(target, |counts| health.count(&counts.ejected));
                    }
                    self.tell(target, Reason::Failed, ejection.rest);
                }
                return;
            }
            Some(Outcome::Throttled(wait)) => {
                let rest = wait.unwrap_or(SHORT_REST).min(self.rules.max_cooldown);
                if health.is_fit(at) {
                    self.tell(target, Reason::Throttled, rest);
                }
                health.cool(at, rest);
            }
            Some(Outcome::Denied) => {
                let rest = self.rules.max_cooldown;
                if let Some(key) = self.health.get(target.key) {
                    if key.is_fit(at) {
                        self.tell(target, Reason::Denied, rest);
                    }
                    key.cool(at, rest);
                }
            }
            Some(Outcome::Refused) | None => {}
        }
        // It is there and answers, whatever it says.
        if health.succeeded(at, &self.rules) {
            health.uncount();
            let provider = &*target.provider.name;
            let model = target.shown_model();
            info!(
                provider,
                model,
                credential = target.credential,
                "target is back"
            );
        }
    }

    /// Counts a request in, until what is given is dropped.
    #[must_use]
    pub fn enter(&self, target: &Target) -> Option<InFlight> {
        Some(self.loads.get(target.slot)?.enter())
    }

    /// Notes how long an answer took to begin.
    pub fn observe(&self, target: &Target, took: Duration, now: Instant) {
        if let Some(load) = self.loads.get(target.slot) {
            load.observe(took, self.at(now));
        }
    }

    /// How many requests are in flight there, of those that are counted.
    pub(super) fn in_flight(&self, target: &Target) -> u64 {
        let load = self.loads.get(target.slot);
        load.map_or(0, |load| load.in_flight())
    }

    /// How long one more request would take there.
    pub(super) fn cost(&self, target: &Target, now: Instant) -> f64 {
        let load = self.loads.get(target.slot);
        load.map_or(0.0, |load| load.cost(self.at(now)))
    }

    /// Whether requests may go there.
    pub(super) fn is_fit(&self, target: &Target, now: Instant) -> bool {
        let at = self.at(now);
        let mut records = [target.slot, target.key]
            .into_iter()
            .filter_map(|slot| self.health.get(slot));
        records.all(|health| health.is_fit(at))
    }

    /// Takes a fit target for an attempt; false when somebody else tries it out.
    pub(super) fn claim(&self, target: &Target, now: Instant) -> bool {
        let health = self.health.get(target.slot);
        health.is_none_or(|health| health.claim(self.at(now), self.rules.cooldown))
    }

    /// Notes a first attempt.
    pub(super) fn earn(&self, target: &Target) {
        if let Some(budget) = self.budgets.get(target.provider.id) {
            budget.earn();
        }
    }

    /// Whether there may be one more attempt after one at this target failed.
    pub(super) fn spend(&self, target: &Target, now: Instant) -> bool {
        let budget = self.budgets.get(target.provider.id);
        budget.is_none_or(|budget| budget.spend(self.since(now)))
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    fn at(&self, now: Instant) -> u64 {
        millis(self.since(now))
    }

    /// Counts what befalls a provider's targets. The first time makes handles.
    fn count(&self, target: &Target, count: impl FnOnce(&Counts)) {
        let provider = &target.provider;
        if let Some(counts) = self.counts.get(provider.id) {
            count(counts.get_or_init(|| Counts::new(&self.registry, &provider.name)));
        }
    }

    /// A target is left out from now on.
    fn tell(&self, target: &Target, reason: Reason, rest: Duration) {
        self.count(target, |counts| counts.left_out(reason));
        let provider = &*target.provider.name;
        let model = target.shown_model();
        let (credential, rest_ms, reason) = (target.credential, millis(rest), reason.label());
        warn!(
            provider,
            model, credential, reason, rest_ms, "target is left out for a while"
        );
    }
}
