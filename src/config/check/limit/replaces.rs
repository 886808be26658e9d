//! `replaces`.

use std::collections::BTreeSet;

use super::RuleCheck;
use super::names::LimitScope;
use crate::config::LimitRule;
use crate::config::check::Checker;
use crate::config::error::{KeyPath, nearest};

pub fn check(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let RuleCheck { path, rule, .. } = check;
    let Some(name) = &rule.replaces else {
        return;
    };
    let path = path.key("replaces");
    if *name == rule.name {
        checker.error(&path, "names itself; name another limit, or remove it");
        return;
    }
    let Some(replaced) = scope.rules.iter().find(|it| it.name == *name) else {
        let text = match nearest(name, scope.rules.iter().map(|it| &*it.name)) {
            Some(meant) => format!("unknown limit {name:?}; did you mean {meant:?}?"),
            None => format!("unknown limit {name:?}; write [limits.{name}], or remove it"),
        };
        checker.error(&path, text);
        return;
    };
    if rule.is_per_attempt() != replaced.is_per_attempt() {
        let text = format!(
            "{name:?} cannot be replaced: of the two, only one is for providers, and so counts \
             attempts instead of requests"
        );
        checker.error(&path, text);
    } else if scope.names_of(&[rule, replaced]).is_empty()
        || !share_a_provider(rule, replaced, scope)
    {
        let text = format!(
            "never holds for a request that {name:?} holds for, so that it replaces nothing; \
             correct what the two are for, or remove it"
        );
        checker.error(&path, text);
    } else if replaces_all_of(rule, replaced, scope) {
        let text = format!(
            "{name:?} never holds: this one replaces it for all that it is for; remove \
             [limits.{name}], or say by `keys`, `teams` or `models` what this one is for"
        );
        checker.error(&path, text);
    }
}

fn share_a_provider(one: &LimitRule, other: &LimitRule, scope: &LimitScope<'_>) -> bool {
    let mut providers = scope.config.providers.keys();
    providers.any(|provider| one.matches_provider(provider) && other.matches_provider(provider))
}

/// As far as is certain: of models, only equal lists are compared.
fn replaces_all_of(rule: &LimitRule, replaced: &LimitRule, scope: &LimitScope<'_>) -> bool {
    let covers = |own: Option<Vec<String>>, others: Option<Vec<String>>| {
        own.is_none_or(|own| others.is_some_and(|others| others.iter().all(|it| own.contains(it))))
    };
    let texts = |globs: &Option<Vec<wildmatch::WildMatch>>| {
        let globs = globs.as_ref()?.iter().map(ToString::to_string);
        Some(globs.collect::<Vec<_>>())
    };
    covers(texts(&rule.models), texts(&replaced.models))
        && covers(texts(&rule.providers), texts(&replaced.providers))
        && scope
            .clients_of(replaced)
            .all(|client| rule.holds_for(client))
}

/// In a circle, no limit would be left.
pub fn check_cycles(checker: &mut Checker<'_>, rules: &[LimitRule]) {
    let next = |name: &str| {
        let rule = rules.iter().find(|rule| rule.name == name)?;
        rule.replaces.as_deref()
    };
    let mut reported = BTreeSet::new();
    for rule in rules {
        let mut trail = vec![&*rule.name];
        let mut at = next(&rule.name);
        while let Some(name) = at.filter(|name| !trail.contains(name)) {
            trail.push(name);
            at = next(name);
        }
        let is_circle = at == Some(&*rule.name) && trail.len() > 1;
        if is_circle && !trail.iter().any(|name| reported.contains(name)) {
            let text = format!(
                "a circle: {} -> {}; remove one of them",
                trail.join(" -> "),
                rule.name
            );
            checker.error(&KeyPath::new(["limits", &rule.name, "replaces"]), text);
            reported.extend(trail);
        }
    }
}
