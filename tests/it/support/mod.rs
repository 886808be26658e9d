//! Clients, upstreams and assertions that the tests share.

pub mod assert_response;
pub mod client;
pub mod coding;
pub mod fault_case;
pub mod gateway;
pub mod prometheus;
pub mod random_json;
pub mod request;
pub mod response;
pub mod setup;
pub mod skewed_clock;
pub mod store_link;
pub mod store_server;
pub mod three_targets;
pub mod upstream;
pub mod wait;
pub mod websocket;
