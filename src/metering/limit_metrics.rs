//! What is counted of clients' limits as it happens. What can be looked up at any time is
//! computed at a scrape instead (`admin/limit_gauges`).

use std::collections::HashMap;
use std::time::Duration;

use metrics::{Counter, Histogram};

use super::{Meter, SharedMetrics};
use crate::config::{AtLimit, LimitRule, LimitUnit};
use crate::limits::{LimitRefusal, LimitUsage, QuotaKind};
use crate::telemetry::metric::{self, Metric, Registry};

/// Metrics whose first label is a rule.
const OF_RULES: [&Metric; 4] = [
    &metric::LIMIT_REFUSED,
    &metric::LIMIT_OBSERVED,
    &metric::LIMIT_WAITS,
    &metric::LIMIT_FALLBACKS,
];
/// What [`metric::LIMIT_ESTIMATE_RATIO`] is of.
pub(super) const ESTIMATES: [LimitUnit; 3] = [
    LimitUnit::InputTokens,
    LimitUnit::OutputTokens,
    LimitUnit::Budget,
];

/// Handles of all rules of one generation, for all workers: these events are rare. They
/// exist from the start, since alerts need their first increment.
#[derive(Debug, Default)]
pub(super) struct LimitMetrics(HashMap<Box<str>, RuleMetrics>);

#[derive(Debug)]
struct RuleMetrics {
    /// By what is counted: requests that it refused or, if it only observes, would have.
    short: Vec<(&'static str, Counter)>,
    waits: Histogram,
    fallbacks: Option<Counter>,
}

/// What the log and the trace tell of a request's limits.
#[derive(Debug, Default)]
pub(super) struct LimitEvents {
    /// The rule.
    pub refused_by: Option<Box<str>>,
    pub waited: Option<Duration>,
}

// === impl LimitMetrics ===

impl LimitMetrics {
    pub fn new(registry: &Registry, rules: &[LimitRule]) -> Self {
        let rules = rules.iter().map(|rule| {
            let name = rule.name.as_str();
            (name.into(), RuleMetrics::new(registry, name, rule))
        });
        Self(rules.collect())
    }

    /// Ends the series of rules that are not in this generation.
    fn retain(&self, registry: &Registry) {
        for metric in OF_RULES {
            registry.retain(metric, |rule| self.0.contains_key(rule));
        }
    }
}

// === impl RuleMetrics ===

impl RuleMetrics {
    fn new(registry: &Registry, name: &str, rule: &LimitRule) -> Self {
        let metric = match rule.at_limit {
            AtLimit::Observe => &metric::LIMIT_OBSERVED,
            AtLimit::Refuse | AtLimit::Fallback(_) => &metric::LIMIT_REFUSED,
        };
        let mut units: Vec<_> = rule.amounts.iter().map(|it| it.of.key()).collect();
        units.extend(rule.concurrent.map(|_| QuotaKind::Concurrent.key()));
        units.sort_unstable();
        units.dedup();
        let short = units.into_iter().map(|of| {
            let labels = [("rule", name), ("of", of)];
            (of, registry.counter(metric, &labels))
        });
        let fallbacks = match &rule.at_limit {
            AtLimit::Fallback(alias) => {
                let labels = [("rule", name), ("model", alias)];
                Some(registry.counter(&metric::LIMIT_FALLBACKS, &labels))
            }
            AtLimit::Refuse | AtLimit::Observe => None,
        };
        Self {
            short: short.collect(),
            waits: registry.histogram(&metric::LIMIT_WAITS, &[("rule", name)]),
            fallbacks,
        }
    }

    fn count_short(&self, kind: QuotaKind) {
        let of = kind.key();
        if let Some((_, counter)) = self.short.iter().find(|(unit, _)| *unit == of) {
            counter.increment(1);
        }
    }
}

// === impl SharedMetrics ===

impl SharedMetrics {
    /// Creates the series of these rules. Call this once, before requests are counted.
    pub fn create_limits(&self, rules: &[LimitRule]) {
        // Fails if it was called before.
        let _ = self.limits.set(LimitMetrics::new(&self.registry, rules));
    }

    /// Ends the series of rules that only earlier generations have.
    pub fn retain_limits(&self) {
        if let Some(limits) = self.limits.get() {
            limits.retain(&self.registry);
        }
    }

    fn limit(&self, rule: &str) -> Option<&RuleMetrics> {
        self.limits.get()?.0.get(rule)
    }
}

// === impl Meter ===

impl Meter {
    /// Records that a limit refuses the request.
    pub fn on_limit_refused(&mut self, refusal: &LimitRefusal) {
        if let Some(rule) = self.worker.shared().limit(&refusal.rule) {
            rule.count_short(refusal.quota.kind);
        }
        self.limit_events().refused_by = Some(refusal.rule.clone());
    }

    /// Records that a limit that only observes would have refused the request.
    pub fn on_limit_observed(&self, refusal: &LimitRefusal) {
        if let Some(rule) = self.worker.shared().limit(&refusal.rule) {
            rule.count_short(refusal.quota.kind);
        }
    }

    /// Records that the request passes a limit after a wait.
    pub fn on_limit_waited(&mut self, rule: &str, time: Duration) {
        if let Some(rule) = self.worker.shared().limit(rule) {
            rule.waits.record(time);
        }
        self.limit_events().waited = Some(time);
    }

    /// Records that the request goes to another model, since a limit has no room for it.
    pub fn on_limit_fallback(&self, rule: &str) {
        let rule = self.worker.shared().limit(rule);
        if let Some(fallbacks) = rule.and_then(|it| it.fallbacks.as_ref()) {
            fallbacks.increment(1);
        }
    }

    /// Records that the request is charged by an estimate.
    pub(super) fn on_limit_estimated(&mut self) {
        if let Some(model) = &self.model {
            model.count_estimated();
        }
        self.is_estimated = true;
    }

    /// Records what the request used of what was expected.
    pub(super) fn record_estimate(&self, expected: &LimitUsage, used: &LimitUsage) {
        let pairs = [
            (expected.input_tokens, used.input_tokens),
            (expected.output_tokens, used.output_tokens),
            (expected.cost, used.cost),
        ];
        for (index, (expected, used)) in pairs.into_iter().enumerate() {
            if expected > 0 {
                let ratio = used as f64 / expected as f64;
                self.worker.record_estimate(index, ratio);
            }
        }
    }

    fn limit_events(&mut self) -> &mut LimitEvents {
        self.limit_events.get_or_insert_default()
    }
}
