//! `[pool]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, DurationOrOff, DurationOrZero, PositiveDuration};

/// `[pool]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Pool {
    /// Maximum number of requests in flight at one provider; 0 for no limit.
    pub max_in_flight: Count<0>,
    /// How long a request waits while `max_in_flight` is reached; "0s" rejects it at once.
    pub acquire_timeout: DurationOrZero,
    /// Maximum number of idle connections, per worker; 0 keeps none.
    pub max_idle: Count<0>,
    /// How long an idle connection is kept.
    pub idle_timeout: PositiveDuration,
    /// How long a connection takes new requests, less up to a fifth; "off" for no limit. Requests in flight are finished.
    pub max_age: DurationOrOff,
}

/// `[providers.NAME.pool]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ProviderPool {
    /// Overrides `pool.max_in_flight`.
    pub max_in_flight: Option<Count<0>>,
    /// Overrides `pool.acquire_timeout`.
    pub acquire_timeout: Option<DurationOrZero>,
    /// Overrides `pool.max_idle`.
    pub max_idle: Option<Count<0>>,
    /// Overrides `pool.idle_timeout`.
    pub idle_timeout: Option<PositiveDuration>,
    /// Overrides `pool.max_age`.
    pub max_age: Option<DurationOrOff>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_in_flight: Count::new(0),
            acquire_timeout: DurationOrZero::secs(10),
            max_idle: Count::new(64),
            idle_timeout: PositiveDuration::secs(20),
            max_age: DurationOrOff::secs(300),
        }
    }
}
