//! What its health checks say of a provider.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::config::HealthCheck;

/// One provider's record. One task asks and writes; all requests read.
#[derive(Debug, Default)]
pub struct Vitals {
    is_unwell: AtomicBool,
    /// Answers in a row that speak against what is thought.
    against: AtomicU32,
}

impl Vitals {
    /// False while the provider is known to be unwell. One that is not asked is
    /// well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.is_unwell.load(Ordering::Relaxed)
    }

    /// Notes an answer. True when it changes what is thought.
    pub fn note(&self, is_good: bool, rules: &HealthCheck) -> bool {
        let is_well = self.is_well();
        if is_good == is_well {
            self.against.store(0, Ordering::Relaxed);
            return false;
        }
        let against = self.against.fetch_add(1, Ordering::Relaxed) + 1;
        let enough = if is_well {
            rules.failures
        } else {
            rules.successes
        };
        if against < enough {
            return false;
        }
        self.is_unwell.store(is_well, Ordering::Relaxed);
        self.against.store(0, Ordering::Relaxed);
        true
    }

    /// Nobody asks any more.
    pub fn forget(&self) {
        self.is_unwell.store(false, Ordering::Relaxed);
        self.against.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Vitals;
    use crate::config::HealthCheck;

    #[test]
    fn so_many_answers_in_a_row_change_what_is_thought() {
        let rules = HealthCheck {
            path: "/models".to_owned(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            failures: 3,
            successes: 2,
        };
        let vitals = Vitals::default();
        for (is_good, changes, is_well) in [
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
            assert_eq!(vitals.note(is_good, &rules), changes);
            assert_eq!(vitals.is_well(), is_well);
        }
        vitals.note(false, &rules);
        assert!(vitals.note(false, &rules) && !vitals.is_well());
        vitals.forget();
        assert!(vitals.is_well());
    }
}
