//! Trunkline: an OpenAI-compatible multiplexing gateway.
//!
//! The modules are listed in the order of their layers: each imports only from
//! those above it. `docs/architecture.md` has the map.

// Layer 0: no knowledge of the gateway.
pub(crate) mod drain;
pub(crate) mod executor;
pub(crate) mod lazy_timer;
pub(crate) mod permits;
pub(crate) mod secret;
pub(crate) mod wall_clock;
pub(crate) mod wire;

pub(crate) mod dialect;
pub(crate) mod request_body;

pub(crate) mod config;
pub(crate) mod telemetry;

pub(crate) mod shared_limit;

pub(crate) mod catalog;

pub(crate) mod access;
pub(crate) mod routing;

pub(crate) mod upstream;

pub(crate) mod metering;

pub(crate) mod error_response;
pub(crate) mod proxy;

pub(crate) mod snapshot;

pub(crate) mod routes;

pub(crate) mod server;

pub(crate) mod admin;
pub(crate) mod demo;

pub mod app;
pub mod cli;

#[doc(hidden)]
pub mod internals;
