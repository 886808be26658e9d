//! A provider as the catalog knows it.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;

use super::fingerprint::credential_fingerprints;
use super::target::header_value;
use crate::config::{Config, Discover, PriceList, ProviderApi, StreamUsageMode, Timeouts};

#[derive(Debug)]
pub struct Provider {
    /// Index into tables with a row per provider.
    pub id: usize,
    /// As in `[providers.NAME]`.
    pub name: Box<str>,
    /// The name as a header value, if it is valid as one.
    pub name_header: Option<HeaderValue>,
    pub stream_usage: StreamUsageMode,
    pub api: ProviderApi,
    pub(super) timeouts: Timeouts,
    /// Fingerprints of the credentials, the same in every process; one where the
    /// provider needs no credential.
    pub(super) credentials: Box<[u64]>,
    /// [`super::Target::credential_state_index`] of the first credential.
    pub(super) first_state_index: usize,
    pub(super) prices: PriceList,
    /// Whether it gets the name of the client's key.
    pub gets_caller: bool,
    pub ready: bool,
    /// Whether the configuration names it.
    pub(super) configured: bool,
    /// The missing environment variable or file, if that is why it is not ready.
    missing: Option<Box<str>>,
    /// When its own list of models is included in the gateway's list.
    pub discover: Discover,
    /// [`super::Model::id`] of `name/*`.
    pub wildcard_model: usize,
}

/// All providers by name, and the number of state indices of their credentials.
pub(super) fn build(config: &Config) -> (HashMap<Box<str>, Arc<Provider>>, usize) {
    let mut next_state_index = 0;
    let providers = config.providers.values().enumerate();
    let by_name = providers
        .map(|(id, provider)| {
            let credentials = credential_fingerprints(provider);
            let first_state_index = next_state_index;
            // Each credential has one for itself, and one for models without alias.
            next_state_index += 2 * credentials.len();
            let entry = Provider {
                id,
                name: provider.name.as_str().into(),
                name_header: header_value(&provider.name),
                stream_usage: provider.stream_usage,
                api: provider.api.clone(),
                timeouts: provider.timeouts,
                credentials,
                first_state_index,
                prices: provider.prices.clone(),
                gets_caller: provider.caller_header.is_some(),
                ready: provider.is_ready(),
                configured: provider.configured,
                missing: provider.missing().map(Into::into),
                discover: provider.discover,
                wildcard_model: config.models.len() + id,
            };
            (entry.name.clone(), Arc::new(entry))
        })
        .collect();
    (by_name, next_state_index)
}

impl Provider {
    /// A credential's fingerprint, the same in every process and generation.
    #[must_use]
    pub fn credential_identity(&self, credential: usize) -> Option<u64> {
        self.credentials.get(credential).copied()
    }

    /// The environment variable, file or table of the config without which the
    /// provider is not ready; `None` when it is.
    #[must_use]
    pub fn missing_setting(&self) -> Option<Box<str>> {
        if self.ready {
            return None;
        }
        let table = || format!("[providers.{}] in the config", self.name).into();
        Some(self.missing.clone().unwrap_or_else(table))
    }
}
