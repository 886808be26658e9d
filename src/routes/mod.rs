//! What is served at which path, and the checks before it.

pub mod context;
pub mod cors;
pub mod host;
pub mod models;
pub mod page;
pub mod response;
pub mod router;
pub mod status;
