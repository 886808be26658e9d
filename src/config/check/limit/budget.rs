//! A budget cannot count what has no price.

use std::collections::BTreeSet;

use super::RuleCheck;
use super::names::{LimitScope, ModelNames, NameSource};
use crate::config::check::Checker;
use crate::config::{LimitUnit, ModelConfig, ProviderConfig};

pub fn check(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let rule = check.rule;
    if !rule.amounts.iter().any(|it| it.of == LimitUnit::Budget) {
        return;
    }
    let mut seen = BTreeSet::new();
    for names in scope.names_of(&[rule]) {
        match names.source {
            NameSource::Alias(model) if !names.is_pattern() => {
                if scope.holds_for_alias(rule, &model.alias) {
                    check_alias(checker, check, scope, model, &mut seen);
                }
            }
            NameSource::Alias(_) | NameSource::Provider(_) => {
                check_pattern(checker, check, scope, names);
            }
            NameSource::Demo => {}
        }
    }
}

/// An alias of the built-in table may be one that no client asks for.
fn check_alias<'a>(
    checker: &mut Checker<'_>,
    check: &RuleCheck<'_>,
    scope: &LimitScope<'a>,
    model: &'a ModelConfig,
    seen: &mut BTreeSet<(&'a str, &'a str)>,
) {
    let path = check.path.key("budget");
    let steps = model.plan_steps(&scope.config.models);
    for target in steps.iter().flat_map(|step| &step.targets) {
        let (provider, upstream_model) = (&*target.provider, &*target.upstream_model);
        let Some(settings) = scope.config.providers.get(provider) else {
            continue;
        };
        let is_priced = if target.named_by_client {
            settings.prices.has_price_within(upstream_model)
        } else {
            settings.prices.get(upstream_model).is_some()
        };
        let is_counted = check.rule.matches_provider(provider);
        if is_priced || !is_counted || !seen.insert((provider, upstream_model)) {
            continue;
        }
        let alias = &model.alias;
        let text = format!(
            "{alias:?} can go to {upstream_model:?} of {provider}, which has no price; write \
             [prices.\"{provider}/{upstream_model}\"], with input and output = \"0\" if it is free, or leave \
             the model out by `models`"
        );
        if !model.builtin {
            checker.error(&path, text);
        } else if settings.is_ready() {
            checker.warn(checker.layers.location(&path), &path, text);
        }
    }
}

/// Which names of a pattern are called is not known here; one without a price is refused.
fn check_pattern(
    checker: &mut Checker<'_>,
    check: &RuleCheck<'_>,
    scope: &LimitScope<'_>,
    names: &ModelNames<'_>,
) {
    let providers = &scope.config.providers;
    let is_unpriced = |provider: &&ProviderConfig, model: &str| {
        provider.is_ready()
            && check.rule.matches_provider(&provider.name)
            && !provider.prices.has_price_within(model)
    };
    let unpriced = match names.source {
        NameSource::Alias(model) => {
            let mut targets = model.targets.iter();
            targets.find_map(|target| {
                let provider = providers.get(&target.provider);
                provider.filter(|it| is_unpriced(it, &target.upstream_model))
            })
        }
        NameSource::Provider(name) => providers.get(name).filter(|it| is_unpriced(it, "*")),
        NameSource::Demo => None,
    };
    if let Some(ProviderConfig { name, .. }) = unpriced {
        let path = check.path.key("budget");
        let glob = &names.glob;
        let text = format!(
            "requests for {glob:?} are refused under it, as {name} has no prices for them; write \
             [prices.\"{name}/*\"], with input and output = \"0\" if they are free, or leave these models \
             out by `models`"
        );
        checker.warn(checker.layers.location(&path), &path, text);
    }
}
