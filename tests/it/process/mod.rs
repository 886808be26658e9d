//! The process: command line, start, reload, drain, handover, admin listener.

pub mod admin;
pub mod cli;
pub mod demo;
pub mod docs_examples;
pub mod drain;
pub mod handover;
pub mod online;
pub mod probe;
pub mod reload;
pub mod reload_carry_over;
pub mod reload_damaged;
pub mod reload_disappears;
pub mod reload_under_load;
pub mod soak;
pub mod systemd;
