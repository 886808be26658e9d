//! Connections to upstreams: HTTP/1.1, HTTP/2, TLS, pooling, faults, timeouts.

pub mod bodies;
pub mod empty_values;
pub mod failure_bodies;
pub mod faults;
pub mod forwarded_fields;
pub mod http2;
pub mod http2_faults;
pub mod leak;
pub mod localhost;
pub mod loops;
pub mod pool;
pub mod secrets;
pub mod streaming_faults;
pub mod timeouts;
pub mod tls;
pub mod unlabelled_bodies;
