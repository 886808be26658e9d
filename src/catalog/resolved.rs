//! Result of resolving a model name.

use std::borrow::Cow;

use super::{Model, Target};

/// Borrows where it can: all workers would contend for the count of an `Arc`.
#[derive(Debug, Clone)]
pub struct Resolved<'c> {
    /// The alias's entry, or the entry of `provider/*`.
    pub model: &'c Model,
    /// In order of preference; never empty.
    pub targets: Cow<'c, [Target]>,
}

/// Why a name has no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// Unknown, or not visible to this client.
    Unknown {
        /// At most three similar names that the client may use.
        nearest: Vec<String>,
    },
    /// Known, but its provider lacks this setting.
    NotConfigured {
        alias: String,
        /// Environment variable, or table of the config.
        variable: String,
    },
    /// A request for a provider that lacks this setting. Only where access is open, or for
    /// the default provider: it tells which providers are configured.
    ProviderNotConfigured {
        provider: String,
        /// Environment variable, or table of the config.
        variable: String,
    },
}

impl Resolved<'_> {
    /// Keeps the targets that match, or all where none does. True when any does.
    pub fn retain_if_any(&mut self, matches: impl Fn(&Target) -> bool) -> bool {
        let any = self.targets.iter().any(&matches);
        if any && !self.targets.iter().all(&matches) {
            let kept = self.targets.iter().filter(|it| matches(it)).cloned();
            self.targets = Cow::Owned(kept.collect());
        }
        any
    }
}
