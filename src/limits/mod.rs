//! Limits and budgets of clients: rates, quotas of the calendar, and requests at a time.
//!
//! A request reserves what it is expected to use of every rule that matches it, of all or
//! of none, and settles when its meter is dropped. Nothing here knows HTTP.

mod acquire;
mod average;
mod bucket;
mod buckets;
mod caller;
mod clock;
mod estimate;
mod held;
mod lease;
mod model_rules;
mod quota;
mod rate;
mod report;
mod reservation;
mod rule;
mod rule_set;
mod set_used;
mod stored;
mod subject;
mod subject_key;
mod subjects;
mod take;
mod terms;
#[cfg(test)]
mod tests;
mod wait_queue;
mod window;
mod worst;

pub use acquire::Acquired;
pub use caller::{CallerLimits, ModelLimits, RequestSubject};
pub use clock::LimitClock;
pub use estimate::{ExpectedUsage, LearnedUsage, RequestSize};
pub use lease::{
    AdjustAmounts, AdjustCall, LeaseAmounts, LeaseCall, LeaseId, LeaseLink, LeaseResponse,
    RestoreCall,
};
pub use quota::{LimitUsage, QuotaKind, Shortage};
pub use report::{LimitReset, QuotaReport, RuleReport};
pub use reservation::{AttemptReservation, LimitRefusal, Reservation};
pub use rule_set::LimitSet;
pub use set_used::{SetUsedError, UsedAmount};
pub use stored::{MAX_STORED, StoredWindows, WindowId, WindowRecord};
