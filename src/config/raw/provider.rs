//! `[providers.NAME]` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Health, ProviderPool, TimeoutOverrides};
use crate::config::{HttpVersion, Quirk, StreamUsageMode, SystemMessages};
use crate::dialect::Dialect;

/// `[providers.NAME]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Provider {
    /// Base URL, up to and including "/v1" or its equivalent.
    pub base_url: Option<String>,
    /// Environment variable that, if set, overrides `base_url`.
    pub base_url_env: Option<String>,
    /// The API key itself; prefer `api_key_env` or `api_key_file`, which keep it out of this file.
    pub api_key: Option<String>,
    /// Environment variable that holds the key; a trailing line break is ignored.
    pub api_key_env: Option<String>,
    /// File that holds the key; a trailing line break is ignored.
    pub api_key_file: Option<String>,
    /// Several keys instead of one; requests are spread over them.
    pub api_keys: Vec<ApiKey>,
    /// How the key is sent: "bearer", or the name of a header, such as "api-key".
    pub auth: Option<String>,
    /// Headers added to every request. Their values are never shown.
    pub headers: BTreeMap<String, String>,
    /// Headers of the client that are forwarded although they are [kept back](security.md#headers-that-are-kept-back) by default: those with the client's address and user, such as "x-forwarded-for", and cookies.
    pub forward_headers: Vec<String>,
    /// Value of the header `openai-organization`.
    pub organization: Option<String>,
    /// Value of the header `openai-project`.
    pub project: Option<String>,
    /// Header in which the provider gets the name of the client's key, such as "x-gateway-inference-fairness-id", by which [llm-d](https://llm-d.ai) shares capacity among clients; none by default.
    pub caller_header: Option<String>,
    /// Value of the header `x-gateway-inference-objective`: the `InferenceObjective` at llm-d whose priority applies.
    pub objective: Option<String>,
    /// Whether token usage is requested in streams; "translated" for a provider that is not built in. A provider that refuses the request is asked again without it.
    pub stream_usage: Option<StreamUsageMode>,
    /// The APIs that the provider speaks; requests of another API are [translated](dialects.md). Without it, chat is assumed, and a provider whose API for Responses is not known is asked once.
    pub dialects: Option<Vec<Dialect>>,
    /// Peculiarities of its chat API, for requests that are translated into it.
    pub quirks: Option<Vec<Quirk>>,
    /// What becomes of system messages behind the first message of a user, in requests that are translated into chat completions; "user" for a provider that is not built in.
    pub system_messages: Option<SystemMessages>,
    /// `max_tokens` of requests that are translated into Messages and set no limit themselves; 8192 by default.
    pub max_tokens: Option<u64>,
    /// Version of Azure's API, such as "2024-10-21": requests then go to the deployment named like the model, below /openai/deployments.
    pub api_version: Option<String>,
    /// Timeouts that override `[timeouts]`.
    pub timeouts: TimeoutOverrides,
    /// Limits that override `[pool]`.
    pub pool: ProviderPool,
    /// Active health checks; the provider gets no requests while they fail.
    pub health: Health,
    /// Whether the provider's own models are listed in `/v1/models`, as "NAME/model": true for always, false for never; by default only in response to `?discover=true`.
    pub discover: Option<bool>,
    /// PEM file of additional certificate authorities to trust.
    pub ca_file: Option<String>,
    /// HTTP versions to use; "auto" by default.
    pub http: Option<HttpVersion>,
    /// Name of the built-in provider whose prices apply; by default its own name, while `base_url` is the built-in one.
    pub prices: Option<String>,
    /// Allow a key to be sent over http:// to a public host.
    pub insecure_http: Option<bool>,
}

/// `[[providers.NAME.api_keys]]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ApiKey {
    /// Environment variable that holds the key; a trailing line break is ignored.
    pub env: Option<String>,
    /// File that holds the key; a trailing line break is ignored.
    pub file: Option<String>,
    /// The API key itself; prefer `env` or `file`, which keep it out of this file.
    pub key: Option<String>,
}
