//! `[prices."PROVIDER/MODEL"]`, merged with the built-in prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::Checker;
use crate::config::error::{KeyPath, nearest};
use crate::config::preset::Presets;
use crate::config::price::{self, is_pattern, split_key};
use crate::config::{BaseUrl, Price, PriceList, ProviderConfig, raw};

/// Sets the price lists of all providers.
pub fn resolve(
    checker: &mut Checker<'_>,
    raw: &raw::Config,
    presets: &Presets,
    providers: &mut BTreeMap<String, ProviderConfig>,
) {
    let table = KeyPath::new(["prices"]);
    for (key, written) in &raw.prices {
        let path = table.key(key);
        let price = price(checker, &path, written);
        let Some((name, model)) = split_key(key) else {
            let text = "not \"provider/model\"; write a key such as \"openai/gpt-4o\"";
            checker.error(&path, text);
            continue;
        };
        let pattern = WildMatch::new(name);
        let mut found = false;
        for provider in providers.values_mut() {
            if pattern.matches(&provider.name) {
                provider.prices.add(model, price.clone());
                found = true;
            }
        }
        // The key may name a provider that has errors of its own.
        let is_named = raw.providers.contains_key(name) || presets.providers.contains_key(name);
        if !found && !is_named && !is_pattern(name) {
            report_unknown_provider(checker, &path, name, providers);
        }
    }
    for (name, provider) in providers {
        let own = raw.providers.get(name);
        if let Some(wanted) = own.and_then(|own| own.prices.as_deref()) {
            if !add_builtin(&mut provider.prices, wanted, presets) {
                let path = KeyPath::new(["providers", name, "prices"]);
                report_no_prices(checker, &path, wanted, presets);
            }
        } else if uses_builtin_url(provider, presets) {
            add_builtin(&mut provider.prices, name, presets);
        }
    }
}

/// None for a row without a price.
fn price(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Price) -> Option<Arc<Price>> {
    let (price, errors) = price::read(raw);
    for error in errors {
        let at = error
            .path
            .iter()
            .fold(path.clone(), |path, key| path.key(key));
        if !(error.is_missing && checker.is_pruned(&at)) {
            checker.error(&at, error.text);
        }
    }
    price.map(Arc::new)
}

/// Built-in prices apply to the provider's own API only, not to another one
/// configured under its name.
fn uses_builtin_url(provider: &ProviderConfig, presets: &Presets) -> bool {
    let BaseUrl::Set { url, .. } = &provider.base_url else {
        return false;
    };
    let builtin_url = presets.providers.get(&provider.name);
    let builtin_url = builtin_url.and_then(|preset| preset.settings.base_url.as_deref());
    builtin_url.is_some_and(|builtin_url| {
        builtin_url.trim_end_matches('/') == url.as_str().trim_end_matches('/')
    })
}

/// False when there are no built-in prices of this provider.
fn add_builtin(list: &mut PriceList, provider: &str, presets: &Presets) -> bool {
    let rows = &presets.prices.rows;
    let mut found = false;
    for row in rows.iter().filter(|row| row.provider == provider) {
        list.add_builtin(&row.model, &row.price);
        found = true;
    }
    found
}

fn report_unknown_provider(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    name: &str,
    providers: &BTreeMap<String, ProviderConfig>,
) {
    let hint = match nearest(name, providers.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "write a [providers] table for it, or name a built-in one".into(),
    };
    checker.error(path, format!("unknown provider {name:?}; {hint}"));
}

fn report_no_prices(checker: &mut Checker<'_>, path: &KeyPath, name: &str, presets: &Presets) {
    let mut known: Vec<_> = presets
        .prices
        .rows
        .iter()
        .map(|row| &*row.provider)
        .collect();
    known.dedup();
    let known = known.join(", ");
    checker.error(
        path,
        format!("no built-in prices for {name:?}; available: {known}"),
    );
}
