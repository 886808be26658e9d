//! The limits, and for which clients and models each of them holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use wildmatch::WildMatch;

use super::models::ready_models;
use crate::catalog::{DEMO, needs_demo};
use crate::config::{
    Amount, AtLimit, COST_DIGITS, Config, Decimal, LimitBy, LimitClient, LimitRule, LimitUnit,
    Period, Reserve, WithoutStore,
};

/// Names of clients or models on one line.
const MAX_NAMES: usize = 8;

/// What limits do not do.
pub fn note(config: &Config) -> Option<String> {
    let text = "limits hold for this process: of several replicas, each allows all of them, \
                unless they share a [store]";
    (!config.limits.is_empty() && config.store.is_none()).then(|| text.to_owned())
}

/// Writes the limits, and those that hold for each client and model.
pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    if config.limits.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nLimits:")?;
    let width = config.limits.iter().map(|rule| rule.name.len()).max();
    let width = width.unwrap_or_default();
    for rule in &config.limits {
        writeln!(out, "  {:width$}  {}", rule.name, description(rule))?;
    }
    for (names, lines) in by_client(config) {
        writeln!(out, "\nLimits of {}:", list(&names))?;
        for line in lines {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// Clients with the same limits for the same models, in the order of the first of each.
fn by_client(config: &Config) -> Vec<(Vec<String>, Vec<String>)> {
    let names = callable_names(config);
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut by_lines: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    // Of very many keys, most have the same lists.
    let mut by_lists: BTreeMap<_, usize> = BTreeMap::new();
    for client in LimitClient::all(&config.access) {
        let rules = config.limits.iter();
        let rules: Vec<bool> = rules.map(|rule| rule.holds_for(&client)).collect();
        let models = client.models.map(|globs| {
            let globs = globs.iter().map(WildMatch::pattern);
            globs.collect::<Vec<_>>()
        });
        let index = *by_lists.entry((rules, models)).or_insert_with(|| {
            let lines = lines_of(config, &client, &names);
            *by_lines.entry(lines).or_insert_with_key(|lines| {
                groups.push((Vec::new(), lines.clone()));
                groups.len() - 1
            })
        });
        if let Some((names, _)) = groups.get_mut(index) {
            names.push(client.name.unwrap_or("anyone").to_owned());
        }
    }
    groups
}

/// The names that clients call, and patterns of such names.
fn callable_names(config: &Config) -> Vec<String> {
    let aliases = ready_models(config).map(|model| model.alias.clone());
    let mut names: Vec<String> = aliases.collect();
    if needs_demo(config) {
        names.push(DEMO.to_owned());
    }
    if config.strict_models {
        return names;
    }
    let ready = config.providers.values().filter(|it| it.is_ready());
    let mut open: BTreeSet<String> = ready.map(|it| format!("{}/*", it.name)).collect();
    // Some of these names have limits of their own.
    let globs = config.limits.iter().filter_map(|rule| rule.models.as_ref());
    let globs = globs.flatten().filter(|glob| {
        let mut aliases = names.iter();
        !aliases.any(|name| glob.matches(name))
    });
    open.extend(globs.map(WildMatch::pattern));
    open.extend(config.default_provider.as_ref().map(|_| "*".to_owned()));
    names.extend(open);
    names
}

fn lines_of(config: &Config, client: &LimitClient<'_>, names: &[String]) -> Vec<String> {
    let mut groups: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for name in names.iter().filter(|name| client.may_use(name)) {
        let limits = client.limits(&config.limits, name);
        let limits: Vec<&str> = limits.iter().map(|rule| &*rule.name).collect();
        match groups.iter_mut().find(|(found, _)| *found == limits) {
            Some((_, names)) => names.push(name.clone()),
            None => groups.push((limits, vec![name.clone()])),
        }
    }
    let limits = |limits: &[&str]| match limits {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    match groups.as_slice() {
        [] => vec!["no model: its `models` match none that is ready".to_owned()],
        [(found, _)] => vec![format!("all models: {}", limits(found))],
        groups => {
            let lines = groups.iter();
            let lines = lines.map(|(found, names)| format!("{}: {}", list(names), limits(found)));
            lines.collect()
        }
    }
}

fn list(names: &[String]) -> String {
    let shown = names.get(..MAX_NAMES).unwrap_or(names).join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn description(rule: &LimitRule) -> String {
    let mut text = subject(rule);
    let amounts = rule.amounts.iter().map(amount);
    let concurrent = rule
        .concurrent
        .map(|count| format!("{} at a time", counted(&count.to_string(), "request")));
    let amounts: Vec<String> = amounts.chain(concurrent).collect();
    text.push_str(&amounts.join(", "));
    let mut add = |more: String| {
        text.push_str("; ");
        text.push_str(&more);
    };
    if let Some(globs) = &rule.providers {
        let globs: Vec<String> = globs.iter().map(ToString::to_string).collect();
        add(format!("of attempts at {}", globs.join(", ")));
    }
    if let Some(other) = &rule.replaces {
        add(format!("in place of {other}"));
    }
    if rule.reserve == Reserve::Worst {
        add("reserves the most that a request can use".to_owned());
    }
    if rule.wait > Duration::ZERO {
        add(format!(
            "waits up to {}",
            humantime::format_duration(rule.wait)
        ));
    }
    match rule.without {
        WithoutStore::Share => {}
        WithoutStore::Refuse => add("while the store is away, only what is leased".to_owned()),
        WithoutStore::Open => add("while the store is away, no limit".to_owned()),
    }
    match &rule.at_limit {
        AtLimit::Refuse => {}
        AtLimit::Observe => add("refuses nothing".to_owned()),
        AtLimit::Fallback(alias) => add(format!("then {alias}")),
    }
    text
}

fn subject(rule: &LimitRule) -> String {
    let names = rule.per.iter().map(|by| match by {
        LimitBy::Key => "key",
        LimitBy::Team => "team",
        LimitBy::Model => "model",
        LimitBy::Provider => "provider",
        LimitBy::User => "user",
    });
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return "all together: ".to_owned();
    }
    format!("each {}: ", names.join(" and "))
}

fn amount(amount: &Amount) -> String {
    let number = if amount.of == LimitUnit::Budget {
        let dollars = Decimal {
            units: amount.amount.into(),
            digits: COST_DIGITS,
        };
        dollars.to_string()
    } else {
        amount.amount.to_string()
    };
    let unit = match amount.of {
        LimitUnit::Budget => "dollar",
        LimitUnit::Requests => "request",
        LimitUnit::Tokens => "token",
        LimitUnit::InputTokens => "input token",
        LimitUnit::OutputTokens => "output token",
    };
    let number = counted(&number, unit);
    let period = match amount.period {
        Period::Total => "in total",
        period => period.with_article(),
    };
    let burst = amount.burst.map(|burst| format!(", {burst} at once"));
    format!("{number} {period}{}", burst.unwrap_or_default())
}

/// `1 dollar`, `2 dollars`
fn counted(number: &str, unit: &str) -> String {
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {unit}{plural}")
}
