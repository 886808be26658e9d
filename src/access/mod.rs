//! Who may call, and what.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wildmatch::WildMatch;

use crate::config::{Access, ClientKey};

#[cfg(test)]
mod tests;

/// Headers in which callers send their key, in the order they are looked at:
/// OpenAI's, Azure OpenAI's, Anthropic's.
pub const CREDENTIAL_HEADERS: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
];

/// Decides who may call.
#[derive(Debug)]
pub struct Gate {
    /// Keys by the first bytes of their hash, so that finding one does not
    /// take a look at each. None means open.
    keys: HashMap<[u8; 8], Vec<Arc<Key>>>,
    open: bool,
}

#[derive(Debug)]
struct Key {
    name: Box<str>,
    sha256: [u8; 32],
    models: Option<Vec<WildMatch>>,
    expires: Option<Timestamp>,
}

/// Someone who may call.
#[derive(Debug, Clone)]
pub struct Caller(Option<Arc<Key>>);

/// No key, a wrong one, or one that has expired: callers are told no
/// difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

impl Gate {
    /// The gate that this configuration asks for.
    #[must_use]
    pub fn new(access: &Access) -> Self {
        let mut keys: HashMap<[u8; 8], Vec<Arc<Key>>> = HashMap::new();
        for key in &access.keys {
            keys.entry(prefix(&key.sha256))
                .or_default()
                .push(Arc::new(Key::new(key)));
        }
        Self {
            keys,
            open: access.is_open(),
        }
    }

    /// True when everyone who reaches us may call.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Lets a caller in by the key in its request's headers.
    pub fn admit(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        if self.open {
            return Ok(Caller(None));
        }
        let credential = credential(headers).ok_or(Denied)?;
        let digest: [u8; 32] = Sha256::digest(credential).into();
        let candidates = self.keys.get(&prefix(&digest)).ok_or(Denied)?;
        let key = candidates
            .iter()
            .find(|key| bool::from(key.sha256.ct_eq(&digest)))
            .filter(|key| key.is_valid())
            .ok_or(Denied)?;
        Ok(Caller(Some(Arc::clone(key))))
    }
}

impl Caller {
    /// The key's name, or none while access is open.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.0.as_ref().map(|key| &*key.name)
    }

    /// True until the caller's key has expired.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0.as_ref().is_none_or(|key| key.is_valid())
    }

    /// Whether this caller may use the model of this name.
    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        let allowed = self.0.as_ref().and_then(|key| key.models.as_ref());
        allowed.is_none_or(|globs| globs.iter().any(|glob| glob.matches(model)))
    }
}

impl Key {
    fn new(key: &ClientKey) -> Self {
        Self {
            name: key.name.as_str().into(),
            sha256: key.sha256,
            models: key.models.clone(),
            expires: key.expires,
        }
    }

    fn is_valid(&self) -> bool {
        let expires = self.expires;
        expires.is_none_or(|expires| Timestamp::now() < expires)
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

/// The token of `Bearer TOKEN`; the scheme's case does not count (RFC 9110,
/// section 11.1).
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
