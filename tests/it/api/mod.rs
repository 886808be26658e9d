//! The HTTP API: endpoints, bodies, errors, WebSockets.

pub mod bytes_untouched;
pub mod chat_clone;
pub mod compressed_limits;
pub mod compressed_requests;
pub mod dialect_sessions;
pub mod dialect_streams;
pub mod dialects;
pub mod discovery;
pub mod discovery_lists;
pub mod dot_segments;
pub mod doubled_paths;
pub mod drop_in;
pub mod errors;
pub mod forms;
pub mod json_faults;
pub mod models_route;
pub mod objects;
pub mod realtime;
pub mod realtime_ends;
pub mod realtime_handshake;
pub mod responses_api;
pub mod route_prefixes;
pub mod stream_kinds;
pub mod uploads;
