//! Asks providers now and then whether they are well, so that requests need not
//! find it out. One task for each provider, on the thread that accepts; the
//! workers read what comes of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::StatusCode;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::config::HealthCheck;
use crate::proxy::Snapshot;
use crate::routing::Vitals;
use crate::telemetry::metric::{self, Counter, Gauge, Registry};
use crate::upstream::{Client, Upstream};

/// Longest wait for the first question after the start.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// The checkups that go on, by the name of the provider. They end with this.
#[derive(Debug)]
pub struct Checkups {
    registry: Registry,
    running: HashMap<Box<str>, Running>,
}

/// One that goes on until this is dropped.
#[derive(Debug)]
struct Running {
    upstream: Arc<Upstream>,
    vitals: Arc<Vitals>,
    task: AbortHandle,
}

/// One provider's.
struct Checkup {
    provider: Box<str>,
    rules: HealthCheck,
    vitals: Arc<Vitals>,
    healthy: Gauge,
    passed: Counter,
    failed: Counter,
}

impl Checkups {
    /// None yet.
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            running: HashMap::new(),
        }
    }

    /// Asks the providers of this snapshot from now on. What has not changed
    /// goes on undisturbed, and what is not asked for any more ends.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let mut before = std::mem::take(&mut self.running);
        for provider in snapshot.catalog.providers() {
            let upstream = snapshot.upstreams.get(provider.id).and_then(Option::as_ref);
            let Some((upstream, vitals)) = upstream.zip(snapshot.fleet.vitals(provider.id)) else {
                continue;
            };
            let Some(rules) = upstream.health_check() else {
                continue;
            };
            let same = before.remove(&provider.name).filter(|running| {
                Arc::ptr_eq(&running.upstream, upstream) && Arc::ptr_eq(&running.vitals, vitals)
            });
            let running = same.unwrap_or_else(|| {
                let checkup = Checkup::new(&provider.name, rules, vitals, &self.registry);
                checkup.start(upstream)
            });
            self.running.insert(provider.name.clone(), running);
        }
        for (provider, running) in before {
            running.vitals.forget();
            let labels = [("provider", &*provider)];
            let healthy = self.registry.gauge(&metric::PROVIDER_HEALTHY, &labels);
            healthy.set(1);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Checkup {
    fn new(provider: &str, rules: &HealthCheck, vitals: &Arc<Vitals>, registry: &Registry) -> Self {
        let asked = |result| {
            let labels = [("provider", provider), ("result", result)];
            registry.counter(&metric::HEALTH_CHECKS, &labels)
        };
        let healthy = registry.gauge(&metric::PROVIDER_HEALTHY, &[("provider", provider)]);
        healthy.set(vitals.is_well().into());
        Self {
            provider: provider.into(),
            rules: rules.clone(),
            vitals: Arc::clone(vitals),
            healthy,
            passed: asked("passed"),
            failed: asked("failed"),
        }
    }

    fn start(self, upstream: &Arc<Upstream>) -> Running {
        let asked = [Some(Arc::clone(upstream))];
        let vitals = Arc::clone(&self.vitals);
        let task = spawn_local(async move {
            // A client of its own each time: whether a connection can be made is
            // part of the question.
            let ask = async |turn| {
                let status = Client::new(&asked).ask(0, turn).await;
                status.map_err(|error| error.to_string())
            };
            self.run(ask, &mut Rng::new()).await;
        });
        Running {
            upstream: Arc::clone(upstream),
            vitals,
            task: task.abort_handle(),
        }
    }

    /// Asks for ever, one question at a time. The times are spread, so that many
    /// gateways that started together do not go on together.
    async fn run(self, ask: impl AsyncFn(usize) -> Result<StatusCode, String>, rng: &mut Rng) {
        sleep(self.rules.interval.min(FIRST_WITHIN).mul_f64(rng.f64())).await;
        for turn in 0.. {
            let spread = 0.9 + 0.2 * rng.f64();
            let next = Instant::now() + self.rules.interval.mul_f64(spread);
            let answer = timeout(self.rules.timeout, ask(turn)).await;
            self.judge(&answer.unwrap_or_else(|_| Err("no answer in time".to_owned())));
            sleep_until(next).await;
        }
    }

    fn judge(&self, answer: &Result<StatusCode, String>) {
        let provider = &*self.provider;
        let status = answer.as_ref().ok().map(StatusCode::as_u16);
        let error = answer.as_ref().err();
        let is_good = answer.as_ref().is_ok_and(StatusCode::is_success);
        let count = if is_good { &self.passed } else { &self.failed };
        count.increment(1);
        debug!(provider, status, error, "health check");
        if !self.vitals.note(is_good, &self.rules) {
            return;
        }
        self.healthy.set(is_good.into());
        if is_good {
            info!(provider, "provider is well again");
        } else {
            warn!(
                provider,
                status, error, "provider is not well and is left out"
            );
        }
    }
}

#[cfg(test)]
mod tests;
