//! Active health checks: one task for each provider that configures them, on the
//! control thread; the workers read the result.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::StatusCode;
use metrics::{Counter, Gauge};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use super::provider_tasks::ProviderTasks;
use crate::config::HealthCheck;
use crate::lazy_timer::timeout;
use crate::proxy::Snapshot;
use crate::routing::HealthState;
use crate::telemetry::metric::label::health_check_result;
use crate::telemetry::metric::{self, Registry};
use crate::upstream::{Client, Upstream};

/// Upper bound of the first check's random delay.
const MAX_FIRST_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct HealthChecks {
    registry: Registry,
    tasks: ProviderTasks<CheckedProvider>,
}

#[derive(Debug)]
struct CheckedProvider {
    upstream: Arc<Upstream>,
    health: Arc<HealthState>,
    rules: HealthCheck,
}

/// `rules` is not compared: it belongs to the upstream.
impl PartialEq for CheckedProvider {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.upstream, &other.upstream) && Arc::ptr_eq(&self.health, &other.health)
    }
}

struct HealthCheckTask {
    provider: Box<str>,
    rules: HealthCheck,
    health: Arc<HealthState>,
    healthy: Gauge,
    passed: Counter,
    failed: Counter,
}

// === impl HealthChecks ===

impl HealthChecks {
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            tasks: ProviderTasks::default(),
        }
    }

    /// Switches to the providers of this snapshot; unchanged ones keep their task.
    pub fn reconcile(&mut self, snapshot: &Snapshot) {
        let wanted = snapshot
            .catalog
            .providers()
            .into_iter()
            .filter_map(|provider| {
                let upstream = snapshot.upstreams.get(provider.id)?.as_ref()?;
                let checked = CheckedProvider {
                    upstream: Arc::clone(upstream),
                    health: Arc::clone(snapshot.fleet.health_state(provider.id)?),
                    rules: upstream.health_check()?.clone(),
                };
                Some((&*provider.name, checked))
            });
        let removed = self.tasks.reconcile(wanted, |name, checked| {
            HealthCheckTask::new(name, &checked.rules, &checked.health, &self.registry)
                .start(&checked.upstream)
        });
        for (provider, checked) in removed {
            checked.health.reset();
            let labels = [("provider", &*provider)];
            let healthy = self.registry.gauge(&metric::PROVIDER_HEALTHY, &labels);
            healthy.set(1);
        }
    }
}

// === impl HealthCheckTask ===

impl HealthCheckTask {
    fn new(
        provider: &str,
        rules: &HealthCheck,
        health: &Arc<HealthState>,
        registry: &Registry,
    ) -> Self {
        let result = |result| {
            let labels = [("provider", provider), ("result", result)];
            registry.counter(&metric::HEALTH_CHECKS, &labels)
        };
        let healthy = registry.gauge(&metric::PROVIDER_HEALTHY, &[("provider", provider)]);
        healthy.set(u8::from(health.is_healthy()));
        Self {
            provider: provider.into(),
            rules: rules.clone(),
            health: Arc::clone(health),
            healthy,
            passed: result(health_check_result::PASSED),
            failed: result(health_check_result::FAILED),
        }
    }

    fn start(self, upstream: &Arc<Upstream>) -> JoinHandle<()> {
        let upstream = [Some(Arc::clone(upstream))];
        spawn_local(async move {
            // A new client each time, so that connecting is part of the check.
            let probe = async |credential| {
                let status = Client::new(&upstream).probe(0, credential).await;
                status.map_err(|error| error.to_string())
            };
            self.run(probe, &mut Rng::new()).await;
        })
    }

    /// Probes forever, one probe at a time, with the credentials in turn. The interval
    /// has jitter, so that gateways started together spread out.
    async fn run(self, probe: impl AsyncFn(usize) -> Result<StatusCode, String>, rng: &mut Rng) {
        sleep(self.rules.interval.min(MAX_FIRST_DELAY).mul_f64(rng.f64())).await;
        for credential in 0.. {
            let jitter = 0.9 + 0.2 * rng.f64();
            let next = Instant::now() + self.rules.interval.mul_f64(jitter);
            let result = timeout(self.rules.timeout, probe(credential)).await;
            self.record(&result.unwrap_or_else(|_| Err("no response in time".to_owned())));
            sleep_until(next).await;
        }
    }

    fn record(&self, result: &Result<StatusCode, String>) {
        let provider = &*self.provider;
        let status = result.as_ref().ok().map(StatusCode::as_u16);
        let error = result.as_ref().err();
        let passed = result.as_ref().is_ok_and(StatusCode::is_success);
        let count = if passed { &self.passed } else { &self.failed };
        count.increment(1);
        debug!(provider, status, error, "health check");
        if !self.health.record(passed, &self.rules) {
            return;
        }
        self.healthy.set(u8::from(passed));
        if passed {
            info!(provider, "provider healthy again");
        } else {
            warn!(provider, status, error, "provider unhealthy");
        }
    }
}

#[cfg(test)]
mod tests;
