//! Amounts: `60/minute burst 10`, `5/day`.

use std::collections::BTreeSet;

use crate::config::check::Checker;
use crate::config::error::KeyPath;
use crate::config::price::COST_DIGITS;
use crate::config::{Amount, LimitUnit, Period, price};

const CURE: &str =
    "write a number and a period, such as \"60/minute\" or \"5000/day\"; \"0/day\" blocks";
const BUDGET_CURE: &str = "write dollars and a period, such as \"5/day\" or \"49.50/month\"; \
                           \"0/day\" blocks";
const BURST_CURE: &str =
    "the burst is not a number from 1 to the amount, as in \"60/minute burst 10\"";
/// What a rate counts exactly enough: a unit takes at least 100 of the 16 ticks of a
/// nanosecond, so that rounding changes the rate by 1 % at most.
const MAX_PER_SECOND: u64 = 160_000_000;
/// A dollar has a million million picodollars.
const MAX_DOLLARS: u64 = 18_000_000;
const PICODOLLARS: u64 = 1_000_000_000_000;

pub fn read(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    of: LimitUnit,
    written: &[String],
) -> Vec<Amount> {
    let mut periods = BTreeSet::new();
    let mut amounts = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let path = path.index(index);
        match parse(of, text) {
            Ok(amount) if periods.insert(amount.period) => amounts.push(amount),
            Ok(amount) => {
                let period = amount.period.with_article();
                checker.error(&path, format!("a second amount for {period}; keep one"));
            }
            Err(text) => checker.error(&path, text),
        }
    }
    amounts
}

fn parse(of: LimitUnit, text: &str) -> Result<Amount, String> {
    let is_budget = of == LimitUnit::Budget;
    let cure = if is_budget { BUDGET_CURE } else { CURE };
    let (number, period) = text
        .split_once('/')
        .ok_or_else(|| format!("not an amount; {cure}"))?;
    let (period, burst) = match period.split_once(" burst ") {
        Some((period, burst)) => (period, Some(burst.trim())),
        None => (period, None),
    };
    let period = parse_period(period.trim())?;
    if is_budget && period.refill().is_some() {
        let text = "a budget is for a day, week, month or total: one that refills all the time \
                    never runs out";
        return Err(text.to_owned());
    }
    let number = number.trim();
    let amount = if is_budget {
        dollars(number)?
    } else {
        units(number, period)?
    };
    let burst = burst.map(|text| parse_burst(text, amount, period));
    Ok(Amount {
        of,
        amount,
        period,
        burst: burst.transpose()?,
    })
}

fn parse_period(written: &str) -> Result<Period, String> {
    if let Some(period) = Period::from_name(written) {
        return Ok(period);
    }
    let lower = written.to_ascii_lowercase();
    let stem = lower.strip_suffix('s').filter(|stem| !stem.is_empty());
    let stem = stem.unwrap_or(&lower);
    let mut meant = Period::ALL
        .into_iter()
        .filter(|period| !stem.is_empty() && period.name().starts_with(stem));
    // "m" is the beginning of two.
    let meant = match (meant.next(), meant.next()) {
        (Some(period), None) => format!("did you mean {:?}?", period.name()),
        _ => format!("write one of {}", Period::ALL.map(Period::name).join(", ")),
    };
    Err(format!("unknown period {written:?}; {meant}"))
}

fn dollars(text: &str) -> Result<u64, String> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let is_large = whole.parse::<u64>().is_ok_and(|it| it >= MAX_DOLLARS);
    match price::decimal(text, COST_DIGITS) {
        Some(amount) if amount <= MAX_DOLLARS * PICODOLLARS => Ok(amount),
        None if !is_large => Err(format!("not an amount; {BUDGET_CURE}")),
        _ => Err(format!("must be at most {MAX_DOLLARS} dollars")),
    }
}

fn units(text: &str, period: Period) -> Result<u64, String> {
    let digits = text.replace('_', "");
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(format!("not an amount; {CURE}"));
    }
    let max = period.refill().map_or(i64::MAX.unsigned_abs(), |length| {
        MAX_PER_SECOND.saturating_mul(length.as_secs())
    });
    let number = digits.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| format!("must be at most {max} for {}", period.with_article()))
}

fn parse_burst(text: &str, amount: u64, period: Period) -> Result<u64, String> {
    if period.refill().is_none() {
        return Err("a burst is for a second, minute or hour; remove it".to_owned());
    }
    let burst = text.replace('_', "").parse().ok();
    let burst = burst.filter(|burst| (1..=amount).contains(burst));
    burst.ok_or_else(|| BURST_CURE.to_owned())
}
