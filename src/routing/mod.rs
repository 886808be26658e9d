//! Whom to try, in which order, and when to stop.
//!
//! [`Plan`] is one request's, [`Fleet`] is what all requests have learned.
//! Neither knows HTTP or a connection: an attempt is judged by its [`Outcome`].

mod affinity;
mod breaker;
mod budget;
mod carry_over;
mod counts;
mod fleet;
mod health;
mod load;
mod object_directory;
mod outcome;
mod plan;
mod quota;
mod recent;
mod target_state;
#[cfg(test)]
mod tests;

pub use affinity::{Kept, Kinship};
pub use carry_over::Heirs;
pub use fleet::Fleet;
pub use health::Vitals;
pub use load::InFlight;
pub use object_directory::{Home, Homes};
pub use outcome::Outcome;
pub use plan::{Next, Plan, Second, Stop, only};
pub use quota::Awaited;
pub use target_state::{Standing, Why};
