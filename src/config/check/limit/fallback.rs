//! `at_limit = "fallback:ALIAS"`.

use std::collections::BTreeSet;

use super::RuleCheck;
use super::names::{LimitScope, NameSource};
use crate::config::check::Checker;
use crate::config::error::{KeyPath, nearest};
use crate::config::model::is_pattern;
use crate::config::{AtLimit, LimitBy, LimitRule, ModelConfig};

pub fn check(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let RuleCheck { path, rule, .. } = check;
    let AtLimit::Fallback(alias) = &rule.at_limit else {
        return;
    };
    let path = path.key("at_limit");
    if rule.is_per_attempt() {
        let text = "a provider that has nothing left is passed over; write `fallbacks` of the \
                    model instead, and remove this";
        checker.error(&path, text);
        return;
    }
    let models = &scope.config.models;
    if is_pattern(alias) {
        checker.error(&path, "a pattern names no model; write the alias of one");
        return;
    }
    let Some(model) = models.get(alias) else {
        let text = match nearest(alias, models.keys().map(String::as_str)) {
            Some(meant) => format!("unknown model {alias:?}; did you mean {meant:?}?"),
            None => format!("unknown model {alias:?}; write [models.{alias}]"),
        };
        checker.error(&path, text);
        return;
    };
    let mut clients = scope.clients_of(rule);
    if !clients.any(|client| client.may_use(alias)) {
        let text = format!(
            "no client that the limit is for may use {alias:?}; add it to `models` of the key"
        );
        checker.error(&path, text);
    } else if only_for(rule, model, scope) {
        let text = format!("the limit is for {alias:?} alone; write the alias of another model");
        checker.error(&path, text);
    } else if would_refuse_again(rule, model, scope) {
        let text = format!(
            "the limit holds for {alias:?} as well, so that it would refuse the request there \
             too; leave that out by `models`, or write a limit with models = [{alias:?}] and \
             replaces = {:?}",
            rule.name
        );
        checker.error(&path, text);
    }
}

fn only_for(rule: &LimitRule, model: &ModelConfig, scope: &LimitScope<'_>) -> bool {
    let names = scope.names_of(&[rule]);
    names.iter().all(|names| match names.source {
        NameSource::Alias(it) => it.alias == model.alias,
        _ => false,
    })
}

fn would_refuse_again(rule: &LimitRule, model: &ModelConfig, scope: &LimitScope<'_>) -> bool {
    // Another model has amounts of its own.
    !rule.per.contains(&LimitBy::Model) && scope.holds_for_alias(rule, &model.alias)
}

/// A limit sends requests to a model whose limit sends them back.
pub fn check_cycles(checker: &mut Checker<'_>, scope: &LimitScope<'_>) {
    let next: Vec<Vec<usize>> = scope.rules.iter().map(|it| next(it, scope)).collect();
    let mut reported = BTreeSet::new();
    for (first, rule) in scope.rules.iter().enumerate() {
        let mut trail = vec![first];
        if !leads_back(&mut trail, &next, &mut BTreeSet::new()) {
            continue;
        }
        let cycle = trail.iter().filter_map(|index| scope.rules.get(*index));
        let names: BTreeSet<&str> = cycle.clone().map(|rule| &*rule.name).collect();
        if reported.insert(names) {
            let aliases: Vec<&str> = cycle.filter_map(alias).collect();
            let text = format!(
                "fallbacks of limits in a circle: {} -> {}; remove one of them",
                aliases.join(" -> "),
                alias(rule).unwrap_or_default()
            );
            checker.error(&KeyPath::new(["limits", &rule.name, "at_limit"]), text);
        }
    }
}

/// The rules that would send a request on from the alias that this one sends it to.
fn next(rule: &LimitRule, scope: &LimitScope<'_>) -> Vec<usize> {
    let Some(target) = alias(rule) else {
        return Vec::new();
    };
    let rules = scope.rules.iter().enumerate();
    let next = rules.filter(|(_, rule)| {
        let is_chained = alias(rule).is_some_and(|it| it != target);
        is_chained && scope.holds_for_alias(rule, target)
    });
    next.map(|(index, _)| index).collect()
}

/// Extends the trail from its last rule until that leads to the first one. Rules in `seen`
/// do not lead there.
fn leads_back(trail: &mut Vec<usize>, next: &[Vec<usize>], seen: &mut BTreeSet<usize>) -> bool {
    let (first, last) = (trail.first().copied(), trail.last().copied());
    let Some(reached) = last.and_then(|last| next.get(last)) else {
        return false;
    };
    for rule in reached {
        if Some(*rule) == first && first != last {
            return true;
        }
        if Some(*rule) != first && seen.insert(*rule) {
            trail.push(*rule);
            if leads_back(trail, next, seen) {
                return true;
            }
            trail.pop();
        }
    }
    false
}

fn alias(rule: &LimitRule) -> Option<&str> {
    match &rule.at_limit {
        AtLimit::Fallback(alias) => Some(alias),
        _ => None,
    }
}
