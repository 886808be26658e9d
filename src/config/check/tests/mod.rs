//! Each section's own rules.

mod access;
mod model;
mod provider;
mod server;
