//! Model discovery: fetches the model lists of providers when a request needs them.
//! One task for each provider, on the control thread; the workers read the result.

use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use tokio::task::{JoinHandle, spawn_local};
use tracing::{debug, info, warn};

use super::provider_tasks::ProviderTasks;
use crate::config::{Discover, Discovery};
use crate::lazy_timer::timeout;
use crate::proxy::Snapshot;
use crate::telemetry::metric::label::discovery_result;
use crate::telemetry::metric::{self, Registry};
use crate::upstream::{Client, ModelListCache, Upstream};
use crate::wire::model_list::ListedModel;

/// No retry for this long after a failure, or for the TTL of a list if that is less.
const FAILURE_TTL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct DiscoveryTasks {
    registry: Registry,
    tasks: ProviderTasks<DiscoveredProvider>,
}

#[derive(Debug)]
struct DiscoveredProvider {
    upstream: Arc<Upstream>,
    rules: Discovery,
}

impl PartialEq for DiscoveredProvider {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.upstream, &other.upstream) && self.rules == other.rules
    }
}

struct DiscoveryTask {
    provider: Box<str>,
    rules: Discovery,
    found: Counter,
    failed: Counter,
}

// === impl DiscoveryTasks ===

impl DiscoveryTasks {
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            tasks: ProviderTasks::default(),
        }
    }

    /// Switches to the providers of this snapshot; unchanged ones keep their task.
    /// Lists that are always shown are fetched at once, so that the first request
    /// need not wait.
    pub fn reconcile(&mut self, snapshot: &Snapshot) {
        let rules = snapshot.discovery;
        let ready = snapshot
            .catalog
            .providers()
            .into_iter()
            .filter_map(|provider| {
                let upstream = snapshot.upstreams.get(provider.id)?.as_ref()?;
                (provider.discover != Discover::Never).then_some((provider, upstream))
            });
        let wanted = ready.clone().map(|(provider, upstream)| {
            let upstream = Arc::clone(upstream);
            (&*provider.name, DiscoveredProvider { upstream, rules })
        });
        self.tasks.reconcile(wanted, |name, provider| {
            DiscoveryTask::new(name, rules, &self.registry).start(&provider.upstream)
        });
        for (provider, upstream) in ready {
            if provider.discover == Discover::Always {
                upstream.model_list().request_refresh();
            }
        }
    }
}

// === impl DiscoveryTask ===

impl DiscoveryTask {
    fn new(provider: &str, rules: Discovery, registry: &Registry) -> Self {
        let result = |result| {
            let labels = [("provider", provider), ("result", result)];
            registry.counter(&metric::DISCOVERIES, &labels)
        };
        Self {
            provider: provider.into(),
            rules,
            found: result(discovery_result::FOUND),
            failed: result(discovery_result::FAILED),
        }
    }

    fn start(self, upstream: &Arc<Upstream>) -> JoinHandle<()> {
        let upstream = Arc::clone(upstream);
        spawn_local(async move {
            let fetch = async || {
                // Too rare to keep a connection open for the next time.
                let client = Client::new(&[Some(Arc::clone(&upstream))]);
                let list = client.list_models(0, 0).await;
                list.map_err(|error| error.to_string())
            };
            self.run(upstream.model_list(), fetch).await;
        })
    }

    /// Fetches the list whenever a request needs it, forever. Of consecutive failures,
    /// only the first is logged as a warning.
    async fn run(
        self,
        cache: &ModelListCache,
        fetch: impl AsyncFn() -> Result<Arc<[ListedModel]>, String>,
    ) {
        let provider = &*self.provider;
        let mut failing = false;
        loop {
            cache.refresh_requested().await;
            let result = timeout(self.rules.timeout, fetch()).await;
            match result.unwrap_or_else(|_| Err("no response in time".to_owned())) {
                Ok(models) => {
                    self.found.increment(1);
                    if failing {
                        info!(
                            provider,
                            models = models.len(),
                            "model list available again"
                        );
                    } else {
                        debug!(provider, models = models.len(), "model list fetched");
                    }
                    failing = false;
                    cache.store(Some(models), self.rules.ttl);
                }
                Err(error) => {
                    self.failed.increment(1);
                    if failing {
                        debug!(provider, error, "cannot list models");
                    } else {
                        warn!(provider, error, "cannot list models");
                    }
                    failing = true;
                    cache.store(None, self.rules.ttl.min(FAILURE_TTL));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
