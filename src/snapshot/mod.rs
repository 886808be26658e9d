//! Snapshots: one generation of everything that requests are served from, built
//! from a configuration.

mod build;
mod carry_over;
mod demo_provider;

pub use build::{SnapshotError, build};
pub use demo_provider::add_demo_provider;
