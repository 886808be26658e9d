//! State of all targets, from the attempts of all requests.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::AttemptOutcome;
use super::breaker::{CircuitBreaker, Success, millis};
use super::ejection_metrics::EjectionMetrics;
use super::health_state::HealthState;
use super::latency::RecentLatencies;
use super::load::{InFlightGuard, Load};
use super::quota::{Quota, QuotaPermit};
use super::refusals::Refusals;
use super::retry_budget::RetryBudget;
use super::target_health::{ResponseWatch, TargetHealth, TargetName};
use super::target_state::{Reason, TargetState};
use crate::catalog::{Catalog, Provider, Target};
use crate::config::{Breaker, Config, Hedge};
use crate::telemetry::metric::Registry;
use crate::wire::rate_limit::RateLimitReport;

/// Cooldown of a throttled target that requests no delay.
const DEFAULT_COOLDOWN: Duration = Duration::from_secs(1);

/// Shared by all workers; its state is atomics only. Requests to a model with a
/// single target use nothing of it but [`Fleet::refuses`] and [`Fleet::lacks_call`].
#[derive(Debug)]
pub struct Fleet {
    pub(super) started: Instant,
    breaker_rules: Breaker,
    /// By [`crate::catalog::Provider::id`].
    pub(super) budgets: Box<[Arc<RetryBudget>]>,
    /// By [`Target::state_index`] and [`Target::credential_state_index`].
    pub(super) breakers: Box<[Arc<CircuitBreaker>]>,
    /// By [`Target::state_index`].
    pub(super) loads: Box<[Arc<Load>]>,
    /// By [`Target::state_index`].
    pub(super) quotas: Box<[Arc<Quota>]>,
    /// By [`crate::catalog::Provider::id`].
    pub(super) health_states: Box<[Arc<HealthState>]>,
    /// By [`Target::state_index`]; filled for models that hedge at a quantile.
    pub(super) latencies: Box<[Arc<OnceLock<Box<RecentLatencies>>>]>,
    /// By [`crate::catalog::Provider::id`]: what models refuse.
    pub(super) refusals: Box<[Arc<Refusals>]>,
    /// By [`Target::state_index`]; made at first use.
    healths: Box<[OnceLock<Arc<TargetHealth>>]>,
    /// By [`crate::catalog::Provider::id`]; none where the provider is not ready.
    ejection_metrics: Box<[Option<Arc<EjectionMetrics>>]>,
}

impl Fleet {
    /// All targets start healthy.
    #[must_use]
    pub fn new(config: &Config, catalog: &Catalog, registry: &Registry, now: Instant) -> Self {
        let (providers, states) = (config.providers.len(), catalog.state_count());
        let budget = |_| Arc::new(RetryBudget::new(config.retry_budget));
        Self {
            started: now,
            breaker_rules: config.breaker,
            budgets: (0..providers).map(budget).collect(),
            breakers: (0..states).map(|_| Arc::default()).collect(),
            loads: (0..states).map(|_| Arc::default()).collect(),
            quotas: (0..states).map(|_| Arc::default()).collect(),
            health_states: (0..providers).map(|_| Arc::default()).collect(),
            latencies: (0..states).map(|_| Arc::default()).collect(),
            refusals: (0..providers).map(|_| Arc::default()).collect(),
            healths: (0..states).map(|_| OnceLock::new()).collect(),
            ejection_metrics: ejection_metrics(catalog, registry),
        }
    }

    /// Records the result of an attempt, `None` for a success.
    pub fn record_result(&self, target: &Target, failure: Option<AttemptOutcome>, now: Instant) {
        let Some(health) = self.health(target) else {
            return;
        };
        let max_cooldown = self.breaker_rules.max_cooldown;
        match failure {
            None => return health.record_success(Success::Complete, now),
            Some(
                AttemptOutcome::NotProcessed
                | AttemptOutcome::MaybeProcessed
                | AttemptOutcome::Failed,
            ) => return health.record_failure(now),
            Some(AttemptOutcome::Throttled(wait)) => {
                let cooldown = wait.unwrap_or(DEFAULT_COOLDOWN).min(max_cooldown);
                health.cool_down(&health.breaker, cooldown, Reason::Throttled, now);
            }
            Some(AttemptOutcome::Unauthorized) => {
                if let Some(credential) = self.breakers.get(target.credential_state_index) {
                    health.cool_down(credential, max_cooldown, Reason::Unauthorized, now);
                }
            }
            Some(AttemptOutcome::Forbidden | AttemptOutcome::Rejected) => {}
        }
        // Any response shows that the target is up, but not that it completes one.
        health.record_success(Success::Begun, now);
    }

    /// Records the success of an attempt whose response has begun.
    #[must_use]
    pub fn watch_response(
        &self,
        target: &Target,
        is_stream: bool,
        now: Instant,
    ) -> Option<ResponseWatch> {
        let health = self.health(target)?;
        Some(health.watch(is_stream, now))
    }

    /// State of one of several targets, for the status API.
    #[must_use]
    pub fn target_state(&self, target: &Target, now: Instant) -> TargetState {
        if !self.is_healthy(target) {
            return TargetState::Unhealthy;
        }
        let now = self.millis_since_start(now);
        let excluded_until = |index: usize| {
            let breaker = self.breakers.get(index);
            breaker.map_or((0, 0), |breaker| breaker.excluded_until())
        };
        let (failed, throttled) = excluded_until(target.state_index);
        let (_, unauthorized) = excluded_until(target.credential_state_index);
        let quota = self.quotas.get(target.state_index);
        let rate_limited = quota.map_or(0, |quota| quota.exhausted_until(now));
        let reasons = [
            (unauthorized, Reason::Unauthorized),
            (failed, Reason::Failed),
            (throttled, Reason::Throttled),
            (rate_limited, Reason::RateLimited),
        ];
        TargetState::from_reasons(reasons, now)
    }

    #[must_use]
    pub fn track_request(&self, target: &Target) -> Option<InFlightGuard> {
        Some(self.loads.get(target.state_index)?.track_request())
    }

    /// Records a time to the first byte, for balancing by load.
    pub fn record_latency(&self, target: &Target, latency: Duration, now: Instant) {
        if let Some(load) = self.loads.get(target.state_index) {
            load.record_latency(latency, self.millis_since_start(now));
        }
    }

    /// A permit for one request, if the target's remaining rate limit allows it.
    pub(super) fn try_acquire_quota(
        &self,
        target: &Target,
        now: Instant,
    ) -> Option<QuotaPermit<'_>> {
        let Some(quota) = self.quotas.get(target.state_index) else {
            return Some(QuotaPermit::default());
        };
        quota.try_acquire(self.millis_since_start(now))
    }

    /// A permit, regardless of the remaining rate limit.
    pub(super) fn acquire_quota(&self, target: &Target) -> QuotaPermit<'_> {
        let quota = self.quotas.get(target.state_index);
        quota.map_or_else(QuotaPermit::default, |quota| quota.acquire())
    }

    /// Records what a response to a request sent at `sent` reports of the target's
    /// rate limit.
    pub fn record_rate_limit(
        &self,
        target: &Target,
        report: &RateLimitReport,
        sent: Instant,
        now: Instant,
    ) {
        let Some(quota) = self.quotas.get(target.state_index) else {
            return;
        };
        let (sent, now) = (self.millis_since_start(sent), self.millis_since_start(now));
        let max_exclusion = self.breaker_rules.max_cooldown;
        if let Some(duration) = quota.record(sent, now, report, max_exclusion)
            && let Some(health) = self.health(target)
        {
            health.log_exclusion(Reason::RateLimited, duration);
        }
    }

    #[must_use]
    pub fn health_state(&self, provider_id: usize) -> Option<&Arc<HealthState>> {
        self.health_states.get(provider_id)
    }

    /// Whether any of these targets has a provider that passes health checks.
    #[must_use]
    pub fn has_healthy(&self, targets: &[Target]) -> bool {
        targets.iter().any(|target| self.is_healthy(target))
    }

    fn is_healthy(&self, target: &Target) -> bool {
        let health = self.health_states.get(target.provider.id);
        health.is_none_or(|health| health.is_healthy())
    }

    /// The target's weight, reduced when its rate limit is almost used up.
    pub(super) fn weight(&self, target: &Target, now: Instant) -> u64 {
        let quota = self.quotas.get(target.state_index);
        quota.map_or(target.weight, |quota| {
            quota.weight(target.weight, self.millis_since_start(now))
        })
    }

    /// Requests in flight at the target, of models that track them.
    pub(super) fn in_flight(&self, target: &Target) -> u64 {
        let load = self.loads.get(target.state_index);
        load.map_or(0, |load| load.in_flight())
    }

    /// Records the duration of a cancelled attempt.
    pub fn record_abandoned(&self, target: &Target, elapsed: Duration, now: Instant) {
        if let Some(load) = self.loads.get(target.state_index) {
            load.record_abandoned(elapsed, self.millis_since_start(now));
        }
    }

    /// Records a time to the first byte, for [`Self::hedge_delay`].
    pub fn record_hedge_latency(&self, target: &Target, is_stream: bool, latency: Duration) {
        if let Some(latencies) = self.latencies.get(target.state_index) {
            latencies
                .get_or_init(Box::default)
                .record(is_stream, latency);
        }
    }

    /// Delay after which an attempt at this target is hedged; `None` with too few
    /// samples of its latency.
    #[must_use]
    pub fn hedge_delay(&self, rule: Hedge, target: &Target, is_stream: bool) -> Option<Duration> {
        match rule {
            Hedge::After(delay) => Some(delay),
            Hedge::Quantile {
                percent,
                floor,
                samples,
            } => {
                let latencies = self.latencies.get(target.state_index)?.get()?;
                let delay = latencies.quantile(is_stream, percent, samples)?;
                Some(delay.max(floor))
            }
        }
    }

    /// Expected latency of one more request, in seconds.
    pub(super) fn cost(&self, target: &Target, now: Instant) -> f64 {
        let load = self.loads.get(target.state_index);
        load.map_or(0.0, |load| load.cost(self.millis_since_start(now)))
    }

    pub(super) fn is_available(&self, target: &Target, now: Instant) -> bool {
        let now = self.millis_since_start(now);
        let mut breakers = [target.state_index, target.credential_state_index]
            .into_iter()
            .filter_map(|index| self.breakers.get(index));
        let quota = self.quotas.get(target.state_index);
        self.is_healthy(target)
            && breakers.all(|breaker| breaker.is_available(now))
            && quota.is_none_or(|quota| quota.has_room(now))
    }

    /// Whether the target is available and not due for a probe.
    pub(super) fn is_available_unprobed(&self, target: &Target, now: Instant) -> bool {
        let breaker = self.breakers.get(target.state_index);
        self.is_available(target, now) && breaker.is_none_or(|breaker| !breaker.is_ejected())
    }

    /// Admits an attempt at an available target; false while another attempt
    /// probes it.
    pub(super) fn try_admit(&self, target: &Target, now: Instant) -> bool {
        let Some(breaker) = self.breakers.get(target.state_index) else {
            return true;
        };
        breaker.try_admit(self.millis_since_start(now), self.breaker_rules.cooldown)
    }

    /// Takes back [`Self::try_admit`]: there was no attempt.
    pub(super) fn cancel_probe(&self, target: &Target, now: Instant) {
        if let Some(breaker) = self.breakers.get(target.state_index) {
            breaker.cancel_probe(self.millis_since_start(now));
        }
    }

    /// Admits an attempt at an unavailable target, when no other is available.
    pub(super) fn force_admit(&self, target: &Target) {
        if let Some(breaker) = self.breakers.get(target.state_index) {
            breaker.force_admit();
        }
    }

    /// Adds to the retry budget, for a first attempt.
    pub(super) fn deposit(&self, target: &Target) {
        if let Some(budget) = self.budgets.get(target.provider.id) {
            budget.deposit();
        }
    }

    /// Takes one retry after a failure at this target from the budget.
    pub(super) fn withdraw(&self, target: &Target, now: Instant) -> bool {
        let budget = self.budgets.get(target.provider.id);
        budget.is_none_or(|budget| budget.withdraw(self.time_since_start(now)))
    }

    fn time_since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    fn millis_since_start(&self, now: Instant) -> u64 {
        millis(self.time_since_start(now))
    }

    pub(super) fn minute(&self, now: Instant) -> u64 {
        self.time_since_start(now).as_secs() / 60
    }

    fn health(&self, target: &Target) -> Option<&Arc<TargetHealth>> {
        let breaker = self.breakers.get(target.state_index)?;
        let health = self.healths.get(target.state_index)?;
        Some(health.get_or_init(|| {
            let metrics = self.ejection_metrics.get(target.provider.id);
            Arc::new(TargetHealth {
                breaker: Arc::clone(breaker),
                rules: self.breaker_rules,
                started: self.started,
                metrics: metrics.cloned().flatten(),
                name: TargetName::new(target),
            })
        }))
    }
}

fn ejection_metrics(catalog: &Catalog, registry: &Registry) -> Box<[Option<Arc<EjectionMetrics>>]> {
    let mut providers = catalog.providers();
    providers.sort_unstable_by_key(|provider| provider.id);
    let of = |provider: &Arc<Provider>| Arc::new(EjectionMetrics::new(registry, &provider.name));
    let metrics = providers.into_iter().map(|it| it.ready.then(|| of(it)));
    metrics.collect()
}
