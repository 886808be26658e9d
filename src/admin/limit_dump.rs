//! The rules of `[limits]` as shown by `/config`.

use http::HeaderName;
use serde_json::{Map, Value, json};
use wildmatch::WildMatch;

use crate::config::{Amount, AtLimit, LimitRule, LimitUnit, Unmetered};
use crate::error_response::{Dollars, amount_text};
use crate::limits::QuotaKind;

/// The rules by name, in the terms of the configuration.
pub fn to_json(rules: &[LimitRule]) -> Value {
    let rules = rules.iter().map(|rule| (rule.name.clone(), dump(rule)));
    Value::Object(rules.collect())
}

fn dump(rule: &LimitRule) -> Value {
    let mut dump = json!({
        "keys": globs(rule.keys.as_deref()),
        "teams": globs(rule.teams.as_deref()),
        "models": globs(rule.models.as_deref()),
        "providers": globs(rule.providers.as_deref()),
        "per": rule.per,
        "concurrent": rule.concurrent,
        "replaces": rule.replaces,
        "time_zone": rule.time_zone.iana_name(),
        "month_starts_on": rule.month_starts_on,
        "reserve": rule.reserve,
        "at_limit": at_limit(&rule.at_limit),
        "wait_s": rule.wait.as_secs_f64(),
        "max_waiting": rule.max_waiting,
        "cached": f64::from(rule.cached) / 1000.0,
        "unmetered": unmetered(rule.unmetered),
        "user_header": rule.user_header.as_ref().map(HeaderName::as_str),
        "max_subjects": rule.max_subjects,
        "without": rule.without,
    });
    if let Some(dump) = dump.as_object_mut() {
        dump.extend(amounts(&rule.amounts));
    }
    dump
}

fn globs(globs: Option<&[WildMatch]>) -> Option<Vec<String>> {
    globs.map(|globs| globs.iter().map(ToString::to_string).collect())
}

/// By unit, each as it is written.
fn amounts(amounts: &[Amount]) -> Map<String, Value> {
    let by_unit = LimitUnit::ALL.map(|unit| {
        let own = amounts.iter().filter(|amount| amount.of == unit);
        (unit.key().to_owned(), own.map(amount).collect())
    });
    by_unit.into_iter().collect()
}

fn amount(amount: &Amount) -> String {
    let Amount {
        of, period, burst, ..
    } = *amount;
    let number = amount_text(QuotaKind::Amount(of, period), amount.amount);
    let burst = burst.map_or_else(String::new, |burst| format!(" burst {burst}"));
    format!("{number}/{}{burst}", period.name())
}

fn at_limit(at_limit: &AtLimit) -> String {
    match at_limit {
        AtLimit::Refuse => "refuse".to_owned(),
        AtLimit::Observe => "observe".to_owned(),
        AtLimit::Fallback(alias) => format!("fallback:{alias}"),
    }
}

fn unmetered(unmetered: Unmetered) -> String {
    match unmetered {
        Unmetered::Refuse => "refuse".to_owned(),
        Unmetered::Allow => "allow".to_owned(),
        Unmetered::Cost(picodollars) => Dollars(picodollars).to_string(),
    }
}
