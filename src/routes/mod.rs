//! The HTTP routes, and the checks of every request.

pub mod chat_clone;
pub mod context;
pub mod cors;
mod gzip;
pub mod host;
pub mod limits;
pub mod models;
mod openapi;
mod operator;
pub mod page;
pub mod response;
pub mod router;
pub mod status;
