//! The store: a Valkey or Redis server that replicas share.
//!
//! One connection of one thread, which is no worker (`store_sync`), pipelines all calls.
//! What is here knows nothing of limits: connections, scripts, time-outs, and reports.

mod backoff;
mod call;
mod connect;
mod connection;
mod error;
mod facts;
mod handle;
mod script;
mod sentinel;
mod status;

pub use backoff::Backoff;
pub use call::{StoreCall, StoreResponse, StoreValue};
pub use connection::StoreConnection;
pub use error::StoreError;
pub use facts::StoreFacts;
pub use handle::{StoreHandle, StoreJob, StoreJobs, store_handle};
pub use script::StoreScript;
pub use status::StoreStatus;
