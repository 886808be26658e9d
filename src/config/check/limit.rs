//! `[limits]`.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderName;
use jiff::tz::TimeZone;
use wildmatch::WildMatch;

use super::{Checker, key_models};
use crate::config::error::{KeyPath, nearest};
use crate::config::{
    Amount, AtLimit, Config, LimitBy, LimitRule, LimitUnit, Period, Unmetered, check_name, price,
    raw,
};

/// Decimal digits of a dollar, in picodollars.
const DOLLAR_DIGITS: usize = 12;
const AMOUNT_CURE: &str = "write a number and a period, such as \"60/minute\" or \"5000/day\"";
/// Requests that may wait for one subject.
const MAX_WAITING: usize = 64;
/// Users with amounts of their own.
const MAX_SUBJECTS: usize = 100_000;
/// Thousandths of a token.
const FULL: u16 = 1000;
const BUDGET_CURE: &str = "write dollars and a period, such as \"5/day\" or \"49.50/month\"";

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Config, config: &Config) -> Vec<LimitRule> {
    let table = KeyPath::new(["limits"]);
    let rules = raw.limits.iter().map(|(name, written)| {
        let path = table.key(name);
        if let Err(text) = check_name(name) {
            checker.error(&path, text);
        }
        let rule = rule(checker, &path, name, written);
        check_matchers(checker, &path, written, config);
        check_replaces(checker, &path, raw, name, written);
        check_prices(checker, &path, &rule, config);
        rule
    });
    rules.collect()
}

fn rule(checker: &mut Checker<'_>, path: &KeyPath, name: &str, raw: &raw::Limit) -> LimitRule {
    let mut amounts = Vec::new();
    for (of, written) in [
        (LimitUnit::Requests, &raw.requests),
        (LimitUnit::Tokens, &raw.tokens),
        (LimitUnit::InputTokens, &raw.input_tokens),
        (LimitUnit::OutputTokens, &raw.output_tokens),
        (LimitUnit::Budget, &raw.budget),
    ] {
        amounts.extend(read_amounts(checker, &path.key(of.key()), of, written));
    }
    if amounts.is_empty() && raw.concurrent.is_none() && !checker.is_pruned(path) {
        let text = "has no amount; write one such as requests = [\"60/minute\"], or remove it";
        checker.error(path, text);
    }
    let mut per = raw.per.clone();
    per.sort_unstable();
    per.dedup();
    LimitRule {
        name: name.to_owned(),
        keys: globs(raw.keys.as_deref()),
        teams: globs(raw.teams.as_deref()),
        models: globs(raw.models.as_deref()),
        providers: globs(raw.providers.as_deref()),
        per,
        amounts,
        concurrent: raw.concurrent.map(u64::from),
        replaces: raw.replaces.clone(),
        time_zone: time_zone(checker, &path.key("time_zone"), raw.time_zone.as_deref()),
        month_starts_on: raw
            .month_starts_on
            .map_or(1, |it| it.get().try_into().unwrap_or(1)),
        reserve: raw.reserve.unwrap_or_default(),
        at_limit: at_limit(checker, &path.key("at_limit"), raw.at_limit.as_deref()),
        wait: raw.wait.map_or(Duration::ZERO, |it| it.get()),
        max_waiting: raw.max_waiting.map_or(MAX_WAITING, |it| it.get() as usize),
        cached: cached(checker, &path.key("cached"), raw.cached.as_deref()),
        unmetered: unmetered(checker, &path.key("unmetered"), raw.unmetered.as_deref()),
        user_header: user_header(
            checker,
            &path.key("user_header"),
            raw.user_header.as_deref(),
        ),
        max_subjects: raw
            .max_subjects
            .map_or(MAX_SUBJECTS, |it| it.get() as usize),
    }
}

fn at_limit(checker: &mut Checker<'_>, path: &KeyPath, written: Option<&str>) -> AtLimit {
    match written {
        None | Some("refuse") => AtLimit::Refuse,
        Some("observe") => AtLimit::Observe,
        Some(text) => {
            let Some(alias) = text.strip_prefix("fallback:") else {
                let text = "write \"refuse\", \"observe\", or \"fallback:\" and an alias";
                checker.error(path, text);
                return AtLimit::Refuse;
            };
            AtLimit::Fallback(alias.trim().to_owned())
        }
    }
}

fn cached(checker: &mut Checker<'_>, path: &KeyPath, written: Option<&str>) -> u16 {
    match written {
        None | Some("full") => FULL,
        Some("free") => 0,
        Some(text) => {
            let share = price::decimal(text, 3).and_then(|it| u16::try_from(it).ok());
            share.filter(|it| *it <= FULL).unwrap_or_else(|| {
                let text = "write \"full\", \"free\", or a share from 0 to 1 such as \"0.1\"";
                checker.error(path, text);
                FULL
            })
        }
    }
}

fn unmetered(checker: &mut Checker<'_>, path: &KeyPath, written: Option<&str>) -> Unmetered {
    match written {
        None | Some("refuse") => Unmetered::Refuse,
        Some("allow") => Unmetered::Allow,
        Some(text) => price::decimal(text, DOLLAR_DIGITS).map_or_else(
            || {
                let text = "write \"refuse\", \"allow\", or dollars such as \"0.10\"";
                checker.error(path, text);
                Unmetered::Refuse
            },
            Unmetered::Cost,
        ),
    }
}

fn user_header(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    written: Option<&str>,
) -> Option<HeaderName> {
    let name = HeaderName::try_from(written?);
    if name.is_err() {
        checker.error(path, "not a header name, such as \"x-user-id\"");
    }
    name.ok()
}

fn globs(written: Option<&[String]>) -> Option<Vec<WildMatch>> {
    let globs = written?.iter().map(|glob| WildMatch::new(glob));
    Some(globs.collect())
}

fn time_zone(checker: &mut Checker<'_>, path: &KeyPath, name: Option<&str>) -> TimeZone {
    let Some(name) = name else {
        return TimeZone::UTC;
    };
    TimeZone::get(name).unwrap_or_else(|_| {
        let text = format!("unknown time zone {name:?}; write a name such as \"Europe/Berlin\"");
        checker.error(path, text);
        TimeZone::UTC
    })
}

fn read_amounts(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    of: LimitUnit,
    written: &[String],
) -> Vec<Amount> {
    let mut periods = BTreeSet::new();
    let mut amounts = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let path = path.index(index);
        match amount(of, text) {
            Ok(amount) if periods.insert(amount.period) => amounts.push(amount),
            Ok(amount) => {
                let text = format!("a second amount for a {}; keep one", amount.period.name());
                checker.error(&path, text);
            }
            Err(text) => checker.error(&path, text),
        }
    }
    amounts
}

fn amount(of: LimitUnit, text: &str) -> Result<Amount, String> {
    let is_budget = of == LimitUnit::Budget;
    let cure = if is_budget { BUDGET_CURE } else { AMOUNT_CURE };
    let Some((number, period)) = text.split_once('/') else {
        return Err(format!("not an amount; {cure}"));
    };
    let (period, burst) = match period.split_once(" burst ") {
        Some((period, burst)) => (period, Some(burst.trim())),
        None => (period, None),
    };
    let (number, period) = (number.trim(), period.trim());
    let Some(period) = Period::from_name(period) else {
        let names = Period::ALL.map(Period::name).join(", ");
        return Err(format!("unknown period {period:?}; one of {names}"));
    };
    if is_budget && period.refill().is_some() {
        let text = "a budget is for a day, week, month or total: one that refills all the time \
                    never runs out";
        return Err(text.to_owned());
    }
    let amount = if is_budget {
        price::decimal(number, DOLLAR_DIGITS)
    } else {
        whole_number(number)
    };
    let amount = amount.ok_or_else(|| format!("not an amount; {cure}"))?;
    let burst = match burst {
        None => None,
        Some(_) if period.refill().is_none() => {
            return Err("a burst is for a second, minute or hour; remove it".to_owned());
        }
        Some(text) => {
            let burst = whole_number(text).filter(|burst| (1..=amount).contains(burst));
            let cure =
                "the burst is not a number from 1 to the amount, as in \"60/minute burst 10\"";
            Some(burst.ok_or_else(|| cure.to_owned())?)
        }
    };
    Ok(Amount {
        of,
        amount,
        period,
        burst,
    })
}

fn whole_number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// A rule that holds for nothing is an error: it would be taken for a limit.
fn check_matchers(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Limit, config: &Config) {
    let access = &config.access;
    let keys = access.keys.iter().map(|it| &*it.name);
    let names: Vec<&str> = keys
        .chain(access.certificates.iter().map(|it| &*it.name))
        .collect();
    let teams = access.keys.iter().filter_map(|it| it.team.as_deref());
    let certificates = access.certificates.iter();
    let teams: Vec<&str> = teams
        .chain(certificates.filter_map(|it| it.team.as_deref()))
        .collect();
    let no_clients = "no client key and no certificate is configured, so it never holds";
    let needs_clients = [
        ("keys", raw.keys.is_some()),
        ("teams", raw.teams.is_some()),
        ("per", raw.per.iter().any(|it| *it != LimitBy::Model)),
    ];
    if names.is_empty() {
        for (key, is_used) in needs_clients {
            if is_used {
                checker.error(&path.key(key), no_clients);
            }
        }
        return;
    }
    check_globs(checker, &path.key("keys"), raw.keys.as_deref(), &names);
    check_globs(checker, &path.key("teams"), raw.teams.as_deref(), &teams);
    let models = raw.models.iter().flatten().enumerate();
    for (index, glob) in models {
        if !key_models::allows_something(config, glob) {
            let path = path.key("models").index(index);
            let meant = nearest(glob, config.models.keys().map(String::as_str));
            checker.error(&path, no_match(glob, "model", meant));
        }
    }
}

fn check_globs(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    globs: Option<&[String]>,
    names: &[&str],
) {
    let kind = if path.to_string().ends_with("teams") {
        "team"
    } else {
        "key"
    };
    if globs.is_some_and(<[String]>::is_empty) {
        checker.error(path, "empty, so it never holds; remove it to match all");
    }
    for (index, glob) in globs.unwrap_or_default().iter().enumerate() {
        let matcher = WildMatch::new(glob);
        if !names.iter().any(|name| matcher.matches(name)) {
            let meant = nearest(glob, names.iter().copied());
            checker.error(&path.index(index), no_match(glob, kind, meant));
        }
    }
}

fn no_match(glob: &str, kind: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{glob:?} matches no {kind}; did you mean {meant:?}?"),
        None => format!("{glob:?} matches no {kind}"),
    }
}

fn check_replaces(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Config,
    name: &str,
    written: &raw::Limit,
) {
    let Some(replaced) = &written.replaces else {
        return;
    };
    let path = path.key("replaces");
    if replaced == name {
        checker.error(&path, "names itself; name another limit, or remove it");
    } else if !raw.limits.contains_key(replaced) {
        let names = raw.limits.keys().map(String::as_str);
        let text = match nearest(replaced, names) {
            Some(meant) => format!("unknown limit {replaced:?}; did you mean {meant:?}?"),
            None => format!("unknown limit {replaced:?}"),
        };
        checker.error(&path, text);
    }
}

/// A budget cannot count what has no price.
fn check_prices(checker: &mut Checker<'_>, path: &KeyPath, rule: &LimitRule, config: &Config) {
    if !rule.amounts.iter().any(|it| it.of == LimitUnit::Budget) {
        return;
    }
    let matches = |alias: &str| {
        let globs = rule.models.as_ref();
        globs.is_none_or(|globs| globs.iter().any(|glob| glob.matches(alias)))
    };
    let models = config.models.values();
    for model in models.filter(|model| !model.builtin && matches(&model.alias)) {
        for target in &model.targets {
            let provider = config.providers.get(&target.provider);
            let is_priced =
                provider.is_none_or(|it| it.prices.get(&target.upstream_model).is_some());
            if !is_priced {
                let (alias, provider) = (&model.alias, &target.provider);
                let upstream_model = &target.upstream_model;
                let text = format!(
                    "{alias:?} is {upstream_model:?} of {provider}, which has no price; write \
                     [prices.\"{provider}/{upstream_model}\"], or leave the model out by `models`"
                );
                checker.error(&path.key("budget"), text);
            }
        }
    }
}
