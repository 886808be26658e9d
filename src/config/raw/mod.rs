//! The configuration as written: its keys, their types and their defaults.
//!
//! Addresses, URLs and files are still text. The comments are the
//! descriptions in the JSON Schema and in `docs/configuration.md`, so they are
//! written for users. No `Debug` here: these types may hold credentials.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Demo;

mod access;
mod breaker;
mod discovery;
mod health;
mod hedge;
mod ledger;
mod limit;
mod log;
mod metrics;
mod model;
mod pool;
mod price;
mod provider;
mod reload;
mod retry;
mod scalar;
mod server;
mod store;
mod timeouts;
mod tls;
mod traces;

pub use access::{Access, ClientCertificate, ClientKey};
pub use breaker::Breaker;
pub use discovery::Discovery;
pub use health::Health;
pub use hedge::Hedge;
pub use ledger::Ledger;
pub use limit::Limit;
pub use log::Log;
pub use metrics::Metrics;
pub use model::{Affinity, Model, Target};
pub use pool::{Pool, ProviderPool};
pub use price::{LongPromptPrice, Price, PriceRates};
pub use provider::{ApiKey, Provider};
pub use reload::Reload;
pub use retry::{ModelRetry, Retry};
pub use scalar::{Count, DurationOrOff, DurationOrZero, Format, PositiveDuration, Size};
pub use server::{Admin, Cors, Server};
pub use store::Store;
pub use timeouts::{TimeoutOverrides, Timeouts};
pub use tls::Tls;
pub use traces::Traces;

/// Settings of Trunkline, an OpenAI-compatible gateway. Durations are written as "10s", "5m" or "1h 30m", sizes as "64KiB" or "32MiB".
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Config")]
pub struct Config {
    /// Serve only the configured aliases; reject `provider/model`.
    pub strict_models: bool,
    /// Have the built-in aliases, such as `gpt-4o`; `false` leaves those that the file names.
    pub builtin_aliases: bool,
    /// The provider of requests that name no model, no provider and no known object; by default the only ready provider, if there is just one. If it is set, requests for models of unknown names go there too, unless `strict_models` is.
    pub default_provider: Option<String>,
    /// When the built-in demo model is available.
    pub demo: Demo,
    /// The listener for clients, and its limits.
    pub server: Server,
    /// The admin listener: /metrics, /livez, /readyz, /config, /log, /limits.
    pub admin: Admin,
    /// How configuration changes are applied.
    pub reload: Reload,
    /// Browser origins that may call the gateway.
    pub cors: Cors,
    /// What is logged to standard output.
    pub log: Log,
    /// Where spans are exported, over OTLP/HTTP.
    pub traces: Traces,
    /// The export of metrics; the admin listener always serves them at /metrics.
    pub metrics: Metrics,
    /// Client authentication.
    pub access: Access,
    /// Timeouts of one attempt; providers and models may override them.
    pub timeouts: Timeouts,
    /// Limits of the connection pool; providers may override them.
    pub pool: Pool,
    /// When a request is retried, on the same or another target.
    pub retry: Retry,
    /// When a failing target is ejected, and for how long.
    pub breaker: Breaker,
    /// Caching of the model lists fetched from providers.
    pub discovery: Discovery,
    /// Providers by name. A built-in provider needs only the keys that differ.
    pub providers: BTreeMap<String, Provider>,
    /// Aliases by name: the models that clients may request. An alias with `*` or `?` is a pattern, for all names that match it and have no alias of their own.
    pub models: BTreeMap<String, Model>,
    /// Limits and budgets of clients, by name. All that match a request hold.
    pub limits: BTreeMap<String, Limit>,
    /// The record of what was used, in a database.
    pub ledger: Ledger,
    /// The server that several replicas share, so that limits hold over all of them.
    pub store: Store,
    /// Token prices by provider and the provider's name for the model, both with `*` and `?` as wildcards. These override the built-in prices; a row without a price removes a built-in one.
    pub prices: BTreeMap<String, Price>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strict_models: false,
            builtin_aliases: true,
            default_provider: None,
            demo: Demo::Auto,
            server: Server::default(),
            admin: Admin::default(),
            reload: Reload::default(),
            cors: Cors::default(),
            log: Log::default(),
            traces: Traces::default(),
            metrics: Metrics::default(),
            access: Access::default(),
            timeouts: Timeouts::default(),
            pool: Pool::default(),
            retry: Retry::default(),
            breaker: Breaker::default(),
            discovery: Discovery::default(),
            providers: BTreeMap::new(),
            models: BTreeMap::new(),
            limits: BTreeMap::new(),
            ledger: Ledger::default(),
            store: Store::default(),
            prices: BTreeMap::new(),
        }
    }
}
