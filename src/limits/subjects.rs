//! All subjects of one rule, of which no more are kept than it allows.

use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hashbrown::HashTable;

use super::clock::LimitClock;
use super::subject::Subject;
use super::subject_key::SubjectKey;
use super::terms::Terms;

/// Subjects that are looked at to find one to drop. Among fewer than these, the one that
/// is dropped is the one idle longest; among more, nearly.
const SAMPLE: usize = 64;
/// Entries of the table that are read at a time, so that workers wait for microseconds.
const CHUNK: usize = 1024;

/// Shared by the generations of a rule.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    table: Mutex<SubjectTable>,
    /// Those that had used something.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct SubjectTable {
    subjects: HashTable<Arc<Subject>>,
    hasher: RandomState,
    /// Where the search for one to drop goes on.
    hand: usize,
}

// === impl Subjects ===

impl Subjects {
    /// The subject of a key that is configured, which is always kept.
    pub fn get_fixed(&self, key: &SubjectKey<'_>, terms: &Arc<Terms>) -> Arc<Subject> {
        let mut table = self.lock();
        let found = table.find(key);
        found.unwrap_or_else(|| table.insert(key, terms))
    }

    /// If there is no space for another one, those that come later share one.
    pub fn get(
        &self,
        key: &SubjectKey<'_>,
        terms: &Arc<Terms>,
        max: usize,
        now: LimitClock,
    ) -> Arc<Subject> {
        let mut table = self.lock();
        if let Some(found) = table.find(key) {
            return found;
        }
        if table.subjects.len() < max {
            return table.insert(key, terms);
        }
        if let Some(was_full) = table.drop_one(now) {
            let lost = u64::from(!was_full);
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            return table.insert(key, terms);
        }
        let shared = SubjectKey {
            label: key.label,
            ..SubjectKey::default()
        };
        let found = table.find(&shared);
        found.unwrap_or_else(|| table.insert(&shared, terms))
    }

    pub fn find(&self, key: &SubjectKey<'_>) -> Option<Arc<Subject>> {
        self.lock().find(key)
    }

    /// All that are kept, none of which is in use because of this. Workers go on meanwhile,
    /// so one that comes or goes may be missing.
    pub fn all(&self) -> impl Iterator<Item = Arc<Subject>> + use<> {
        let mut all: Vec<Weak<Subject>> = Vec::new();
        let (mut buckets, mut next) = (0, 0);
        loop {
            let table = self.lock();
            if buckets != table.subjects.num_buckets() {
                // Begins again: a table of another size has another order.
                buckets = table.subjects.num_buckets();
                next = 0;
                all.clear();
            }
            let end = buckets.min(next + CHUNK);
            let chunk = (next..end).filter_map(|it| table.subjects.get_bucket(it));
            all.extend(chunk.map(Arc::downgrade));
            drop(table);
            if end == buckets {
                return all.into_iter().filter_map(|it| it.upgrade());
            }
            next = end;
            std::thread::yield_now();
        }
    }

    pub fn are_empty(&self) -> bool {
        self.lock().subjects.is_empty()
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Drops those that are as if they were new and in no use.
    pub fn prune(&self, now: LimitClock) {
        let mut table = self.lock();
        table
            .subjects
            .retain(|it| is_in_use(it) || !it.lock_any().is_full(now));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SubjectTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request holds it, or waits for it, or it is configured.
fn is_in_use(subject: &Arc<Subject>) -> bool {
    Arc::strong_count(subject) > 1
}

// === impl SubjectTable ===

impl SubjectTable {
    fn find(&self, key: &SubjectKey<'_>) -> Option<Arc<Subject>> {
        let hash = key.hash_with(&self.hasher);
        let found = self.subjects.find(hash, |it| it.name.key() == *key);
        found.cloned()
    }

    fn insert(&mut self, key: &SubjectKey<'_>, terms: &Arc<Terms>) -> Arc<Subject> {
        let hasher = &self.hasher;
        let subject = Subject::new(key, terms);
        self.subjects
            .insert_unique(key.hash_with(hasher), Arc::clone(&subject), |it| {
                it.name.key().hash_with(hasher)
            });
        subject
    }

    /// Drops a subject that is full, or else the one idle longest. Returns whether it was
    /// full; `None` if all are in use.
    fn drop_one(&mut self, now: LimitClock) -> Option<bool> {
        let mut oldest: Option<(u32, usize)> = None;
        let buckets = self.subjects.num_buckets();
        let mut looked_at = 0;
        for _ in 0..buckets {
            self.hand = (self.hand + 1) % buckets;
            let Some(subject) = self.subjects.get_bucket(self.hand) else {
                continue;
            };
            if looked_at == SAMPLE {
                break;
            }
            looked_at += 1;
            if is_in_use(subject) {
                continue;
            }
            if subject.lock_any().is_full(now) {
                self.remove(self.hand);
                return Some(true);
            }
            let last_used = subject.last_used();
            if oldest.is_none_or(|(time, _)| last_used < time) {
                oldest = Some((last_used, self.hand));
            }
        }
        let (_, index) = oldest?;
        if let Some(subject) = self.subjects.get_bucket(index) {
            subject.lock_any().keep_used(now);
        }
        self.remove(index);
        Some(false)
    }

    fn remove(&mut self, index: usize) {
        if let Ok(entry) = self.subjects.get_bucket_entry(index) {
            entry.remove();
        }
    }
}
