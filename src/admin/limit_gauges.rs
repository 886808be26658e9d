//! Metrics of what is used and left of clients' limits, computed at each scrape.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::config::LimitUnit;
use crate::limits::{LimitClock, QuotaKind, QuotaReport, RuleReport};
use crate::proxy::Snapshot;
use crate::telemetry::metric::label;
use crate::telemetry::metric::{
    self, ComputedMetrics, FamilySnapshot, Metric, PICODOLLARS, Sample, SampleValue,
};

/// Subjects of a rule with series of their own, so that a scrape is bounded.
const MAX_SUBJECTS: usize = 1_000;
/// Of everyone's amounts.
const ALL: &str = "all";
/// Users, models that are not configured, and subjects beyond [`MAX_SUBJECTS`].
const OTHER: &str = "other";

/// Of the snapshot that is served.
pub struct LimitGauges(pub Arc<Snapshot>);

/// What a rule's subjects have used, as its series tell it.
#[derive(Default)]
struct RuleUse {
    subjects: usize,
    named: Vec<SubjectUse>,
    other: Vec<QuotaUse>,
    debts: Vec<(QuotaKind, u64)>,
}

struct SubjectUse {
    subject: Box<str>,
    /// Of the quota with the least share left.
    ratio: f64,
    quotas: Vec<QuotaUse>,
}

#[derive(Clone, Copy)]
struct QuotaUse {
    kind: QuotaKind,
    ratio: f64,
    remaining: u64,
    reserved: Option<u64>,
}

/// The series of each metric.
struct Families {
    used_ratio: Family,
    remaining: Family,
    reserved: Family,
    debt: Family,
    subjects: Family,
    dropped: Family,
    waiting: Family,
}

struct Family(FamilySnapshot);

impl ComputedMetrics for LimitGauges {
    fn compute(&self) -> Vec<FamilySnapshot> {
        let (limits, catalog) = (&self.0.client_limits, &self.0.catalog);
        let mut families = Families::new();
        let reports = limits.report(LimitClock::now());
        let is_alias = |model: &str| catalog.is_alias(model);
        for (rule, of) in by_rule(reports, is_alias) {
            families.add(&rule, &of);
        }
        for (rule, waiting) in limits.waiting() {
            families.waiting.add(&[("rule", rule)], waiting as f64);
        }
        for (rule, dropped) in limits.dropped_subjects() {
            families.add_dropped(rule, dropped);
        }
        families.into()
    }
}

fn by_rule(
    reports: Vec<RuleReport>,
    is_alias: impl Fn(&str) -> bool,
) -> BTreeMap<Box<str>, RuleUse> {
    let mut rules: BTreeMap<Box<str>, RuleUse> = BTreeMap::new();
    for report in reports {
        let subject = subject(&report, &is_alias);
        let rule = rules.entry(report.rule).or_default();
        rule.add(subject, &report.quotas);
    }
    rules.values_mut().for_each(RuleUse::limit_names);
    rules
}

/// The label of a subject; none if it is not made of configured names.
fn subject(report: &RuleReport, is_alias: impl Fn(&str) -> bool) -> Option<Box<str>> {
    if report.user.is_some() || !report.model.as_deref().is_none_or(is_alias) {
        return None;
    }
    let mut text = String::from(&*report.subject);
    let parts = [("model", &report.model), ("provider", &report.provider)];
    for (kind, name) in parts {
        if let Some(name) = name {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{kind} {name}");
        }
    }
    Some(if text.is_empty() {
        ALL.into()
    } else {
        text.into()
    })
}

// === impl RuleUse ===

impl RuleUse {
    fn add(&mut self, subject: Option<Box<str>>, quotas: &[QuotaReport]) {
        self.subjects += 1;
        for quota in quotas {
            let debt = quota.used.saturating_sub(quota.limit);
            match self.debts.iter_mut().find(|(kind, _)| *kind == quota.kind) {
                Some((_, sum)) => *sum = sum.saturating_add(debt),
                None => self.debts.push((quota.kind, debt)),
            }
        }
        let quotas: Vec<_> = quotas.iter().filter_map(QuotaUse::new).collect();
        let Some(subject) = subject else {
            return self.add_other(&quotas);
        };
        let ratio = quotas.iter().map(|it| it.ratio).fold(0.0, f64::max);
        self.named.push(SubjectUse {
            subject,
            ratio,
            quotas,
        });
    }

    fn add_other(&mut self, quotas: &[QuotaUse]) {
        for quota in quotas {
            match self.other.iter_mut().find(|it| it.kind == quota.kind) {
                Some(sum) => sum.add(quota),
                None => self.other.push(*quota),
            }
        }
    }

    /// Keeps the fullest.
    fn limit_names(&mut self) {
        let by_ratio = |one: &SubjectUse, other: &SubjectUse| other.ratio.total_cmp(&one.ratio);
        if self.named.len() > MAX_SUBJECTS {
            self.named.select_nth_unstable_by(MAX_SUBJECTS, by_ratio);
            for rest in self.named.split_off(MAX_SUBJECTS) {
                self.add_other(&rest.quotas);
            }
        }
        self.named
            .sort_unstable_by(|one, other| one.subject.cmp(&other.subject));
    }
}

// === impl QuotaUse ===

impl QuotaUse {
    /// None of an amount of 0, which blocks.
    fn new(quota: &QuotaReport) -> Option<Self> {
        (quota.limit > 0).then(|| Self {
            kind: quota.kind,
            ratio: quota.used as f64 / quota.limit as f64,
            remaining: quota.remaining,
            reserved: quota.reserved,
        })
    }

    fn add(&mut self, other: &Self) {
        self.ratio = self.ratio.max(other.ratio);
        self.remaining = self.remaining.min(other.remaining);
        let reserved = self.reserved.zip(other.reserved);
        self.reserved = reserved.map(|(one, other)| one.saturating_add(other));
    }
}

// === impl Families ===

impl Families {
    fn new() -> Self {
        Self {
            used_ratio: Family::new(&metric::LIMIT_USED_RATIO),
            remaining: Family::new(&metric::LIMIT_REMAINING),
            reserved: Family::new(&metric::LIMIT_RESERVED),
            debt: Family::new(&metric::LIMIT_DEBT),
            subjects: Family::new(&metric::LIMIT_SUBJECTS),
            dropped: Family::new(&metric::LIMIT_SUBJECTS_DROPPED),
            waiting: Family::new(&metric::LIMIT_WAITING),
        }
    }

    fn add(&mut self, rule: &str, of: &RuleUse) {
        let named = of.named.iter().map(|it| (&*it.subject, &*it.quotas));
        for (subject, quotas) in named.chain([(OTHER, &*of.other)]) {
            for quota in quotas {
                self.add_quota(rule, subject, quota);
            }
        }
        for (kind, debt) in &of.debts {
            let [of, period] = kind_labels(*kind);
            let labels = [("rule", rule), of, period];
            self.debt.add(&labels, in_units(*kind, *debt));
        }
        self.subjects.add(&[("rule", rule)], of.subjects as f64);
    }

    fn add_quota(&mut self, rule: &str, subject: &str, quota: &QuotaUse) {
        let [of, period] = kind_labels(quota.kind);
        let labels = [("rule", rule), ("subject", subject), of, period];
        self.used_ratio.add(&labels, quota.ratio);
        let remaining = in_units(quota.kind, quota.remaining);
        self.remaining.add(&labels, remaining);
        if let Some(reserved) = quota.reserved {
            let reserved = in_units(quota.kind, reserved);
            self.reserved.add(&labels, reserved);
        }
    }

    fn add_dropped(&mut self, rule: &str, dropped: u64) {
        let Family(family) = &mut self.dropped;
        let value = SampleValue::Integer(dropped);
        let sample = Sample::new(family.metric, &[("rule", rule)], value);
        family.samples.push(sample);
    }
}

impl From<Families> for Vec<FamilySnapshot> {
    fn from(all: Families) -> Self {
        let families = [
            all.used_ratio,
            all.remaining,
            all.reserved,
            all.debt,
            all.subjects,
            all.dropped,
            all.waiting,
        ];
        families.into_iter().map(|Family(family)| family).collect()
    }
}

// === impl Family ===

impl Family {
    fn new(metric: &'static Metric) -> Self {
        Self(FamilySnapshot {
            metric,
            samples: Vec::new(),
        })
    }

    fn add(&mut self, labels: &[(&'static str, &str)], value: f64) {
        let sample = Sample::new(self.0.metric, labels, SampleValue::Float(value));
        self.0.samples.push(sample);
    }
}

fn kind_labels(kind: QuotaKind) -> [(&'static str, &'static str); 2] {
    let period = match kind {
        QuotaKind::Amount(_, period) => period.name(),
        QuotaKind::Concurrent => label::NO_PERIOD,
    };
    [("of", kind.key()), ("period", period)]
}

/// Budgets are counted in picodollars.
fn in_units(kind: QuotaKind, amount: u64) -> f64 {
    match kind {
        QuotaKind::Amount(LimitUnit::Budget, _) => amount as f64 / PICODOLLARS,
        _ => amount as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SUBJECTS, by_rule};
    use crate::config::{LimitUnit, Period};
    use crate::limits::{QuotaKind, QuotaReport, RuleReport};

    fn report(subject: &str, used: u64) -> RuleReport {
        RuleReport {
            rule: "r".into(),
            subject: subject.into(),
            model: None,
            user: None,
            provider: None,
            observes: false,
            quotas: vec![QuotaReport {
                kind: QuotaKind::Amount(LimitUnit::Tokens, Period::Day),
                limit: 1000,
                used,
                reserved: Some(1),
                remaining: 1000_u64.saturating_sub(used),
                reset: None,
            }],
        }
    }

    #[test]
    fn the_fullest_have_names_and_the_others_are_together() {
        let count = MAX_SUBJECTS as u64 + 20;
        // In no order.
        let reports = (0..count).map(|it| report(&format!("key k{it:04}"), it * 7 % count));
        let rules = by_rule(reports.collect(), |_| true);
        let rule = &rules["r"];
        assert_eq!(rule.subjects as u64, count);
        assert_eq!(rule.named.len(), MAX_SUBJECTS);
        assert!(
            rule.named
                .is_sorted_by(|one, other| one.subject < other.subject)
        );
        let least = rule
            .named
            .iter()
            .map(|it| it.ratio)
            .fold(f64::MAX, f64::min);
        assert!((least - 0.02).abs() < 1e-9, "{least}");
        let [other] = rule.other[..] else {
            panic!("not one amount");
        };
        assert!((other.ratio - 0.019).abs() < 1e-9, "{}", other.ratio);
        assert_eq!((other.remaining, other.reserved), (981, Some(20)));
    }

    #[test]
    fn names_of_clients_are_not_shown() {
        let mut user = report("key a", 3);
        user.user = Some("canary".into());
        let mut model = report("key a", 1200);
        model.model = Some("up/canary".into());
        let mut alias = report("", 10);
        alias.model = Some("fast".into());
        let mut provider = report("team t", 11);
        provider.provider = Some("up".into());
        let reports = vec![user, model, alias, provider, report("", 1)];
        let rules = by_rule(reports, |model| model == "fast");
        let rule = &rules["r"];
        let named: Vec<_> = rule.named.iter().map(|it| &*it.subject).collect();
        assert_eq!(named, ["all", "model fast", "team t, provider up"]);
        let other = &rule.other[0];
        assert_eq!((other.remaining, other.reserved), (0, Some(2)));
        assert!((other.ratio - 1.2).abs() < 1e-9);
        assert_eq!(rule.debts.iter().map(|(_, debt)| debt).sum::<u64>(), 200);
    }

    #[test]
    fn an_amount_of_0_has_no_share() {
        let mut blocked = report("key a", 0);
        blocked.quotas[0].limit = 0;
        let rules = by_rule(vec![blocked], |_| true);
        assert!(rules["r"].named[0].quotas.is_empty());
    }
}
