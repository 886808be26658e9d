//! `[limits]`, checked.

use std::time::Duration;

use http::HeaderName;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::WithoutStore;

/// `[limits.NAME]`: amounts that some requests may use.
#[derive(Debug, Clone)]
pub struct LimitRule {
    pub name: String,
    /// None for all.
    pub keys: Option<Vec<WildMatch>>,
    pub teams: Option<Vec<WildMatch>>,
    pub models: Option<Vec<WildMatch>>,
    /// Judged for each attempt.
    pub providers: Option<Vec<WildMatch>>,
    /// Sorted.
    pub per: Vec<LimitBy>,
    pub amounts: Vec<Amount>,
    pub concurrent: Option<u64>,
    pub replaces: Option<String>,
    pub time_zone: TimeZone,
    /// The day on which a month begins, from 1 to 28.
    pub month_starts_on: i8,
    pub reserve: Reserve,
    pub at_limit: AtLimit,
    /// How long a request may wait for a rate or a permit.
    pub wait: Duration,
    /// Requests that wait for one subject.
    pub max_waiting: usize,
    /// What cached tokens of a prompt count, in thousandths of a token.
    pub cached: u16,
    pub unmetered: Unmetered,
    /// The header in which a client names its user.
    pub user_header: Option<HeaderName>,
    /// How many users or models have amounts of their own.
    pub max_subjects: usize,
    /// While the store is away.
    pub without: WithoutStore,
}

/// What has amounts of its own.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LimitBy {
    /// A client key or certificate.
    Key,
    /// The team of a client key.
    Team,
    /// The model that the client names.
    Model,
    /// The provider of an attempt.
    Provider,
    /// The user that a client with `may_name_users` names.
    User,
}

/// What a request reserves until its usage is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reserve {
    /// What such requests have used so far.
    #[default]
    Expected,
    /// The most that it can use.
    Worst,
}

/// What happens to a request beyond an amount.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum AtLimit {
    /// It gets a 429.
    #[default]
    Refuse,
    /// It passes, and is counted.
    Observe,
    /// It goes to this alias instead, once.
    Fallback(String),
}

/// A call whose usage is not reported, under a rule that counts tokens or money.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Unmetered {
    #[default]
    Refuse,
    /// It passes and uses nothing.
    Allow,
    /// It passes and costs so much, in picodollars.
    Cost(u64),
}

/// One amount of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::struct_field_names,
    reason = "the number, unlike what it counts"
)]
pub struct Amount {
    pub of: LimitUnit,
    /// Requests, tokens or picodollars.
    pub amount: u64,
    pub period: Period,
    /// How much of a rate may be used at once; all of it by default.
    pub burst: Option<u64>,
}

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitUnit {
    Requests,
    Tokens,
    InputTokens,
    OutputTokens,
    /// Picodollars.
    Budget,
}

/// How long an amount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Total,
}

// === impl LimitRule ===

impl LimitRule {
    /// True of a rule that is judged for each attempt instead of once for a request.
    #[must_use]
    pub fn is_per_attempt(&self) -> bool {
        self.providers.is_some() || self.per.contains(&LimitBy::Provider)
    }
}

// === impl LimitUnit ===

impl LimitUnit {
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Budget,
    ];

    /// The key that it is written under.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Budget => "budget",
        }
    }

    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.key() == key)
    }
}

// === impl Period ===

impl Period {
    pub const ALL: [Self; 7] = [
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Total,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// For a sentence.
    #[must_use]
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Second => "a second",
            Self::Minute => "a minute",
            Self::Hour => "an hour",
            Self::Day => "a day",
            Self::Week => "a week",
            Self::Month => "a month",
            Self::Total => "all time",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The length of a period over which an amount refills; none of those of the calendar.
    #[must_use]
    pub fn refill(self) -> Option<Duration> {
        match self {
            Self::Second => Some(Duration::from_secs(1)),
            Self::Minute => Some(Duration::from_secs(60)),
            Self::Hour => Some(Duration::from_secs(60 * 60)),
            Self::Day | Self::Week | Self::Month | Self::Total => None,
        }
    }
}
