//! The checked configuration as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Access, AdminConfig, Breaker, CorsConfig, LedgerConfig, LimitRule, Log, MetricExport,
    ModelConfig, ProviderConfig, ReadFiles, Retry, Server, StoreConfig, Traces,
};

/// The checked configuration: defaults are filled in and values are valid.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    pub admin: AdminConfig,
    pub cors: CorsConfig,
    pub log: Log,
    /// In which clients name their session, in the order of preference.
    pub session_headers: Vec<HeaderName>,
    /// None when traces are off.
    pub traces: Option<Traces>,
    /// None when metrics are not exported.
    pub metrics: Option<MetricExport>,
    pub access: Access,
    /// Serve only aliases; reject `provider/model`.
    pub strict_models: bool,
    /// The provider of requests that name no model, no provider and no known
    /// object.
    pub default_provider: Option<String>,
    pub demo: Demo,
    /// For models that set nothing themselves.
    pub retry: Retry,
    /// Retries, in percent of first attempts.
    pub retry_budget: u32,
    pub breaker: Breaker,
    pub discovery: Discovery,
    /// Whether changed files are reloaded automatically.
    pub watch: bool,
    /// Built-in and configured providers, by name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// Built-in and configured aliases, by name.
    pub models: BTreeMap<String, ModelConfig>,
    /// In the order of their names.
    pub limits: Vec<LimitRule>,
    /// None while usage is not recorded.
    pub ledger: Option<LedgerConfig>,
    /// None while limits hold for each process alone.
    pub store: Option<StoreConfig>,
    /// What runs this process, if it usually runs several replicas.
    pub orchestrator: Option<&'static str>,
    pub files: ReadFiles,
    /// Accepted, but should be corrected; one sentence each.
    pub warnings: Vec<String>,
}

/// `[discovery]`: fetching providers' model lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discovery {
    /// How long a list is cached.
    pub ttl: Duration,
    pub timeout: Duration,
}

/// When the built-in demo model is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Demo {
    /// Only while no other model is ready.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}
