//! Trunkline: an OpenAI-compatible multiplexing gateway.

pub mod config;
pub mod secret;
pub mod wire;
