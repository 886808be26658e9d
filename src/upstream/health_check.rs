//! The health check of one upstream: what is requested, and how often.

use http::Uri;
use url::Url;

use crate::config::{HealthCheck, ProviderConfig, Timeouts};

#[derive(Debug)]
pub(super) struct HealthProbe {
    pub(super) target: Uri,
    rules: HealthCheck,
    pub(super) timeouts: Timeouts,
}

impl HealthProbe {
    /// None if no health check is configured.
    pub(super) fn new(provider: &ProviderConfig, url: &Url) -> Result<Option<Self>, String> {
        let Some(rules) = &provider.health else {
            return Ok(None);
        };
        let base = url.path().trim_end_matches('/');
        let target = Uri::try_from(format!("{base}{}", rules.path));
        Ok(Some(Self {
            target: target.map_err(|error| format!("health.path: {error}"))?,
            rules: rules.clone(),
            timeouts: provider.timeouts,
        }))
    }

    pub(super) fn rules(&self) -> &HealthCheck {
        &self.rules
    }
}
