//! `[limits.NAME]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, DurationOrZero};
use crate::config::{LimitBy, Reserve, WithoutStore};

/// `[limits.NAME]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the names of keys")]
pub struct Limit {
    /// Client keys and certificates that it holds for, with `*` and `?` as wildcards; all by default.
    pub keys: Option<Vec<String>>,
    /// Teams that it holds for, with wildcards; all by default.
    pub teams: Option<Vec<String>>,
    /// Models that it holds for, as clients name them, with wildcards; all by default.
    pub models: Option<Vec<String>>,
    /// Providers that it holds for, with wildcards; all by default. It is judged for each attempt: a provider that has nothing left is passed over.
    pub providers: Option<Vec<String>>,
    /// What has amounts of its own: with `["key"]`, each key; with `["team", "model"]`, each model of each team. By default, all requests share one.
    pub per: Vec<LimitBy>,
    /// Requests, such as `["60/minute", "5000/day"]`. Seconds, minutes and hours refill steadily; a `day`, `week` (from Monday) and `month` begin anew at midnight of `time_zone`; a `total` never does. `"60/minute burst 10"` allows at most 10 at once. 0 blocks.
    pub requests: Vec<String>,
    /// Tokens, input and output.
    pub tokens: Vec<String>,
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: Vec<String>,
    /// Tokens of the response, reasoning included.
    pub output_tokens: Vec<String>,
    /// Requests at a time, from the first byte to the last. 0 blocks.
    pub concurrent: Option<u32>,
    /// US dollars, such as `["5/day", "50/month"]`, only by `day`, `week`, `month` and `total`. Every model that it holds for needs a price.
    pub budget: Vec<String>,
    /// Another limit that does not hold where this one does.
    pub replaces: Option<String>,
    /// Where days begin: a name such as "Europe/Berlin"; "UTC" by default.
    pub time_zone: Option<String>,
    /// The day on which a month begins, from 1 to 28; 1 by default.
    pub month_starts_on: Option<Count<1, 28>>,
    /// What a request reserves until its usage is known; "expected" by default.
    pub reserve: Option<Reserve>,
    /// What happens to a request beyond an amount: "refuse" (default), "observe" (it passes, and is counted), or "fallback:ALIAS" (it goes to that alias).
    pub at_limit: Option<String>,
    /// How long a request may wait for a rate or for one of `concurrent`, instead of a 429; "0s" by default. Nothing waits for a budget, or an amount of a day or longer, that is spent.
    pub wait: Option<DurationOrZero>,
    /// Requests that may wait at a time, for each that has amounts of its own; 64 by default.
    pub max_waiting: Option<Count<0, 10000>>,
    /// What cached tokens of the prompt count in `tokens` and `input_tokens`: "full" (default), "free", or a share such as "0.1". A budget goes by prices.
    pub cached: Option<String>,
    /// What happens to a call whose usage is not reported, where `tokens` or a `budget` is limited: "refuse" (default), "allow", or dollars that each costs, such as "0.10".
    pub unmetered: Option<String>,
    /// The header in which clients with `may_name_users` name their user, for `per = ["user"]`; by default it is taken from the body: `safety_identifier`, `user` or `metadata.user_id`.
    pub user_header: Option<String>,
    /// How many users or models have amounts of their own, with `per`; 100000 by default. Beyond them, those that were idle longest are forgotten.
    pub max_subjects: Option<Count<1>>,
    /// What holds while the store is away: "share" (default), each replica has its part of a rate, and of money and of counts what it has leased and a twentieth of the rest; "refuse", a 503 beyond what it has leased; or "open", every request passes.
    pub without: Option<WithoutStore>,
}
