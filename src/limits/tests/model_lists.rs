//! The rules of a model: by its id, and by its name.

use std::sync::Arc;

use wildmatch::WildMatch;

use super::{amount, at, one_request, rule, rules, usage};
use crate::catalog::Catalog;
use crate::catalog::tests::config;
use crate::config::{LimitBy, LimitRule, LimitUnit, Period};
use crate::limits::LimitSet;
use crate::limits::take::Turn;

fn for_models(name: &str, models: &str) -> LimitRule {
    let amounts = [amount(LimitUnit::Requests, 100_000, Period::Day)];
    LimitRule {
        models: Some(vec![WildMatch::new(models)]),
        ..rule(name, &[LimitBy::Key], &amounts)
    }
}

/// The names of the rules that a request takes from.
fn found(set: &LimitSet, id: Option<usize>, model: &str) -> Vec<String> {
    let limits = set.caller(Some(0)).for_model(id, model).unwrap();
    let taken = limits.take(None, at(0), &usage(one_request()), Turn::NEW);
    let taken = taken.unwrap();
    let subjects = taken.held.subjects().iter();
    let names = subjects.map(|it| it.lock_any().terms().rule.to_string());
    names.collect()
}

#[test]
fn a_model_has_the_rules_that_match_its_name() {
    let catalog = Catalog::new(&config(""));
    let mut special = for_models("special", "faster");
    special.replaces = Some("all".to_owned());
    let mut all = for_models("all", "");
    all.models = None;
    let set = rules(&[all, for_models("fast", "fast*"), special]);
    let id = |name: &str| {
        let resolved = catalog.resolve(name, |_| true).unwrap();
        resolved.model.id_of(name)
    };
    let check = || {
        for (name, expected) in [
            ("fast", &["all", "fast"][..]),
            ("faster", &["fast", "special"]),
            ("ready/fast", &["all"]),
            ("ready/other", &["all"]),
        ] {
            assert_eq!(found(&set, id(name), name), expected, "{name}");
            assert_eq!(found(&set, None, name), expected, "{name}");
        }
    };
    assert!(id("fast").is_some() && id("ready/fast").is_none());
    check();
    set.index_models(&catalog);
    check();
    // More names than are remembered.
    for number in 0..1_100 {
        assert_eq!(found(&set, None, &format!("fast-{number}")).len(), 2);
    }
    check();
}

#[test]
fn what_is_learned_of_a_model_outlives_a_reload() {
    let catalog = Catalog::new(&config(""));
    let config_of = || {
        [rule(
            "all",
            &[],
            &[amount(LimitUnit::Tokens, 9, Period::Day)],
        )]
    };
    let first = rules(&config_of());
    first.index_models(&catalog);
    let resolved = catalog.resolve("fast", |_| true).unwrap();
    let id = resolved.model.id_of("fast");
    let learned = |set: &LimitSet, id, name| {
        let limits = set.caller(Some(0)).for_model(id, name);
        limits.unwrap().learned_usage()
    };
    let before = learned(&first, id, "fast");
    before.learn_input(100, 50);
    assert!(Arc::ptr_eq(&before, &learned(&first, id, "fast")));
    assert!(!Arc::ptr_eq(&before, &learned(&first, None, "faster")));
    let second = LimitSet::new(&config_of(), &super::access(), Some(&first), None);
    second.index_models(&catalog);
    assert!(Arc::ptr_eq(&before, &learned(&second, id, "fast")));
}
