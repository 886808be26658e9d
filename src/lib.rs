//! Trunkline: an OpenAI-compatible multiplexing gateway.

pub mod cli;
pub mod config;
pub mod secret;
