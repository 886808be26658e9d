//! Keys that would have no effect: they would be taken for a limit.

use super::RuleCheck;
use crate::config::check::Checker;
use crate::config::error::KeyPath;
use crate::config::{Amount, AtLimit, LimitBy, LimitUnit, Period, Unmetered};

pub fn check(checker: &mut Checker<'_>, check: &RuleCheck<'_>, has_store: bool) {
    // An amount that is misspelt may be the one that a key is for.
    if checker.is_pruned(&check.path) || has_unread_amounts(check) {
        return;
    }
    check_usage_keys(checker, check);
    check_calendar_keys(checker, check);
    check_waiting(checker, check);
    check_user_keys(checker, check);
    check_store_keys(checker, check, has_store);
}

fn has_unread_amounts(check: &RuleCheck<'_>) -> bool {
    let raw = check.raw;
    let written = [
        &raw.requests,
        &raw.tokens,
        &raw.input_tokens,
        &raw.output_tokens,
        &raw.budget,
    ];
    let count: usize = written.iter().map(|texts| texts.len()).sum();
    count != check.rule.amounts.len()
}

fn check_usage_keys(checker: &mut Checker<'_>, check: &RuleCheck<'_>) {
    let RuleCheck { path, raw, rule } = check;
    let counts = |units: &[LimitUnit]| rule.amounts.iter().any(|it| units.contains(&it.of));
    let counts_prompts = counts(&[LimitUnit::Tokens, LimitUnit::InputTokens]);
    let has_budget = counts(&[LimitUnit::Budget]);
    let counts_usage = counts_prompts || has_budget || counts(&[LimitUnit::OutputTokens]);
    if raw.cached.is_some() && !counts_prompts {
        let text = "has no effect without an amount of tokens or input_tokens; remove it";
        checker.error(&path.key("cached"), text);
    }
    let without = "has no effect without an amount of tokens or a budget; remove it";
    if raw.reserve.is_some() && !counts_usage {
        checker.error(&path.key("reserve"), without);
    }
    if raw.unmetered.is_some() && !counts_usage {
        checker.error(&path.key("unmetered"), without);
    } else if matches!(rule.unmetered, Unmetered::Cost(_)) && !has_budget {
        let text = "a price for each call has no effect without a budget; write \"allow\" or \
                    \"refuse\"";
        checker.error(&path.key("unmetered"), text);
    }
}

fn check_calendar_keys(checker: &mut Checker<'_>, check: &RuleCheck<'_>) {
    let RuleCheck { path, raw, rule } = check;
    let mut periods = rule.amounts.iter().map(|it| it.period);
    if raw.month_starts_on.is_some() && !periods.clone().any(|it| it == Period::Month) {
        let text = "has no effect without an amount for a month; remove it";
        checker.error(&path.key("month_starts_on"), text);
    }
    let has_days = periods.any(|it| matches!(it, Period::Day | Period::Week | Period::Month));
    if raw.time_zone.is_some() && !has_days {
        let text = "has no effect without an amount for a day, week or month; remove it";
        checker.error(&path.key("time_zone"), text);
    }
}

fn check_waiting(checker: &mut Checker<'_>, check: &RuleCheck<'_>) {
    let RuleCheck { path, raw, rule } = check;
    let waits = !rule.wait.is_zero();
    let mut amounts = rule.amounts.iter();
    let comes_back = |it: &Amount| it.period.refill().is_some() || it.of != LimitUnit::Requests;
    let can_wait = amounts.any(comes_back) || rule.concurrent.is_some();
    if waits && !can_wait {
        let text = "nothing waits for requests of a day or longer; remove it, or add a rate \
                    such as requests = [\"60/minute\"]";
        checker.error(&path.key("wait"), text);
    } else if waits && rule.is_per_attempt() {
        let text =
            "attempts do not wait: a provider that has nothing left is passed over; remove it";
        checker.error(&path.key("wait"), text);
    } else if waits && rule.at_limit == AtLimit::Observe {
        let text = "a limit that only observes lets every request pass at once; remove it";
        checker.error(&path.key("wait"), text);
    } else if waits && rule.max_waiting == 0 {
        let text = "0, so that no request may wait; remove `wait`, or write 1 or more";
        checker.error(&path.key("max_waiting"), text);
    }
    if raw.max_waiting.is_some() && !waits {
        let text = "has no effect without `wait`; set that too, or remove it";
        checker.error(&path.key("max_waiting"), text);
    }
}

fn check_user_keys(checker: &mut Checker<'_>, check: &RuleCheck<'_>) {
    let RuleCheck { path, raw, rule } = check;
    if raw.user_header.is_some() && !rule.per.contains(&LimitBy::User) {
        let text = "has no effect without per = [\"user\"]; remove it";
        checker.error(&path.key("user_header"), text);
    }
    // The number of keys and teams is that of the configuration.
    let is_open = |by: &LimitBy| matches!(by, LimitBy::User | LimitBy::Model | LimitBy::Provider);
    if raw.max_subjects.is_some() && !rule.per.iter().any(is_open) {
        let text = "has no effect without per = [\"user\"] or [\"model\"]; remove it";
        checker.error(&path.key("max_subjects"), text);
    }
}

fn check_store_keys(checker: &mut Checker<'_>, check: &RuleCheck<'_>, has_store: bool) {
    let RuleCheck { path, raw, rule } = check;
    let text = if raw.without.is_none() || checker.is_pruned(&KeyPath::new(["store"])) {
        return;
    } else if !has_store {
        "has no effect without a [store]; add one, or remove it"
    } else if rule.at_limit == AtLimit::Observe {
        "a limit that only observes lets every request pass; remove it"
    } else {
        return;
    };
    checker.error(&path.key("without"), text);
}
