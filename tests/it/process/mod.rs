//! The process: command line, start, reload, drain, handover, admin listener.

pub mod admin;
pub mod admin_connections;
pub mod admin_limits;
pub mod cli;
pub mod core_dumps;
pub mod demo;
pub mod docs_examples;
pub mod drain;
pub mod drain_before_head;
pub mod halt;
pub mod handover;
pub mod import;
pub mod keep_alive;
pub mod online;
pub mod probe;
pub mod reload;
pub mod reload_carry_over;
pub mod reload_damaged;
pub mod reload_disappears;
pub mod reload_under_load;
pub mod soak;
pub mod systemd;
