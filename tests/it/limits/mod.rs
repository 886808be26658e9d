//! Limits and budgets of clients.

mod alice;
mod attempts;
mod doors;
mod ends;
mod fallback;
mod proof_budget;
mod proof_concurrency;
pub mod proof_load;
mod proof_storm;
mod providers;
mod shapes;
mod store_away;
mod users;
mod view;
mod waiting;
