//! Each section's own rules.

mod access;
mod credential;
mod model;
mod price;
mod provider;
mod retry;
mod server;
