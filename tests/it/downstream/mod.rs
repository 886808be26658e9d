//! Connections from clients: HTTP, TLS, limits, backpressure, access.

pub mod access;
pub mod client_certificates;
pub mod client_faults;
pub mod connection_limit;
pub mod cors;
pub mod descriptors;
pub mod hang_up;
pub mod http1;
pub mod http1_heads;
pub mod http2;
pub mod http2_faults;
pub mod http2_floods;
pub mod keepalive_comments;
pub mod limits;
pub mod many_streams;
#[cfg(all(feature = "jemalloc", not(target_env = "musl")))]
pub mod memory;
pub mod overload;
pub mod ports;
pub mod preface;
pub mod repeated_headers;
pub mod slow_bodies;
pub mod slow_readers;
pub mod small_chunks;
pub mod tls;
pub mod unbuffered;
pub mod unix_socket;
pub mod zero_window;
