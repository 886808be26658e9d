//! What a thing is called in every process that has the same config, whatever
//! it is numbered there.

use std::collections::HashMap;

use twox_hash::XxHash3_64;

use crate::config::{Credential, Provider};

/// A number for these bytes: the same on every machine and in every version,
/// so that gateways side by side come to the same choice.
#[must_use]
pub fn fingerprint<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> u64 {
    let parts = parts.into_iter();
    // One goes in after the other, so that it matters where they are parted.
    parts.fold(0, |before, part| {
        XxHash3_64::oneshot_with_seed(before, part)
    })
}

/// The credentials of a provider. They go by where they come from: one that is
/// missing or new moves none of the others, and neither does a new secret.
pub(super) fn of_credentials(provider: &Provider) -> Box<[u64]> {
    let mut seen: HashMap<&str, u64> = HashMap::new();
    let numbers = provider.usable().map(|credential| {
        let source = match credential {
            Credential::Set { source, .. } => source.as_str(),
            _ => "",
        };
        // Keys that stand in the config itself all come from there.
        let count = seen.entry(source).or_default();
        *count += 1;
        let parts = [provider.name.as_bytes(), source.as_bytes()];
        fingerprint(parts.into_iter().chain([&count.to_le_bytes()[..]]))
    });
    numbers.collect()
}
