//! Amounts that another amount of the same rule never lets a client reach.

use std::time::Duration;

use super::RuleCheck;
use crate::config::check::Checker;
use crate::config::{Amount, Period};

/// A day on which clocks are set back has 25 hours.
const LONGEST_DAY: u64 = 25 * 60 * 60;

pub fn check(checker: &mut Checker<'_>, check: &RuleCheck<'_>) {
    let amounts = &check.rule.amounts;
    for amount in amounts.iter().filter(|it| it.amount > 0) {
        let others = amounts.iter().filter(|other| other.of == amount.of);
        let mut others = others.filter(|other| other.period != amount.period && other.amount > 0);
        let Some(other) = others.find(|other| is_unreached(amount, other)) else {
            continue;
        };
        let path = check.path.key(amount.of.key());
        let text = format!(
            "the amount for {} is never reached: that for {} allows less; correct one of them, \
             or remove it",
            amount.period.with_article(),
            other.period.with_article(),
        );
        checker.warn(checker.layers.location(&path), &path, text);
    }
}

/// Whether `other` is used up before `amount`, whatever the requests.
fn is_unreached(amount: &Amount, other: &Amount) -> bool {
    match (amount.period.refill(), other.period.refill()) {
        // Buckets: the other one is smaller, and refills more slowly.
        (Some(length), Some(other_length)) => {
            let per_second = |it: &Amount, length: Duration, by: Duration| {
                u128::from(it.amount) * u128::from(by.as_secs()) / u128::from(length.as_secs())
            };
            let day = Duration::from_secs(24 * 60 * 60);
            let (own, others) = (
                per_second(amount, length, day),
                per_second(other, other_length, day),
            );
            burst(other) <= burst(amount)
                && others <= own
                && (burst(other), others) != (burst(amount), own)
        }
        // All of a bucket, and what comes back within the window.
        (None, Some(length)) => days(amount.period).is_some_and(|days| {
            let seconds = u128::from(days * LONGEST_DAY);
            let most = u128::from(other.amount) * seconds / u128::from(length.as_secs());
            most + u128::from(burst(other)) < u128::from(amount.amount)
        }),
        // Within a moment, at most the amounts of two windows.
        (Some(_), None) => 2 * u128::from(other.amount) < u128::from(burst(amount)),
        (None, None) => windows(amount.period, other.period)
            .is_some_and(|count| count * u128::from(other.amount) < u128::from(amount.amount)),
    }
}

fn burst(amount: &Amount) -> u64 {
    amount.burst.unwrap_or(amount.amount)
}

fn days(period: Period) -> Option<u64> {
    match period {
        Period::Day => Some(1),
        Period::Week => Some(7),
        Period::Month => Some(31),
        _ => None,
    }
}

/// How many windows of the other period one window of this one touches at most.
fn windows(period: Period, other: Period) -> Option<u128> {
    match (period, other) {
        (Period::Day, _) | (_, Period::Total) => Some(1),
        (Period::Week, Period::Day) => Some(7),
        (Period::Week, _) => Some(2),
        (Period::Month, Period::Day) => Some(31),
        (Period::Month, Period::Week) => Some(6),
        _ => None,
    }
}
