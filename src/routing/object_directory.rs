//! Where files, responses, batches and other objects are stored: each exists at one
//! provider only, and later requests name it by its id alone.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// How often an object that is in use is written to the store again, which forgets those
/// that are not.
const WRITTEN_EVERY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectLocation {
    /// Name of the provider.
    pub provider: Box<str>,
    /// [`crate::catalog::Provider::credential_identity`] of the credential that
    /// created it.
    pub credential: u64,
    /// Name of the client key that created it, if client keys are configured.
    pub owner: Option<Box<str>>,
    /// How long the store keeps it after its last use.
    pub lifetime: Duration,
}

/// The objects seen most recently. Its lock is taken by requests for objects only.
#[derive(Debug)]
pub struct ObjectDirectory(Option<Mutex<LruCache<Box<str>, ObjectEntry>>>);

#[derive(Debug)]
struct ObjectEntry {
    location: ObjectLocation,
    /// When the store had it as it is here, if it did.
    written: Option<Instant>,
}

impl ObjectDirectory {
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let cache = NonZeroUsize::new(capacity).map(LruCache::new);
        Self(cache.map(Mutex::new))
    }

    /// A directory without capacity stays so.
    pub fn resize(&self, capacity: usize) {
        if let (Some(mut cache), Some(capacity)) = (self.lock(), NonZeroUsize::new(capacity)) {
            cache.resize(capacity);
        }
    }

    /// An object keeps its first owner, even if another client sees it later.
    pub fn insert(&self, id: &str, location: ObjectLocation) {
        let Some(mut cache) = self.lock() else { return };
        match cache.get_mut(id) {
            Some(known) if known.location.provider == location.provider => {
                if known.location.credential != location.credential {
                    known.location.credential = location.credential;
                    known.written = None;
                }
            }
            _ => {
                let entry = ObjectEntry {
                    location,
                    written: None,
                };
                cache.put(id.into(), entry);
            }
        }
    }

    /// The object as the store has it.
    pub fn replace(&self, id: &str, location: ObjectLocation) {
        if let Some(mut cache) = self.lock() {
            let entry = ObjectEntry {
                location,
                written: Some(Instant::now()),
            };
            cache.put(id.into(), entry);
        }
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<ObjectLocation> {
        Some(self.lock()?.get(id)?.location.clone())
    }

    /// The object, if it is to be written to the store. The caller does.
    #[must_use]
    pub fn take_unwritten(&self, id: &str) -> Option<ObjectLocation> {
        let mut cache = self.lock()?;
        let entry = cache.peek_mut(id)?;
        let is_written = entry.written.is_some_and(|at| at.elapsed() < WRITTEN_EVERY);
        (!is_written).then(|| {
            entry.written = Some(Instant::now());
            entry.location.clone()
        })
    }

    /// The objects that were seen last, the oldest of them first.
    #[must_use]
    pub fn newest(&self, max: usize) -> Vec<(Box<str>, ObjectLocation)> {
        let Some(cache) = self.lock() else {
            return Vec::new();
        };
        let newest = cache.iter().take(max);
        let mut newest: Vec<_> = newest
            .map(|(id, entry)| (id.clone(), entry.location.clone()))
            .collect();
        newest.reverse();
        newest
    }

    fn lock(&self) -> Option<MutexGuard<'_, LruCache<Box<str>, ObjectEntry>>> {
        let cache = self.0.as_ref()?;
        Some(cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ObjectDirectory, ObjectLocation};

    fn location(provider: &str) -> ObjectLocation {
        ObjectLocation {
            provider: provider.into(),
            credential: 1,
            owner: None,
            lifetime: Duration::from_secs(60),
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
    fn an_object_is_written_to_the_store_when_it_is_new_or_has_changed() {
        let directory = ObjectDirectory::new(2);
        assert_eq!(directory.take_unwritten("a"), None);
        directory.insert("a", location("one"));
        assert_eq!(directory.take_unwritten("a"), Some(location("one")));
        directory.insert("a", location("one"));
        assert_eq!(directory.take_unwritten("a"), None);
        let moved = ObjectLocation {
            credential: 2,
            ..location("one")
        };
        directory.insert("a", moved.clone());
        assert_eq!(directory.take_unwritten("a"), Some(moved));
        directory.replace("b", location("two"));
        assert_eq!(directory.take_unwritten("b"), None);
        assert_eq!(directory.get("b"), Some(location("two")));
    }

    #[test]
    fn zero_capacity_stores_no_object() {
        let directory = ObjectDirectory::new(0);
        directory.insert("a", location("one"));
        assert_eq!(directory.get("a"), None);
    }
}
