//! The promises of Trunkline, held against the real binary over real sockets.
//!
//! One binary, one file for each promise or theme. Every test starts a gateway
//! of its own on ports the system picks, in a directory of its own, with an
//! empty environment; the upstreams are raw TCP servers that can misbehave.
//! Nothing sleeps and hopes: a test waits for a cause (a channel, a read) or
//! polls an observable until [`wait::DEADLINE`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets the unexpected is to stop there and say so"
)]
#![allow(
    clippy::format_collect,
    clippy::large_stack_arrays,
    reason = "a test is to be read, not to be fast"
)]

mod client;
mod fault_row;
mod gateway;
mod judge;
mod layers;
mod prometheus;
mod request;
mod setup;
mod trio;
mod upstream;
mod wait;
mod websocket;

mod access;
mod admin;
mod affinity;
mod bytes_untouched;
mod cli;
mod client_faults;
mod cors;
mod cost;
mod demo;
mod descriptors;
mod dialects;
mod discovery;
mod doors;
mod drain;
mod drop_in;
mod errors;
mod failover;
mod failover_seen;
mod fault_table;
mod first_event;
mod forms;
mod generated;
mod handover;
mod health_checks;
mod hedging;
mod hedging_http2;
mod http1;
mod http1_heads;
mod http2;
mod inbound_certificates;
mod inbound_tls;
mod json_faults;
mod keepalive_comments;
mod limits;
mod log_level;
mod logs;
mod many_streams;
mod metering;
mod models_route;
mod objects;
mod outage;
mod overload;
mod page;
mod ports;
mod probe;
mod rate_limits;
mod realtime;
mod realtime_ends;
mod realtime_handshake;
mod reload;
mod reload_carry;
mod reload_load;
mod responses_api;
mod routing;
mod secrets;
mod server_timing;
mod service_manager;
mod slow_readers;
mod soak;
mod standard_output;
mod status;
mod status_events;
mod status_targets;
mod stream_kinds;
mod streaming_faults;
mod survival;
mod target_headers;
mod targets;
mod time_limits;
mod traces;
mod unbuffered;
mod unix_socket;
mod uploads;
mod upstream_bodies;
mod upstream_faults;
mod upstream_http2;
mod upstream_http2_faults;
mod upstream_pool;
mod upstream_tls;
mod zero_window;
