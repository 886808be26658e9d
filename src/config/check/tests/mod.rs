//! Rules of single sections.

mod access;
mod affinity;
mod base_url;
mod credential;
mod discovery;
mod health;
mod hedge;
mod ledger;
mod limit;
mod memory;
mod model;
mod price;
mod provider;
mod provider_api;
mod retry;
mod roots;
mod server;
mod store;
mod tls;
