//! When the built-in demo model is available.

use crate::config::{self, Config, Demo};

/// Alias and provider name of the built-in demo model.
pub const DEMO: &str = "demo";

/// True when `demo` is on, or when it is automatic and no other model is ready.
#[must_use]
pub fn needs_demo(config: &Config) -> bool {
    match config.demo {
        Demo::On => true,
        Demo::Off => false,
        Demo::Auto => {
            let mut models = config.models.values();
            let has_alias = models.any(|model| model.is_ready(&config.models, &config.providers));
            let has_provider = config
                .providers
                .values()
                .any(config::ProviderConfig::is_ready);
            !has_alias && (config.strict_models || !has_provider)
        }
    }
}
