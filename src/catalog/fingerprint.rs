//! Identities that are the same in every process with the same config, independent
//! of its indices.

use std::collections::HashMap;

use twox_hash::XxHash3_64;

use crate::config::{Credential, ProviderConfig};

/// The same on every machine and in every version, so that all gateways of a
/// deployment make the same choice.
#[must_use]
pub fn fingerprint<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> u64 {
    let parts = parts.into_iter();
    // Chained, so that the boundaries between the parts matter.
    parts.fold(0, |previous, part| {
        XxHash3_64::oneshot_with_seed(previous, part)
    })
}

/// Credentials are identified by their sources: adding or removing one changes no
/// other fingerprint, and neither does a new secret.
pub(super) fn credential_fingerprints(provider: &ProviderConfig) -> Box<[u64]> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let fingerprints = provider.usable_credentials().map(|credential| {
        let source = match credential {
            Credential::Set { source, .. } => source.as_str(),
            _ => "",
        };
        // All keys written in the config itself have the same source.
        let count = counts.entry(source).or_default();
        *count += 1;
        let parts = [provider.name.as_bytes(), source.as_bytes()];
        fingerprint(parts.into_iter().chain([&count.to_le_bytes()[..]]))
    });
    fingerprints.collect()
}
