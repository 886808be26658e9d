//! Locations of objects that other replicas may ask for: written to the store behind the
//! requests, and looked up there before those whose objects this process does not know.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lru::LruCache;
use metrics::Counter;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::key;
use super::scripts::{OBJECT_GET, OBJECT_PUT};
use super::server_facts::ServerFacts;
use crate::routing::{ObjectDirectory, ObjectLocation};
use crate::store::{StoreCall, StoreHandle, StoreValue};
use crate::telemetry::metric::label::store_object_result as result;
use crate::telemetry::metric::{self, Registry};

/// Objects that wait to be written; while the store is away, the newest ones are kept.
const MAX_UNWRITTEN: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Objects of one request that are looked up.
const MAX_LOOKUPS: usize = 16;
const BATCH: usize = 128;
/// No request waits for these.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often it is looked whether the store is away, and back. It is away for a second at
/// least.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One for a process and a store.
#[derive(Debug)]
pub struct SharedObjects {
    store: StoreHandle,
    /// Set with the first generation.
    directory: OnceLock<Arc<ObjectDirectory>>,
    unwritten: Mutex<LruCache<Box<str>, ObjectLocation>>,
    demand: Notify,
    counts: Counts,
}

#[derive(Debug)]
struct Counts {
    written: Counter,
    dropped: Counter,
    found: Counter,
    unknown: Counter,
    no_response: Counter,
}

// === impl SharedObjects ===

impl SharedObjects {
    #[must_use]
    pub fn new(store: &StoreHandle, registry: &Registry) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            directory: OnceLock::new(),
            unwritten: Mutex::new(LruCache::new(MAX_UNWRITTEN)),
            demand: Notify::new(),
            counts: Counts::new(registry),
        })
    }

    /// Shares the objects of this directory, which is that of all generations.
    pub fn share(&self, directory: &Arc<ObjectDirectory>) {
        // Those of an earlier store, after a reload.
        if self.directory.set(Arc::clone(directory)).is_ok() {
            self.write_all_again();
        }
    }

    /// Has an object of the directory written soon, unless the store has it.
    pub fn write(&self, id: &str) {
        let directory = self.directory.get();
        if let Some(location) = directory.and_then(|it| it.take_unwritten(id)) {
            self.enqueue(id.into(), location);
            self.demand.notify_one();
        }
    }

    /// Those of these that are worth a look in the store: not if one is known here, nor the
    /// words of a path, nor parts of a conversation, which are at no provider by themselves.
    pub fn unknown_ids<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
        let mut unknown = Vec::new();
        let Some(directory) = self.directory.get() else {
            return unknown;
        };
        for id in ids {
            if directory.get(id).is_some() {
                return Vec::new();
            }
            if unknown.len() < MAX_LOOKUPS && may_be_object(id) {
                unknown.push(id);
            }
        }
        unknown
    }

    /// False while the store is away: no request waits for it then.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.store.is_up()
    }

    /// Looks objects up, for no longer than the store's timeout. Those that are found are in
    /// the directory then.
    pub async fn look_up(&self, ids: &[&str]) {
        let calls = ids.iter().map(|id| {
            let key = self.key(id);
            StoreCall::script(&OBJECT_GET, &[&key])
        });
        let waiting = self.store.run(calls.collect(), self.store.timeout());
        let Some(values) = waiting.await else {
            self.counts.no_response.increment(1);
            return;
        };
        let mut is_found = false;
        for (id, value) in ids.iter().zip(values) {
            if let Some(location) = value.ok().and_then(location_of) {
                self.learn(id, location);
                is_found = true;
            }
        }
        let count = if is_found {
            &self.counts.found
        } else {
            &self.counts.unknown
        };
        count.increment(1);
    }

    /// Writes what is to be written, as long as it is polled.
    pub async fn run(&self) {
        let mut facts: Option<ServerFacts> = None;
        let mut was_up = false;
        loop {
            // It may have come back without a demand.
            let _ = timeout(LOOK_EVERY, self.demand.notified()).await;
            let is_up = self.store.is_up();
            if is_up && !was_up {
                facts = Some(self.server_facts(facts.as_ref()).await);
            }
            was_up = is_up;
            while self.store.is_up() && !self.lock().is_empty() {
                let current = match facts.take() {
                    Some(recent) if recent.is_recent() => recent,
                    older => self.server_facts(older.as_ref()).await,
                };
                let is_written = self.write_some(current.has_room).await;
                facts = Some(current);
                if !is_written {
                    break;
                }
            }
        }
    }

    /// Writes what is left, at the end of the process.
    pub async fn flush(&self) {
        while self.store.is_up() && !self.lock().is_empty() {
            if !self.write_some(true).await {
                return;
            }
        }
    }

    /// The server may have lost its data, or be another one.
    fn write_all_again(&self) {
        let Some(directory) = self.directory.get() else {
            return;
        };
        for (id, location) in directory.newest(MAX_UNWRITTEN.get()) {
            self.enqueue(id, location);
        }
    }

    /// False if the store did not respond, or refuses all: it is tried again.
    async fn write_some(&self, has_room: bool) -> bool {
        let batch = self.take_unwritten();
        if !has_room {
            self.counts.dropped.increment(batch.len() as u64);
            return true;
        }
        let calls = batch.iter().map(|(id, location)| self.put(id, location));
        let responses = self.store.run(calls.collect(), WRITE_TIMEOUT).await;
        let responses = responses.filter(|it| it.iter().any(Result::is_ok));
        let Some(responses) = responses else {
            self.put_back(batch);
            return false;
        };
        for ((id, location), owner) in batch.into_iter().zip(responses) {
            let owner = owner.ok().and_then(StoreValue::parse::<String>);
            let Some(owner) = owner.map(owner_of) else {
                self.counts.dropped.increment(1);
                continue;
            };
            self.counts.written.increment(1);
            if owner != location.owner {
                self.learn(&id, ObjectLocation { owner, ..location });
            }
        }
        true
    }

    fn learn(&self, id: &str, location: ObjectLocation) {
        if let Some(directory) = self.directory.get() {
            directory.replace(id, location);
        }
    }

    async fn server_facts(&self, earlier: Option<&ServerFacts>) -> ServerFacts {
        let facts = ServerFacts::of(&self.store, WRITE_TIMEOUT).await;
        if earlier.is_some_and(|it| it.is_other_process(&facts)) {
            self.write_all_again();
        }
        facts
    }

    fn put(&self, id: &str, location: &ObjectLocation) -> StoreCall {
        let key = self.key(id);
        StoreCall::script(&OBJECT_PUT, &[&key])
            .arg(&*location.provider)
            .arg(format!("{:016x}", location.credential))
            .arg(location.owner.as_deref().unwrap_or_default())
            .arg(milliseconds(location.lifetime))
    }

    fn key(&self, id: &str) -> String {
        key::object(self.store.prefix(), id)
    }

    fn enqueue(&self, id: Box<str>, location: ObjectLocation) {
        let mut unwritten = self.lock();
        if unwritten.len() == MAX_UNWRITTEN.get() && !unwritten.contains(&id) {
            self.counts.dropped.increment(1);
        }
        unwritten.put(id, location);
    }

    /// The oldest ones.
    fn take_unwritten(&self) -> Vec<(Box<str>, ObjectLocation)> {
        let mut unwritten = self.lock();
        let oldest = std::iter::from_fn(|| unwritten.pop_lru());
        oldest.take(BATCH).collect()
    }

    /// As they were, unless there are newer ones of the same objects, or too many.
    fn put_back(&self, batch: Vec<(Box<str>, ObjectLocation)>) {
        let mut unwritten = self.lock();
        for (id, location) in batch.into_iter().rev() {
            if unwritten.len() == MAX_UNWRITTEN.get() {
                self.counts.dropped.increment(1);
            } else if !unwritten.contains(&id) {
                unwritten.put(id.clone(), location);
                unwritten.demote(&id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Box<str>, ObjectLocation>> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not the words of a path (`input_items`), and not OpenAI's ids of the items of a response.
fn may_be_object(id: &str) -> bool {
    const OF_ITEMS: [&str; 8] = ["call_", "fc_", "msg_", "rs_", "ws_", "fs_", "ig_", "ctc_"];
    let is_word = id.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    !is_word && !OF_ITEMS.iter().any(|prefix| id.starts_with(prefix))
}

/// What the script `object_get` returned.
fn location_of(value: StoreValue) -> Option<ObjectLocation> {
    let fields: [String; 4] = value.parse::<Vec<String>>()?.try_into().ok()?;
    let [provider, credential, owner, lifetime] = fields;
    Some(ObjectLocation {
        provider: provider.into(),
        credential: u64::from_str_radix(&credential, 16).ok()?,
        owner: owner_of(owner),
        lifetime: Duration::from_millis(lifetime.parse().ok()?),
    })
}

fn owner_of(text: String) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

// === impl Counts ===

impl Counts {
    fn new(registry: &Registry) -> Self {
        let count = |result| registry.counter(&metric::STORE_OBJECTS, &[("result", result)]);
        Self {
            written: count(result::WRITTEN),
            dropped: count(result::DROPPED),
            found: count(result::FOUND),
            unknown: count(result::UNKNOWN),
            no_response: count(result::NO_RESPONSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{BATCH, MAX_LOOKUPS, MAX_UNWRITTEN, SharedObjects};
    use crate::routing::{ObjectDirectory, ObjectLocation};
    use crate::store::store_handle;
    use crate::telemetry::metric::Registry;

    fn location(provider: &str) -> ObjectLocation {
        ObjectLocation {
            provider: provider.into(),
            credential: 1,
            owner: None,
            lifetime: Duration::from_secs(60),
        }
    }

    fn shared(directory: &Arc<ObjectDirectory>) -> Arc<SharedObjects> {
        let (handle, _) = store_handle("", Duration::from_millis(1));
        let shared = SharedObjects::new(&handle, &Registry::new());
        shared.share(directory);
        shared
    }

    fn ids(batch: &[(Box<str>, ObjectLocation)]) -> Vec<&str> {
        batch.iter().map(|(id, _)| &**id).collect()
    }

    #[test]
    fn of_too_many_objects_the_newest_are_written() {
        let directory = Arc::new(ObjectDirectory::new(20_000));
        let shared = shared(&directory);
        for number in 0..MAX_UNWRITTEN.get() + 5 {
            let id = number.to_string();
            directory.insert(&id, location("one"));
            shared.write(&id);
            shared.write(&id);
        }
        assert_eq!(shared.lock().len(), MAX_UNWRITTEN.get());
        let batch = shared.take_unwritten();
        assert_eq!((batch.len(), ids(&batch)[0]), (BATCH, "5"));
        // What could not be written comes first again.
        let first = ids(&batch)[..3].join(" ");
        shared.put_back(batch);
        let again = shared.take_unwritten();
        assert_eq!(ids(&again)[..3].join(" "), first);
    }

    #[test]
    fn what_is_put_back_is_older_than_what_came_since() {
        let directory = Arc::new(ObjectDirectory::new(10));
        let shared = shared(&directory);
        directory.insert("a", location("one"));
        shared.write("a");
        let batch = shared.take_unwritten();
        directory.insert("a", location("two"));
        shared.write("a");
        shared.put_back(batch);
        let batch = shared.take_unwritten();
        assert_eq!(batch, [("a".into(), location("two"))]);
    }

    #[test]
    fn only_what_may_be_an_object_is_looked_up() {
        let directory = Arc::new(ObjectDirectory::new(10));
        directory.insert("file-known", location("one"));
        let shared = shared(&directory);
        let unknown = |ids: &[&'static str]| shared.unknown_ids(ids.iter().copied());
        assert_eq!(
            unknown(&["responses", "resp_1", "input_items", "call_a1", "msg_1"]),
            ["resp_1"]
        );
        assert_eq!(unknown(&["resp_1", "file-known"]), Vec::<&str>::new());
        assert_eq!(unknown(&["file-1"; 100]).len(), MAX_LOOKUPS);
    }

    #[test]
    fn another_store_gets_what_the_directory_has() {
        let directory = Arc::new(ObjectDirectory::new(10));
        let earlier = shared(&directory);
        for id in ["a", "b"] {
            directory.insert(id, location("one"));
            earlier.write(id);
        }
        let later = shared(&directory);
        assert_eq!(ids(&later.take_unwritten()), ["a", "b"]);
    }
}
