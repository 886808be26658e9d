//! The page, its files and its status API.

pub mod compression;
pub mod operator;
pub mod static_files;
pub mod status;
pub mod status_events;
pub mod status_targets;
