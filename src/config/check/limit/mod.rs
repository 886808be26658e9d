//! `[limits]`.

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Config, LimitRule, check_name, raw};

mod amount;
mod budget;
mod fallback;
mod keys;
mod matchers;
mod names;
mod read;
mod replaces;
mod unreached;

use names::LimitScope;

/// A rule as written and as read.
struct RuleCheck<'a> {
    path: KeyPath,
    raw: &'a raw::Limit,
    rule: &'a LimitRule,
}

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Config, config: &Config) -> Vec<LimitRule> {
    let table = KeyPath::new(["limits"]);
    let read = raw.limits.iter().map(|(name, written)| {
        let path = table.key(name);
        if let Err(text) = check_name(name) {
            checker.error(&path, text);
        }
        read::rule(checker, &path, name, written)
    });
    let rules: Vec<LimitRule> = read.collect();
    let checks = raw.limits.values().zip(&rules).map(|(raw, rule)| {
        let path = table.key(&rule.name);
        RuleCheck { path, raw, rule }
    });
    let checks: Vec<RuleCheck<'_>> = checks.collect();
    let scope = LimitScope::new(raw, config, &rules);
    for check in &checks {
        keys::check(checker, check, config.store.is_some());
        unreached::check(checker, check);
        // What holds for nothing has one error, and no others that follow from it.
        if matchers::check(checker, check, &scope) {
            replaces::check(checker, check, &scope);
            budget::check(checker, check, &scope);
            fallback::check(checker, check, &scope);
        }
    }
    replaces::check_cycles(checker, &rules);
    fallback::check_cycles(checker, &scope);
    rules
}
