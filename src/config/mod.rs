//! The checked configuration.
//!
//! [`raw`] is the configuration as written; [`load()`] checks it and makes a
//! [`Config`]. Nothing outside this module reads the environment or a file.

mod check;
mod document;
mod dotenv;
mod environment;
mod error;
mod file;
mod in_force;
mod layers;
mod load;
mod preset;
pub mod raw;
mod schema_node;
mod sources;
mod validate;

mod access;
mod glob;
mod ledger;
mod limit;
mod limit_client;
mod listen;
mod log;
mod memory_limit;
mod metrics;
mod model;
mod pool;
mod price;
mod provider;
mod provider_api;
mod retirement;
mod server;
mod settings;
mod store;
mod system_messages;
mod timeouts;
mod tls;
mod traces;
mod variable_hint;

#[cfg(test)]
mod docs;
#[cfg(test)]
pub(crate) mod tests;

pub use access::{Access, ClientCertificateConfig, ClientKey, Identity};
pub use check::{
    RESERVED_HEADERS, check_model_name, check_name, is_public_cleartext, parse_base_url,
    points_to_listener,
};
pub use environment::Environment;
pub use error::{ConfigErrors, KeyPath};
pub use file::{FileFingerprints, FileId, FileStamp};
pub use in_force::{InForce, ReadFiles};
pub use ledger::LedgerConfig;
pub use limit::{Amount, AtLimit, LimitBy, LimitRule, LimitUnit, Period, Reserve, Unmetered};
pub use limit_client::LimitClient;
pub use listen::Listen;
pub use load::{load, load_admin, load_ledger, load_with_fingerprints};
pub use log::{LogFormat, LogLevel};
pub use memory_limit::memory_limit;
pub use metrics::MetricExport;
pub use model::{
    Affinity, AffinityBy, AffinityKind, Balance, Breaker, Hedge, ModelConfig, Retry, Step,
    TargetConfig, TokenCounting,
};
pub use pool::PoolConfig;
pub use preset::{PRICE_TABLE, PROVIDER_TABLE};
pub use price::{COST_DIGITS, Decimal, Price, PriceList, Rates, decimal};
pub use provider::{
    Auth, BaseUrl, Credential, Discover, HealthCheck, HttpVersion, ProviderConfig, StreamUsageMode,
};
pub use provider_api::{DialectSet, ProviderApi, Quirk};
pub use raw::Log;
pub use retirement::Retirement;
pub use schema_node::schema;
pub use server::{AdminConfig, CorsConfig, Server};
pub use settings::{Config, Demo, Discovery};
pub use sources::{Flags, LoadedFrom, Sources};
pub use store::{
    StoreAddress, StoreConfig, StoreHost, StoreLogin, StoreServer, StoreTls, WithoutStore,
};
pub use system_messages::SystemMessages;
pub use timeouts::{TimeoutOverrides, Timeouts};
pub use tls::{ClientAuth, Tls};
pub use traces::{Collector, Traces};
