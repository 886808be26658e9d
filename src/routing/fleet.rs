//! What is known of the targets, from the attempts of all requests.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Outcome;
use super::breaker::{Health, millis};
use super::budget::Budget;
use super::counts::{Counts, Reason};
use super::health::Vitals;
use super::load::{InFlight, Load};
use super::quota::{Awaited, Quota};
use super::recent::Recent;
use super::target_state::{Standing, Why};
use crate::catalog::{Catalog, Target};
use crate::config::{Breaker, Config, Hedge};
use crate::telemetry::metric::Registry;
use crate::wire::rate_limit::Report;

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
    /// By the same number.
    pub(super) quotas: Box<[Arc<Quota>]>,
    /// By the number of the provider.
    pub(super) vitals: Box<[Arc<Vitals>]>,
    /// By the same number; filled for those whose models ask for it.
    pub(super) recent: Box<[Arc<OnceLock<Box<Recent>>>]>,
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
            quotas: (0..catalog.slot_count()).map(|_| Arc::default()).collect(),
            vitals: config.providers.iter().map(|_| Arc::default()).collect(),
            counts: config.providers.iter().map(|_| OnceLock::new()).collect(),
            recent: (0..catalog.slot_count()).map(|_| Arc::default()).collect(),
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

    /// Whether requests may go to one of several targets, for those who watch.
    #[must_use]
    pub fn standing(&self, target: &Target, now: Instant) -> Standing {
        if !self.is_well(target) {
            return Standing::Unwell;
        }
        let at = self.at(now);
        let quota = self.quotas.get(target.slot);
        let exhausted = quota.map_or(0, |quota| quota.exhausted_until(at));
        let until = |slot: usize| {
            let health = self.health.get(slot);
            health.map_or((0, 0), |health| health.out_until())
        };
        let (ejected, cooling) = until(target.slot);
        let (_, benched) = until(target.key);
        let all = [
            (benched, Why::Benched),
            (ejected, Why::Ejected),
            (cooling, Why::Cooling),
            (exhausted, Why::Exhausted),
        ];
        Standing::of(all, at)
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

    /// Counts a request as sent there, until what is given is dropped: when the
    /// head of its answer is here. None when that would be more than is left.
    pub(super) fn take(&self, target: &Target, now: Instant) -> Option<Awaited<'_>> {
        let quota = self.quotas.get(target.slot);
        quota.map_or_else(|| Some(Awaited::default()), |it| it.take(self.at(now)))
    }

    /// The same for a request that goes there whatever is left.
    pub(super) fn awaits(&self, target: &Target) -> Awaited<'_> {
        let quota = self.quotas.get(target.slot);
        quota.map_or_else(Awaited::default, |it| it.awaits())
    }

    /// Notes what an answer said of the target's rate limit, and when its
    /// request was sent.
    pub fn report(&self, target: &Target, left: &Report, sent: Instant, now: Instant) {
        let Some(quota) = self.quotas.get(target.slot) else {
            return;
        };
        let longest = self.rules.max_cooldown;
        if let Some(rest) = quota.note(self.at(sent), self.at(now), left, longest) {
            self.tell(target, Reason::Exhausted, rest);
        }
    }

    /// What health checks say of provider number `id`, for whoever makes them.
    #[must_use]
    pub fn vitals(&self, id: usize) -> Option<&Arc<Vitals>> {
        self.vitals.get(id)
    }

    /// Whether any of these may answer, by what health checks say.
    #[must_use]
    pub fn is_any_well(&self, targets: &[Target]) -> bool {
        targets.iter().any(|target| self.is_well(target))
    }

    fn is_well(&self, target: &Target) -> bool {
        let vitals = self.vitals.get(target.provider.id);
        vitals.is_none_or(|vitals| vitals.is_well())
    }

    /// The share of the requests that the target may have now.
    pub(super) fn weight(&self, target: &Target, now: Instant) -> u64 {
        let quota = self.quotas.get(target.slot);
        quota.map_or(target.weight, |quota| {
            quota.weight(target.weight, self.at(now))
        })
    }

    /// How many requests are in flight there, of those that are counted.
    pub(super) fn in_flight(&self, target: &Target) -> u64 {
        let load = self.loads.get(target.slot);
        load.map_or(0, |load| load.in_flight())
    }

    /// Notes how long an attempt lasted that was given up.
    pub fn outlasted(&self, target: &Target, took: Duration, now: Instant) {
        if let Some(load) = self.loads.get(target.slot) {
            load.outlasted(took, self.at(now));
        }
    }

    /// Remembers how long an answer took to begin, for [`Self::hedge_delay`].
    pub fn remember(&self, target: &Target, streams: bool, took: Duration) {
        if let Some(recent) = self.recent.get(target.slot) {
            recent.get_or_init(Box::default).add(streams, took);
        }
    }

    /// After how long a second attempt is due beside one at this target; none
    /// while too little is known of it.
    #[must_use]
    pub fn hedge_delay(&self, rule: Hedge, target: &Target, streams: bool) -> Option<Duration> {
        match rule {
            Hedge::After(delay) => Some(delay),
            Hedge::Quantile {
                percent,
                floor,
                samples,
            } => {
                let recent = self.recent.get(target.slot)?.get()?;
                let delay = recent.quantile(streams, percent, samples)?;
                Some(delay.max(floor))
            }
        }
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
        let quota = self.quotas.get(target.slot);
        self.is_well(target)
            && records.all(|health| health.is_fit(at))
            && quota.is_none_or(|quota| quota.has_room(at))
    }

    /// Whether requests may go there, and none has to try it out.
    pub(super) fn is_sound(&self, target: &Target, now: Instant) -> bool {
        let health = self.health.get(target.slot);
        self.is_fit(target, now) && health.is_none_or(|health| !health.is_ejected())
    }

    /// Takes a fit target for an attempt; false when somebody else tries it out.
    pub(super) fn claim(&self, target: &Target, now: Instant) -> bool {
        let health = self.health.get(target.slot);
        health.is_none_or(|health| health.claim(self.at(now), self.rules.cooldown))
    }

    /// Takes a target for an attempt that is not fit, since no other is.
    pub(super) fn claim_anyway(&self, target: &Target) {
        if let Some(health) = self.health.get(target.slot) {
            health.claim_anyway();
        }
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
