//! Where objects live: files, responses, batches and the like stay at the
//! provider that made them, and later calls speak of them by their ids alone.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

/// Where one object lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The provider's name.
    pub provider: Box<str>,
    /// The identity of the credential that it was made with
    /// ([`crate::catalog::Provider::credential_identity`]).
    pub credential: u64,
    /// The name of the key of whoever had it made, where there are keys.
    pub owner: Option<Box<str>>,
}

/// The objects that were seen last. It has a lock, which none of the calls that
/// most requests make ever takes.
#[derive(Debug)]
pub struct Homes(Option<Mutex<LruCache<Box<str>, Home>>>);

impl Homes {
    /// Remembers at most so many objects.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let cache = NonZeroUsize::new(most).map(LruCache::new);
        Self(cache.map(Mutex::new))
    }

    /// Changes how many are remembered. A memory that was never used stays so.
    pub fn resize(&self, most: usize) {
        if let (Some(known), Some(most)) = (&self.0, NonZeroUsize::new(most)) {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.resize(most);
        }
    }

    /// Notes where the object of this id lives. It stays its first owner's, who
    /// ever else is told of it later.
    pub fn remember(&self, id: &str, home: Home) {
        if let Some(known) = &self.0 {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            match known.get_mut(id) {
                Some(before) if before.provider == home.provider => {
                    before.credential = home.credential;
                }
                _ => {
                    known.put(id.into(), home);
                }
            }
        }
    }

    /// Where the object of this id lives, if it was seen.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Home> {
        let mut known = self
            .0
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Home, Homes};

    fn home(provider: &str) -> Home {
        Home {
            provider: provider.into(),
            credential: 1,
            owner: None,
        }
    }

    #[test]
    fn forgets_what_was_not_asked_for_longest() {
        let homes = Homes::new(2);
        homes.remember("a", home("one"));
        homes.remember("b", home("two"));
        assert_eq!(homes.find("a"), Some(home("one")));
        homes.remember("c", home("three"));
        assert_eq!(homes.find("b"), None);
        homes.resize(1);
        assert_eq!(homes.find("a"), None);
        assert_eq!(homes.find("c"), Some(home("three")));
        homes.remember("c", home("four"));
        assert_eq!(homes.find("c"), Some(home("four")));
    }

    #[test]
    fn an_object_stays_its_first_owners() {
        let homes = Homes::new(2);
        let owned = |by: &str, provider| Home {
            owner: Some(by.into()),
            ..home(provider)
        };
        homes.remember("a", owned("maker", "one"));
        homes.remember("a", owned("lister", "one"));
        assert_eq!(homes.find("a"), Some(owned("maker", "one")));
        homes.remember("a", owned("other", "two"));
        assert_eq!(homes.find("a"), Some(owned("other", "two")));
    }

    #[test]
    fn may_remember_nothing() {
        let homes = Homes::new(0);
        homes.remember("a", home("one"));
        assert_eq!(homes.find("a"), None);
    }
}
