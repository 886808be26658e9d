//! Trunkline: an OpenAI-compatible gateway to LLM providers.
//!
//! Modules are listed by layer: each imports only from those above it.
//! `docs/architecture.md` has an overview.

// Foundations, which know nothing of the gateway.
pub(crate) mod descriptors;
pub(crate) mod drain;
pub(crate) mod error_chain;
pub(crate) mod executor;
pub(crate) mod lazy_timer;
pub(crate) mod negotiation;
pub(crate) mod permits;
pub(crate) mod secret;
pub(crate) mod tls;
pub(crate) mod wall_clock;
pub(crate) mod wire;

pub(crate) mod dialect;
pub(crate) mod request_body;

pub(crate) mod config;
pub(crate) mod telemetry;

pub(crate) mod shared_limit;
pub(crate) mod store;

pub(crate) mod catalog;

pub(crate) mod access;
pub(crate) mod limits;
pub(crate) mod routing;

pub(crate) mod ledger;
pub(crate) mod store_sync;
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
