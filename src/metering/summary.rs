//! What the ledgers of all workers say together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::ledger::{Counts, Entry, Fault, Ledgers, Tally};

/// What the ledgers of all workers say together.
#[derive(Debug)]
pub struct Digest {
    /// When counting began.
    pub since: Instant,
    /// Models that were called, by [`crate::catalog::Model::id`].
    pub models: HashMap<usize, Summary>,
    /// Requests that never came as far as a model.
    pub unknown: Summary,
    /// The last requests, the newest first.
    pub last: Vec<Entry>,
}

/// What has become of some requests.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// Requests that have begun and not ended.
    pub in_flight: u64,
    /// Requests that have ended.
    pub counts: Counts,
    /// Times to the head of the provider's answer.
    pub first_byte: Times,
    /// Times to the first data of a stream.
    pub first_token: Times,
    /// When the provider last answered as it should.
    pub answered: Option<Instant>,
    /// When it last did not.
    pub fault: Option<Fault>,
}

/// The times of some recent requests, in microseconds.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<u32>);

impl Digest {
    /// Reads all ledgers: the rows of all models, in the order of their ids,
    /// and of the last requests at most `most` that `is_shown` lets through.
    pub(super) fn of(
        ledgers: &Ledgers,
        rows: &(impl Iterator<Item = usize> + Clone),
        most: usize,
        is_shown: impl Fn(&Entry) -> bool,
    ) -> Self {
        let mut digest = Self {
            since: ledgers.since,
            models: HashMap::new(),
            unknown: Summary::default(),
            last: Vec::new(),
        };
        ledgers.read(|pages| {
            for (id, row) in rows.clone().enumerate() {
                if let Some(Some(tally)) = pages.models.get(row) {
                    digest.models.entry(id).or_default().count(tally);
                }
            }
            digest.unknown.count(&pages.unknown);
            let shown = pages.last.iter().rev().filter(|entry| is_shown(entry));
            digest.last.extend(shown.take(most).cloned());
        });
        digest.last.sort_by_key(|entry| Reverse(entry.ended));
        digest.last.truncate(most);
        digest
    }
}

impl Summary {
    fn count(&mut self, tally: &Tally) {
        self.in_flight += tally.in_flight;
        self.counts.add(&tally.counts);
        self.first_byte.0.extend(tally.first_byte.times());
        self.first_token.0.extend(tally.first_token.times());
        self.answered = self.answered.max(tally.answered);
        self.fault = newest(self.fault, tally.fault);
    }

    /// Adds those of another model.
    pub fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.counts.add(&other.counts);
        self.first_byte.0.extend(&other.first_byte.0);
        self.first_token.0.extend(&other.first_token.0);
        self.answered = self.answered.max(other.answered);
        self.fault = newest(self.fault, other.fault);
    }
}

fn newest(one: Option<Fault>, other: Option<Fault>) -> Option<Fault> {
    one.into_iter().chain(other).max_by_key(|fault| fault.at)
}

impl From<&[u32]> for Times {
    fn from(micros: &[u32]) -> Self {
        Self(micros.to_vec())
    }
}

impl Times {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The least time that at least this share of them does not exceed
    /// (nearest rank); none of none.
    #[must_use]
    pub fn quantile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        let micros = sorted.get(rank - 1).copied()?;
        Some(Duration::from_micros(micros.into()))
    }
}
