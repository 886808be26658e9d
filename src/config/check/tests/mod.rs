//! Rules of single sections.

mod access;
mod affinity;
mod credential;
mod discovery;
mod health;
mod hedge;
mod model;
mod price;
mod provider;
mod retry;
mod server;
mod tls;
