//! Connections to upstreams: HTTP/1.1, HTTP/2, TLS, pooling, faults, timeouts.

pub mod bodies;
pub mod faults;
pub mod http2;
pub mod http2_faults;
pub mod pool;
pub mod secrets;
pub mod streaming_faults;
pub mod timeouts;
pub mod tls;
