//! Result of a provider's health checks.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::config::HealthCheck;

/// Written by the provider's health check task, read by all requests.
#[derive(Debug, Default)]
pub struct HealthState {
    is_unhealthy: AtomicBool,
    /// Consecutive results that contradict the state.
    contrary_results: AtomicU32,
}

impl HealthState {
    /// True also for providers without health checks.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.is_unhealthy.load(Ordering::Relaxed)
    }

    /// Records the result of a check. True when it changes the state.
    pub fn record(&self, passed: bool, rules: &HealthCheck) -> bool {
        let is_healthy = self.is_healthy();
        if passed == is_healthy {
            self.contrary_results.store(0, Ordering::Relaxed);
            return false;
        }
        let contrary = self.contrary_results.fetch_add(1, Ordering::Relaxed) + 1;
        let threshold = if is_healthy {
            rules.failures
        } else {
            rules.successes
        };
        if contrary < threshold {
            return false;
        }
        self.is_unhealthy.store(is_healthy, Ordering::Relaxed);
        self.contrary_results.store(0, Ordering::Relaxed);
        true
    }

    /// For a provider that is no longer checked.
    pub fn reset(&self) {
        self.is_unhealthy.store(false, Ordering::Relaxed);
        self.contrary_results.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::HealthState;
    use crate::config::HealthCheck;

    #[test]
    fn enough_results_in_a_row_change_the_state() {
        let rules = HealthCheck {
            path: "/models".to_owned(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            failures: 3,
            successes: 2,
        };
        let health = HealthState::default();
        for (passed, changes, is_healthy) in [
            (false, false, true),
            (false, false, true),
            (true, false, true),
            (false, false, true),
            (false, false, true),
            (false, true, false),
            (false, false, false),
            (true, false, false),
            (false, false, false),
            (true, false, false),
            (true, true, true),
            (false, false, true),
        ] {
            assert_eq!(health.record(passed, &rules), changes);
            assert_eq!(health.is_healthy(), is_healthy);
        }
        health.record(false, &rules);
        assert!(health.record(false, &rules) && !health.is_healthy());
        health.reset();
        assert!(health.is_healthy());
    }
}
