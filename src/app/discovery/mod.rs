//! Asks providers which models they have, when somebody wants to know. One task
//! for each provider, on the thread that accepts, which waits until a worker
//! calls for it; the workers read what comes of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::config::{Discover, Discovery as Rules};
use crate::proxy::Snapshot;
use crate::telemetry::metric::{self, Counter, Registry};
use crate::upstream::{Client, Listing, Upstream};
use crate::wire::model_list::Listed;

/// After a failure, nobody asks again for so long, or for the time that a list
/// is kept where that is less.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// The providers that can be asked, by name. Nobody is asked any more once this
/// is gone.
#[derive(Debug)]
pub struct Discovery {
    registry: Registry,
    running: HashMap<Box<str>, Running>,
}

/// One that can be asked until this is dropped.
#[derive(Debug)]
struct Running {
    upstream: Arc<Upstream>,
    rules: Rules,
    task: AbortHandle,
}

/// One provider's.
struct Inquiry {
    provider: Box<str>,
    rules: Rules,
    found: Counter,
    failed: Counter,
}

impl Discovery {
    /// Nobody yet.
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            running: HashMap::new(),
        }
    }

    /// Asks the providers of this snapshot from now on. What has not changed
    /// goes on undisturbed. Those whose models are always told of are asked at
    /// once, so that the first caller need not wait.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let mut before = std::mem::take(&mut self.running);
        let rules = snapshot.discovery;
        for provider in snapshot.catalog.providers() {
            let upstream = snapshot.upstreams.get(provider.id).and_then(Option::as_ref);
            let told = provider.discover != Discover::Never;
            let Some(upstream) = upstream.filter(|_| told) else {
                continue;
            };
            let same = before.remove(&provider.name).filter(|running| {
                Arc::ptr_eq(&running.upstream, upstream) && running.rules == rules
            });
            let running = same.unwrap_or_else(|| {
                Inquiry::new(&provider.name, rules, &self.registry).start(upstream)
            });
            self.running.insert(provider.name.clone(), running);
            if provider.discover == Discover::Always {
                upstream.listing().want();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inquiry {
    fn new(provider: &str, rules: Rules, registry: &Registry) -> Self {
        let asked = |result| {
            let labels = [("provider", provider), ("result", result)];
            registry.counter(&metric::DISCOVERIES, &labels)
        };
        Self {
            provider: provider.into(),
            rules,
            found: asked("found"),
            failed: asked("failed"),
        }
    }

    fn start(self, upstream: &Arc<Upstream>) -> Running {
        let rules = self.rules;
        let asked = Arc::clone(upstream);
        let task = spawn_local(async move {
            let ask = async || {
                // Seldom enough that no connection is kept for the next time.
                let client = Client::new(&[Some(Arc::clone(&asked))]);
                let list = client.list_models(0).await;
                list.map_err(|error| error.to_string())
            };
            self.run(asked.listing(), ask).await;
        });
        Running {
            upstream: Arc::clone(upstream),
            rules,
            task: task.abort_handle(),
        }
    }

    /// Asks whenever somebody wants to know, for ever, one question at a time. Of
    /// failures in a row the first is told of.
    async fn run(self, listing: &Listing, ask: impl AsyncFn() -> Result<Arc<[Listed]>, String>) {
        let provider = &*self.provider;
        let mut fails = false;
        loop {
            listing.wanted().await;
            let answer = timeout(self.rules.timeout, ask()).await;
            match answer.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok(models) => {
                    self.found.increment(1);
                    if fails {
                        info!(
                            provider,
                            models = models.len(),
                            "provider lists its models again"
                        );
                    } else {
                        debug!(provider, models = models.len(), "provider lists its models");
                    }
                    fails = false;
                    listing.take(Some(models), self.rules.ttl);
                }
                Err(error) => {
                    self.failed.increment(1);
                    if fails {
                        debug!(provider, error, "provider does not list its models");
                    } else {
                        warn!(provider, error, "provider does not list its models");
                    }
                    fails = true;
                    listing.take(None, self.rules.ttl.min(FAILURE_KEPT));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
