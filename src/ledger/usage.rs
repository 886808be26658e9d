//! The rows of the ledger: whose usage, of what, in which hour; and how much.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::Equivalent;

/// Stands for names that there are too many of.
pub const OTHER: &str = "other";
/// Longer names would make the database grow with what clients send.
const MAX_NAME: usize = 128;

/// Names a row. Every text may be empty: a client without a key, a request without a
/// session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct UsageRow<'r> {
    /// Seconds since 1970, a multiple of 3600.
    pub hour: i64,
    pub key: &'r str,
    pub team: &'r str,
    /// The alias that the client called.
    pub model: &'r str,
    pub provider: &'r str,
    /// The provider's name for it.
    pub upstream_model: &'r str,
    pub session: &'r str,
    /// A label of [`crate::telemetry::metric::label::outcome`].
    pub outcome: &'static str,
}

/// As [`UsageRow`].
#[derive(Debug, PartialEq, Eq)]
pub struct OwnedUsageRow {
    pub hour: i64,
    pub key: Box<str>,
    pub team: Box<str>,
    pub model: Box<str>,
    pub provider: Box<str>,
    pub upstream_model: Box<str>,
    pub session: Box<str>,
    pub outcome: &'static str,
}

/// What the requests of a row have used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageTotals {
    pub requests: u64,
    /// Cached ones included.
    pub input_tokens: u64,
    pub cached_tokens: u64,
    pub cache_write_tokens: u64,
    /// Reasoning included.
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
    /// Picodollars, estimates included.
    pub cost: u64,
    /// The part of it that no usage was reported for.
    pub estimated_cost: u64,
    /// Requests that used tokens of no known price.
    pub unpriced: u64,
}

// === impl UsageRow ===

impl UsageRow<'_> {
    /// With names that are not too long.
    #[must_use]
    pub(super) fn bounded(mut self) -> Self {
        for name in [&mut self.upstream_model, &mut self.session] {
            if name.len() > MAX_NAME {
                *name = OTHER;
            }
        }
        self
    }

    /// Without the names that clients choose.
    #[must_use]
    pub(super) fn without_client_names(mut self) -> Self {
        if !self.session.is_empty() {
            self.session = OTHER;
        }
        self.upstream_model = OTHER;
        self
    }

    /// Of this key and outcome alone.
    #[must_use]
    pub(super) fn of_key(self) -> Self {
        Self {
            model: OTHER,
            provider: OTHER,
            ..self.without_client_names()
        }
    }

    pub(super) fn owned(&self) -> OwnedUsageRow {
        OwnedUsageRow {
            hour: self.hour,
            key: self.key.into(),
            team: self.team.into(),
            model: self.model.into(),
            provider: self.provider.into(),
            upstream_model: self.upstream_model.into(),
            session: self.session.into(),
            outcome: self.outcome,
        }
    }
}

impl Equivalent<Arc<OwnedUsageRow>> for UsageRow<'_> {
    fn equivalent(&self, other: &Arc<OwnedUsageRow>) -> bool {
        *self == other.borrowed()
    }
}

// === impl OwnedUsageRow ===

impl OwnedUsageRow {
    fn borrowed(&self) -> UsageRow<'_> {
        UsageRow {
            hour: self.hour,
            key: &self.key,
            team: &self.team,
            model: &self.model,
            provider: &self.provider,
            upstream_model: &self.upstream_model,
            session: &self.session,
            outcome: self.outcome,
        }
    }
}

/// As the hash of the borrowed row, which it is looked up by.
impl Hash for OwnedUsageRow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

// === impl UsageTotals ===

impl UsageTotals {
    pub fn add(&mut self, other: &Self) {
        let pairs = self.each_mut().into_iter().zip(other.each());
        for (total, more) in pairs {
            *total = total.saturating_add(more);
        }
    }

    /// Of sums in the order of the columns. What is larger than a count can be is the
    /// largest.
    #[must_use]
    pub fn from_sums(sums: &[u128; 9]) -> Self {
        let mut totals = Self::default();
        let pairs = totals.each_mut().into_iter().zip(sums);
        for (total, sum) in pairs {
            *total = u64::try_from(*sum).unwrap_or(u64::MAX);
        }
        totals
    }

    /// In the order of the columns.
    #[must_use]
    pub fn each(&self) -> [u64; 9] {
        let mut copy = *self;
        copy.each_mut().map(|total| *total)
    }

    fn each_mut(&mut self) -> [&mut u64; 9] {
        let Self {
            requests,
            input_tokens,
            cached_tokens,
            cache_write_tokens,
            output_tokens,
            reasoning_tokens,
            cost,
            estimated_cost,
            unpriced,
        } = self;
        [
            requests,
            input_tokens,
            cached_tokens,
            cache_write_tokens,
            output_tokens,
            reasoning_tokens,
            cost,
            estimated_cost,
            unpriced,
        ]
    }
}
