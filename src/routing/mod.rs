//! Which targets a request tries, in which order, and when it stops.
//!
//! [`Plan`] belongs to one request; [`Fleet`] holds what all requests learned about
//! the targets. Neither knows HTTP: an attempt is described by its
//! [`AttemptOutcome`].

mod affinity;
mod attempt_outcome;
mod breaker;
mod carry_over;
mod ejection_metrics;
mod fleet;
mod health_state;
mod latency;
mod load;
mod object_directory;
mod plan;
mod quota;
mod refusals;
mod retry_budget;
mod target_health;
mod target_state;
#[cfg(test)]
mod tests;

pub use affinity::{AffinityKey, AffinityResult};
pub use attempt_outcome::AttemptOutcome;
pub use carry_over::CarryOver;
pub use fleet::Fleet;
pub use health_state::HealthState;
pub use load::InFlightGuard;
pub use object_directory::{ObjectDirectory, ObjectLocation};
pub use plan::{HedgeDecision, Next, Plan, StopReason, single_target};
pub use quota::QuotaPermit;
pub use target_health::ResponseWatch;
pub use target_state::{Reason, TargetState};
