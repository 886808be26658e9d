//! The list of models that an upstream offers, cached. A request for an expired list
//! starts a refresh.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::wire::model_list::ListedModel;

/// Shared by the task that fetches the list and all workers.
#[derive(Debug, Default)]
pub struct ModelListCache {
    cached: watch::Sender<CachedList>,
    refresh: Notify,
}

#[derive(Debug, Default)]
struct CachedList {
    models: Arc<[ListedModel]>,
    /// None before the first fetch, successful or not.
    fresh_until: Option<Instant>,
}

impl ModelListCache {
    /// Requests a fetch unless the list is fresh. True before the first fetch.
    pub fn request_refresh(&self) -> bool {
        let cached = self.cached.borrow();
        if cached.is_stale() {
            self.refresh.notify_one();
        }
        cached.fresh_until.is_none()
    }

    /// The cached models; an expired list is refreshed in the background. Only the very
    /// first fetch is waited for, until `deadline` at most, so that an upstream that
    /// never lists its models does not delay each request.
    pub async fn get_or_wait(&self, deadline: Instant) -> Arc<[ListedModel]> {
        let mut changes = self.cached.subscribe();
        if self.request_refresh() {
            // Empty at a timeout; the next request gets the list.
            let _ = timeout_at(deadline, changes.changed()).await;
        }
        self.models()
    }

    /// Sorted by name: `provider/model`.
    #[must_use]
    pub fn models(&self) -> Arc<[ListedModel]> {
        Arc::clone(&self.cached.borrow().models)
    }

    /// The cached model of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ListedModel> {
        let models = self.models();
        let index = models.binary_search_by(|model| (*model.id).cmp(name)).ok();
        models.get(index?).cloned()
    }

    /// Waits until a request asks for an expired list.
    pub async fn refresh_requested(&self) {
        loop {
            self.refresh.notified().await;
            if self.cached.borrow().is_stale() {
                return;
            }
        }
    }

    /// Stores a list, fresh for `ttl`. None keeps the models, and delays the next fetch.
    pub fn store(&self, models: Option<Arc<[ListedModel]>>, ttl: Duration) {
        self.cached.send_modify(|cached| {
            cached.fresh_until = Some(Instant::now() + ttl);
            if let Some(models) = models {
                cached.models = models;
            }
        });
    }
}

impl CachedList {
    fn is_stale(&self) -> bool {
        self.fresh_until.is_none_or(|until| until <= Instant::now())
    }
}

#[cfg(test)]
mod tests;
