//! Calls that are sent at once, and what becomes of each.

use super::calls::{StoreReplica, lease_response};
use crate::limits::{AdjustCall, LeaseCall, LimitClock, RestoreCall};
use crate::store::{StoreCall, StoreError, StoreJob, StoreResponse};

/// Dropped, each of them has failed.
#[derive(Debug, Default)]
pub struct Batch {
    pub leases: Vec<LeaseCall>,
    pub restored: Vec<RestoreCall>,
    pub adjusted: Vec<AdjustCall>,
    pub jobs: Vec<StoreJob>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        let Self {
            leases,
            restored,
            adjusted,
            jobs,
        } = self;
        leases.is_empty() && restored.is_empty() && adjusted.is_empty() && jobs.is_empty()
    }

    /// In the order in which [`finish`](Self::finish) takes the responses.
    pub fn calls(&self, replica: &StoreReplica<'_>) -> Vec<StoreCall> {
        let leases = self.leases.iter().map(|it| replica.lease(it));
        let restored = self.restored.iter().map(|it| replica.restore(it));
        let adjusted = self.adjusted.iter().map(|it| replica.adjust(it));
        let calls = leases.chain(restored).chain(adjusted);
        let jobs = self.jobs.iter().flat_map(|job| job.calls.iter().cloned());
        calls.chain(jobs).collect()
    }

    /// Returns why the server refused some of them.
    pub fn finish(self, responses: Vec<StoreResponse>) -> Vec<StoreError> {
        let mut refused = Vec::new();
        let mut responses = responses.into_iter();
        let mut next = || match responses.next()? {
            Ok(value) => Some(value),
            Err(error) => {
                refused.push(error);
                None
            }
        };
        let now = LimitClock::now();
        for call in self.leases {
            let response = next();
            let response = response.and_then(|it| lease_response(&call.amounts, &it));
            call.finish(response, now);
        }
        for call in self.restored {
            if next().is_some() {
                call.finish();
            }
        }
        for call in self.adjusted {
            if next().is_some() {
                call.finish();
            }
        }
        for job in self.jobs {
            let own: Vec<_> = responses.by_ref().take(job.calls.len()).collect();
            refused.extend(own.iter().filter_map(|it| it.as_ref().err().cloned()));
            // Whatever asked may not wait any more.
            let _ = job.done.send(own);
        }
        refused
    }
}
