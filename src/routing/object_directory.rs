//! Where files, responses, batches and other objects are stored: each exists at one
//! provider only, and later requests name it by its id alone.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectLocation {
    /// Name of the provider.
    pub provider: Box<str>,
    /// [`crate::catalog::Provider::credential_identity`] of the credential that
    /// created it.
    pub credential: u64,
    /// Name of the client key that created it, if client keys are configured.
    pub owner: Option<Box<str>>,
}

/// The objects seen most recently. Its lock is taken by requests for objects only.
#[derive(Debug)]
pub struct ObjectDirectory(Option<Mutex<LruCache<Box<str>, ObjectLocation>>>);

impl ObjectDirectory {
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let cache = NonZeroUsize::new(capacity).map(LruCache::new);
        Self(cache.map(Mutex::new))
    }

    /// A directory without capacity stays so.
    pub fn resize(&self, capacity: usize) {
        if let (Some(cache), Some(capacity)) = (&self.0, NonZeroUsize::new(capacity)) {
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.resize(capacity);
        }
    }

    /// An object keeps its first owner, even if another client sees it later.
    pub fn insert(&self, id: &str, location: ObjectLocation) {
        if let Some(cache) = &self.0 {
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            match cache.get_mut(id) {
                Some(known) if known.provider == location.provider => {
                    known.credential = location.credential;
                }
                _ => {
                    cache.put(id.into(), location);
                }
            }
        }
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<ObjectLocation> {
        let mut cache = self
            .0
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        cache.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{ObjectDirectory, ObjectLocation};

    fn location(provider: &str) -> ObjectLocation {
        ObjectLocation {
            provider: provider.into(),
            credential: 1,
            owner: None,
        }
    }

    #[test]
    fn evicts_the_least_recently_used_object() {
        let directory = ObjectDirectory::new(2);
        directory.insert("a", location("one"));
        directory.insert("b", location("two"));
        assert_eq!(directory.get("a"), Some(location("one")));
        directory.insert("c", location("three"));
        assert_eq!(directory.get("b"), None);
        directory.resize(1);
        assert_eq!(directory.get("a"), None);
        assert_eq!(directory.get("c"), Some(location("three")));
        directory.insert("c", location("four"));
        assert_eq!(directory.get("c"), Some(location("four")));
    }

    #[test]
    fn an_object_keeps_its_first_owner() {
        let directory = ObjectDirectory::new(2);
        let owned = |by: &str, provider| ObjectLocation {
            owner: Some(by.into()),
            ..location(provider)
        };
        directory.insert("a", owned("creator", "one"));
        directory.insert("a", owned("lister", "one"));
        assert_eq!(directory.get("a"), Some(owned("creator", "one")));
        directory.insert("a", owned("other", "two"));
        assert_eq!(directory.get("a"), Some(owned("other", "two")));
    }

    #[test]
    fn zero_capacity_stores_no_object() {
        let directory = ObjectDirectory::new(0);
        directory.insert("a", location("one"));
        assert_eq!(directory.get("a"), None);
    }
}
