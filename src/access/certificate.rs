//! The identities in a client's certificate.

use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;

use crate::config::Identity;

/// A verified client certificate.
#[derive(Debug)]
pub struct ClientCertificate {
    identities: Vec<Identity>,
}

impl ClientCertificate {
    /// Parses DER. A certificate without usable names still has its hash.
    #[must_use]
    pub fn read(der: &[u8]) -> Self {
        let mut identities = vec![Identity::Sha256(Sha256::digest(der).into())];
        let parsed = x509_parser::parse_x509_certificate(der);
        // Not the subject's common name, whose meaning is not defined (RFC 9525,
        // section 6.3).
        if let Ok((_, certificate)) = parsed
            && let Ok(Some(names)) = certificate.subject_alternative_name()
        {
            let names = names.value.general_names.iter();
            identities.extend(names.filter_map(identity));
        }
        Self { identities }
    }

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
