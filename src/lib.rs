//! Trunkline: an OpenAI-compatible multiplexing gateway.
//!
//! A request walks down these modules and its bytes leave as they came, save
//! the two words the gateway is there to change: the model's name and the key.
//! `docs/architecture.md` has the map.

pub mod access;
pub mod body;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod executor;
pub mod gateway;
pub mod metering;
pub mod places;
pub mod proxy;
pub mod routing;
pub mod secret;
pub mod server;
pub mod telemetry;
pub mod upstream;
pub mod wire;
