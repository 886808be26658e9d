//! Whom to try, in which order, and when to stop.
//!
//! [`Plan`] is one request's, [`Fleet`] is what all requests have learned.
//! Neither knows HTTP or a connection: an attempt is judged by its [`Outcome`].

mod affinity;
mod budget;
mod counts;
mod fleet;
mod health;
mod homes;
mod inherit;
mod load;
mod outcome;
mod plan;
mod quota;
mod recent;
mod standing;
#[cfg(test)]
mod tests;
mod vitals;

pub use affinity::{Kept, Kinship};
pub use fleet::Fleet;
pub use homes::{Home, Homes};
pub use inherit::Heirs;
pub use load::InFlight;
pub use outcome::Outcome;
pub use plan::{Next, Plan, Second, Stop, only};
pub use quota::Awaited;
pub use standing::{Standing, Why};
pub use vitals::Vitals;
