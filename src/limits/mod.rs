//! Limits and budgets of clients: rates, quotas of the calendar, and requests at a time.
//!
//! A request reserves what it is expected to use of every rule that matches it, of all or
//! of none, and settles when its meter is dropped. Nothing here knows HTTP.

mod bucket;
mod estimate;
mod rate;
mod report;
mod reservation;
mod rule;
mod rule_set;
mod subject;
#[cfg(test)]
mod tests;
mod window;

pub use bucket::{LimitClock, LimitUsage, QuotaKind, Shortage};
pub use estimate::{LearnedUsage, RequestSize};
pub use report::{QuotaReport, RuleReport};
pub use reservation::{LimitRefusal, Reservation};
pub use rule_set::{CallerLimits, ExpectedUsage, LimitSet};
