//! The models and providers of one configuration, and what a model name resolves
//! to.

mod cost;
mod demo;
mod fingerprint;
mod lookup;
mod model;
mod pattern;
mod provider;
mod resolved;
mod state_slot;
mod suggest;
mod target;
#[cfg(test)]
pub(crate) mod tests;

pub use cost::Cost;
pub use demo::{DEMO, needs_demo};
pub use fingerprint::fingerprint;
pub use lookup::Catalog;
pub use model::Model;
pub use provider::Provider;
pub use resolved::{Resolved, Unresolved};
pub use state_slot::{SlotKind, StateSlot};
pub use suggest::similar_names;
pub use target::{Target, UnavailableTarget};
