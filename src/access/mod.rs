//! Authentication of clients, and the models that each may use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderName};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wildmatch::WildMatch;

use crate::config::{Access, Identity};
use crate::wall_clock;

mod certificate;
#[cfg(test)]
mod tests;

pub use certificate::ClientCertificate;

/// Headers that may carry a client key, in the order of lookup: OpenAI's, Azure
/// OpenAI's, Anthropic's.
pub const CREDENTIAL_HEADERS: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
];

/// Authenticates clients.
#[derive(Debug)]
pub struct Gate {
    /// By the first bytes of the hash, so that a lookup does not compare every key.
    keys: HashMap<[u8; 8], Vec<Key>>,
    certificates: HashMap<Identity, Arc<Grant>>,
    key_count: usize,
    open: bool,
    limits_models: bool,
}

#[derive(Debug)]
struct Key {
    sha256: [u8; 32],
    grant: Arc<Grant>,
}

/// What a key or certificate allows.
#[derive(Debug)]
struct Grant {
    /// Index among the keys, then the certificates.
    id: usize,
    name: Box<str>,
    team: Option<Box<str>>,
    may_name_users: bool,
    is_operator: bool,
    models: Option<Vec<WildMatch>>,
    expires: Option<Timestamp>,
}

/// An authenticated client; without a grant while access is open.
#[derive(Debug, Clone)]
pub struct Caller(Option<Arc<Grant>>);

/// No valid key and no valid certificate. Clients do not learn the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessDenied;

// === impl Gate ===

impl Gate {
    #[must_use]
    pub fn new(access: &Access) -> Self {
        let mut keys: HashMap<[u8; 8], Vec<Key>> = HashMap::new();
        for (id, key) in access.keys.iter().enumerate() {
            let sha256 = key.sha256;
            let grant = Arc::new(Grant {
                id,
                name: key.name.as_str().into(),
                team: key.team.as_deref().map(Into::into),
                may_name_users: key.may_name_users,
                is_operator: key.is_operator,
                models: key.models.clone(),
                expires: key.expires,
            });
            let bucket = keys.entry(prefix(&sha256)).or_default();
            bucket.push(Key { sha256, grant });
        }
        let certificates = access.certificates.iter().zip(access.keys.len()..);
        let certificates = certificates.map(|(it, id)| {
            let grant = Arc::new(Grant {
                id,
                name: it.name.as_str().into(),
                team: it.team.as_deref().map(Into::into),
                may_name_users: it.may_name_users,
                is_operator: it.is_operator,
                models: it.models.clone(),
                expires: it.expires,
            });
            (it.identity.clone(), grant)
        });
        Self {
            keys,
            certificates: certificates.collect(),
            key_count: access.keys.len() + access.certificates.len(),
            open: access.is_open(),
            limits_models: access.keys.iter().any(|key| key.models.is_some())
                || access.certificates.iter().any(|it| it.models.is_some()),
        }
    }

    /// Number of keys and certificates.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.key_count
    }

    /// True if no key is required.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// True if some keys or certificates are limited to certain models.
    #[must_use]
    pub fn limits_models(&self) -> bool {
        self.limits_models
    }

    /// Authenticates by the key in the headers, else by the connection's
    /// [`ClientCertificate`] in the extensions. SDKs always send some key, so an invalid
    /// one does not rule out the certificate.
    pub fn admit(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Caller, AccessDenied> {
        if self.open {
            return Ok(Caller(None));
        }
        let by_key = || credential(headers).and_then(|credential| self.by_key(credential));
        let by_certificate = || self.by_certificate(extensions.get::<Arc<ClientCertificate>>()?);
        let grant = by_key().or_else(by_certificate).ok_or(AccessDenied)?;
        Ok(Caller(Some(Arc::clone(grant))))
    }

    fn by_key(&self, credential: &[u8]) -> Option<&Arc<Grant>> {
        let digest: [u8; 32] = Sha256::digest(credential).into();
        let candidates = self.keys.get(&prefix(&digest))?;
        let mut found = candidates
            .iter()
            .filter(|key| bool::from(key.sha256.ct_eq(&digest)));
        let grant = &found.next()?.grant;
        grant.is_valid().then_some(grant)
    }

    fn by_certificate(&self, certificate: &ClientCertificate) -> Option<&Arc<Grant>> {
        let identities = certificate.identities();
        let mut grants = identities.filter_map(|identity| self.certificates.get(identity));
        grants.find(|grant| grant.is_valid())
    }
}

// === impl Caller ===

impl Caller {
    /// The name of the key or certificate, or none while access is open.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.0.as_ref().map(|grant| &*grant.name)
    }

    /// The team of the key or certificate.
    #[must_use]
    pub fn team(&self) -> Option<&str> {
        self.0.as_ref().and_then(|grant| grant.team.as_deref())
    }

    /// Whether a request may name its user, for limits.
    #[must_use]
    pub fn may_name_users(&self) -> bool {
        self.0.as_ref().is_some_and(|grant| grant.may_name_users)
    }

    /// Whether the client may see what concerns all clients. Never while access is open:
    /// behind a reverse proxy, any client reaches a listener on loopback.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.0.as_ref().is_some_and(|grant| grant.is_operator)
    }

    /// Index of the key or certificate, below [`Gate::key_count`].
    #[must_use]
    pub fn key_id(&self) -> Option<usize> {
        self.0.as_ref().map(|grant| grant.id)
    }

    /// False once the key or certificate has expired.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0.as_ref().is_none_or(|grant| grant.is_valid())
    }

    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        let allowed = self.0.as_ref().and_then(|grant| grant.models.as_ref());
        allowed.is_none_or(|globs| globs.iter().any(|glob| glob.matches(model)))
    }
}

// === impl Grant ===

impl Grant {
    fn is_valid(&self) -> bool {
        let expires = self.expires.map(SystemTime::from);
        expires.is_none_or(|expires| wall_clock::now() < expires)
    }
}

/// The first credential among the headers that may carry one.
fn credential(headers: &HeaderMap) -> Option<&[u8]> {
    CREDENTIAL_HEADERS.iter().find_map(|name| {
        let value = headers.get(name)?.as_bytes();
        let found = if *name == AUTHORIZATION {
            bearer(value)?
        } else {
            value
        };
        (!found.is_empty()).then_some(found)
    })
}

/// The token of `Bearer TOKEN`; the scheme is case-insensitive (RFC 9110, section
/// 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

fn prefix(digest: &[u8; 32]) -> [u8; 8] {
    let mut prefix = [0; 8];
    prefix
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    prefix
}
