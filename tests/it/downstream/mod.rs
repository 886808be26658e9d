//! Connections from clients: HTTP, TLS, limits, backpressure, access.

pub mod access;
pub mod client_certificates;
pub mod client_faults;
pub mod cors;
pub mod descriptors;
pub mod http1;
pub mod http1_heads;
pub mod http2;
pub mod keepalive_comments;
pub mod limits;
pub mod many_streams;
pub mod overload;
pub mod ports;
pub mod slow_readers;
pub mod tls;
pub mod unbuffered;
pub mod unix_socket;
pub mod zero_window;
