//! One rule as written.

use std::time::Duration;

use http::HeaderName;
use jiff::tz::TimeZone;
use wildmatch::WildMatch;

use super::amount;
use crate::config::check::{Checker, headers};
use crate::config::error::KeyPath;
use crate::config::price::COST_DIGITS;
use crate::config::raw::DurationOrZero;
use crate::config::{Amount, AtLimit, LimitRule, LimitUnit, Unmetered, price, raw};

/// Requests that may wait for one subject.
const MAX_WAITING: usize = 64;
/// Users or models with amounts of their own.
const MAX_SUBJECTS: usize = 100_000;
/// Thousandths of a token.
const FULL: u16 = 1000;

pub fn rule(checker: &mut Checker<'_>, path: &KeyPath, name: &str, raw: &raw::Limit) -> LimitRule {
    let mut per = raw.per.clone();
    per.sort_unstable();
    per.dedup();
    if per.len() < raw.per.len() {
        checker.error(&path.key("per"), "names one twice; keep one");
    }
    let text = |key: &str| path.key(key);
    LimitRule {
        name: name.to_owned(),
        keys: globs(raw.keys.as_deref()),
        teams: globs(raw.teams.as_deref()),
        models: globs(raw.models.as_deref()),
        providers: globs(raw.providers.as_deref()),
        per,
        amounts: amounts(checker, path, raw),
        concurrent: raw.concurrent.map(u64::from),
        replaces: raw.replaces.clone(),
        time_zone: time_zone(checker, &text("time_zone"), raw.time_zone.as_deref()),
        month_starts_on: raw
            .month_starts_on
            .map_or(1, |it| it.get().try_into().unwrap_or(1)),
        reserve: raw.reserve.unwrap_or_default(),
        at_limit: at_limit(checker, &text("at_limit"), raw.at_limit.as_deref()),
        wait: raw.wait.map_or(Duration::ZERO, DurationOrZero::get),
        max_waiting: raw.max_waiting.map_or(MAX_WAITING, |it| it.get() as usize),
        cached: cached(checker, &text("cached"), raw.cached.as_deref()),
        unmetered: unmetered(checker, &text("unmetered"), raw.unmetered.as_deref()),
        user_header: user_header(checker, &text("user_header"), raw.user_header.as_deref()),
        max_subjects: raw
            .max_subjects
            .map_or(MAX_SUBJECTS, |it| it.get() as usize),
        without: raw.without.unwrap_or_default(),
    }
}

fn amounts(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Limit) -> Vec<Amount> {
    let written = [
        (LimitUnit::Requests, &raw.requests),
        (LimitUnit::Tokens, &raw.tokens),
        (LimitUnit::InputTokens, &raw.input_tokens),
        (LimitUnit::OutputTokens, &raw.output_tokens),
        (LimitUnit::Budget, &raw.budget),
    ];
    let is_empty = written.iter().all(|(_, texts)| texts.is_empty());
    if is_empty && raw.concurrent.is_none() && !checker.is_pruned(path) {
        let text = "has no amount; write one such as requests = [\"60/minute\"], or remove it";
        checker.error(path, text);
    }
    let mut amounts = Vec::new();
    for (of, texts) in written {
        amounts.extend(amount::read(checker, &path.key(of.key()), of, texts));
    }
    amounts
}

fn at_limit(checker: &mut Checker<'_>, path: &KeyPath, written: Option<&str>) -> AtLimit {
    match written {
        None | Some("refuse") => AtLimit::Refuse,
        Some("observe") => AtLimit::Observe,
        Some(text) => {
            let alias = text.strip_prefix("fallback:").map(str::trim);
            let Some(alias) = alias.filter(|alias| !alias.is_empty()) else {
                let text = "write \"refuse\", \"observe\", or \"fallback:\" and an alias, such as \
                            \"fallback:fast\"";
                checker.error(path, text);
                return AtLimit::Refuse;
            };
            AtLimit::Fallback(alias.to_owned())
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
        Some(text) => price::decimal(text, COST_DIGITS).map_or_else(
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
    match headers::of_user(written?) {
        Ok(name) => Some(name),
        Err(text) => {
            checker.error(path, text);
            None
        }
    }
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
