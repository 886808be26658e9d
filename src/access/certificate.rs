//! What a caller's certificate says of the caller.

use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;

use crate::config::Identity;

/// A certificate that a caller has shown, and that one of our authorities
/// stands for.
#[derive(Debug)]
pub struct Certificate {
    identities: Vec<Identity>,
}

impl Certificate {
    /// Reads a certificate in DER. One without names that we go by still has
    /// its hash.
    #[must_use]
    pub fn read(der: &[u8]) -> Self {
        let mut identities = vec![Identity::Sha256(Sha256::digest(der).into())];
        let parsed = x509_parser::parse_x509_certificate(der);
        // The subject's common name is not looked at: what it means is up to
        // each authority (RFC 9525, section 6.3).
        if let Ok((_, certificate)) = parsed
            && let Ok(Some(names)) = certificate.subject_alternative_name()
        {
            let names = names.value.general_names.iter();
            identities.extend(names.filter_map(identity));
        }
        Self { identities }
    }

    /// What it is known by.
    pub(super) fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.identities.iter()
    }
}

fn identity(name: &GeneralName<'_>) -> Option<Identity> {
    match name {
        GeneralName::DNSName(name) => Some(Identity::Dns(name.to_ascii_lowercase())),
        GeneralName::URI(name) => Some(Identity::Uri((*name).to_owned())),
        _ => None,
    }
}
