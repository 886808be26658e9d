//! HTTP client for the providers: connection pools, HTTP/1.1 and HTTP/2, WebSockets,
//! health check probes and model lists.

#[allow(
    clippy::module_inception,
    reason = "the file is named after its type, like all others"
)]
mod upstream;

mod build;
mod health_check;
mod metrics;
mod model_list_cache;

mod client;
mod request;
mod response;

mod connect;
mod connection;
mod http1;
mod lifetime;
mod pool;
mod resolve;
mod tls;

mod list_models;
mod probe;
mod websocket;

mod error;
mod header;
mod hops;

pub use build::{BuildError, Builder};
pub use client::{Client, PreparedRequest};
pub use error::{Error, ErrorKind};
pub use header::{ANTHROPIC_VERSION, DEFAULT_ANTHROPIC_VERSION};
pub use hops::is_loop;
#[cfg(feature = "fuzzing")]
pub use http1::oracle;
pub use list_models::ListModelsError;
pub use model_list_cache::ModelListCache;
pub use request::RequestHead;
pub use response::{UpstreamBody, UpstreamResponse};
pub use upstream::Upstream;
pub use websocket::{WebSocket, WebSocketHandshake};
