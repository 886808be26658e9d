//! Choosing a target: retry, failover, health, hedging, affinity.

pub mod affinity;
pub mod broken_responses;
pub mod failover;
pub mod failover_metrics;
pub mod failure_bodies;
pub mod fault_table;
pub mod first_event;
pub mod forbidden;
pub mod health_checks;
pub mod hedging;
pub mod hedging_http2;
pub mod model_names;
pub mod name_patterns;
pub mod outage;
pub mod rate_limits;
pub mod refused_additions;
pub mod survival;
pub mod target_headers;
pub mod targets;
