//! Each section's own rules.

mod access;
mod credential;
mod model;
mod provider;
mod retry;
mod server;
