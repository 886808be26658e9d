//! `[prices."PROVIDER/MODEL"]`, over the built-in table.

use std::collections::BTreeMap;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::Check;
use crate::config::error::{KeyPath, nearest};
use crate::config::preset::Presets;
use crate::config::price::{is_pattern, rate, split};
use crate::config::{BaseUrl, Price, PriceList, Provider, raw};

/// Gives each provider the prices that hold for it.
pub fn settle(
    check: &mut Check<'_>,
    raw: &raw::Config,
    presets: &Presets,
    providers: &mut BTreeMap<String, Provider>,
) {
    let table = KeyPath::new(["prices"]);
    for (key, written) in &raw.prices {
        let path = table.key(key);
        let price = price(check, &path, written);
        let Some((name, model)) = split(key) else {
            let text = "a price is for \"provider/model\", such as \"openai/gpt-4o\"";
            check.fault(&path, text);
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
        // A provider that is at fault still is what the key names.
        let is_named = raw.providers.contains_key(name) || presets.providers.contains_key(name);
        if !found && !is_named && !is_pattern(name) {
            unknown(check, &path, name, providers);
        }
    }
    for (name, provider) in providers {
        let own = raw.providers.get(name);
        if let Some(wanted) = own.and_then(|own| own.prices.as_deref()) {
            if !add_builtin(&mut provider.prices, wanted, presets) {
                let path = KeyPath::new(["providers", name, "prices"]);
                no_list(check, &path, wanted, presets);
            }
        } else if is_at_home(provider, presets) {
            add_builtin(&mut provider.prices, name, presets);
        }
    }
}

/// A price as it is written; none where nothing is.
fn price(check: &mut Check<'_>, path: &KeyPath, raw: &raw::Price) -> Option<Arc<Price>> {
    let mut read = |name: &str, text: &Option<String>| {
        let text = text.as_deref()?;
        Some(check.settle(&path.key(name), rate(text), 0))
    };
    let input = read("input", &raw.input);
    let cached_input = read("cached_input", &raw.cached_input);
    let output = read("output", &raw.output);
    if let Some(input) = input {
        return Some(Arc::new(Price::new(input, cached_input, output)));
    }
    if (cached_input.is_some() || output.is_some()) && !check.is_spoiled(path) {
        let text = "input is missing; write it, \"0\" where the prompt is free";
        check.fault(path, text);
    }
    None
}

/// The built-in prices are those of the provider itself, so that they do not
/// hold for whoever else answers by its name.
fn is_at_home(provider: &Provider, presets: &Presets) -> bool {
    let BaseUrl::Set { url, .. } = &provider.base_url else {
        return false;
    };
    let home = presets.providers.get(&provider.name);
    let home = home.and_then(|preset| preset.settings.base_url.as_deref());
    home.is_some_and(|home| home.trim_end_matches('/') == url.as_str().trim_end_matches('/'))
}

/// False when the built-in table knows no price of this provider.
fn add_builtin(list: &mut PriceList, provider: &str, presets: &Presets) -> bool {
    let rows = &presets.prices.rows;
    let mut found = false;
    for row in rows.iter().filter(|row| row.provider == provider) {
        list.add_builtin(&row.model, &row.price);
        found = true;
    }
    found
}

fn unknown(
    check: &mut Check<'_>,
    path: &KeyPath,
    name: &str,
    providers: &BTreeMap<String, Provider>,
) {
    let hint = match nearest(name, providers.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "write a [providers] table for it, or name a built-in one".into(),
    };
    check.fault(path, format!("no provider is called {name:?}; {hint}"));
}

fn no_list(check: &mut Check<'_>, path: &KeyPath, name: &str, presets: &Presets) {
    let mut known: Vec<_> = presets
        .prices
        .rows
        .iter()
        .map(|row| &*row.provider)
        .collect();
    known.dedup();
    let known = known.join(", ");
    check.fault(
        path,
        format!("no prices of {name:?} are built in; there are those of {known}"),
    );
}
