//! `[pool]`, checked.

use std::time::Duration;

use super::raw::{self, Count, DurationOrOff, DurationOrZero, PositiveDuration};

/// `[pool]` of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// None for no limit.
    pub max_in_flight: Option<usize>,
    /// How long a request waits while `max_in_flight` is reached.
    pub acquire_timeout: Duration,
    /// Per worker.
    pub max_idle: usize,
    pub idle_timeout: Duration,
    /// None for no limit.
    pub max_age: Option<Duration>,
}

impl PoolConfig {
    #[must_use]
    pub fn with_overrides(self, raw: &raw::ProviderPool) -> Self {
        Self {
            max_in_flight: raw.max_in_flight.map_or(self.max_in_flight, limit),
            acquire_timeout: raw
                .acquire_timeout
                .map_or(self.acquire_timeout, DurationOrZero::get),
            max_idle: raw.max_idle.map_or(self.max_idle, Count::size),
            idle_timeout: raw
                .idle_timeout
                .map_or(self.idle_timeout, PositiveDuration::get),
            max_age: raw.max_age.map_or(self.max_age, DurationOrOff::get),
        }
    }
}

impl From<&raw::Pool> for PoolConfig {
    fn from(raw: &raw::Pool) -> Self {
        Self {
            max_in_flight: limit(raw.max_in_flight),
            acquire_timeout: raw.acquire_timeout.get(),
            max_idle: raw.max_idle.size(),
            idle_timeout: raw.idle_timeout.get(),
            max_age: raw.max_age.get(),
        }
    }
}

/// Zero means no limit.
fn limit(number: Count<0>) -> Option<usize> {
    (number.get() > 0).then_some(number.size())
}
