//! Limits over several replicas, by way of a store (docs/limits.md).

mod connection;
mod objects;
mod outage;
mod proof_budget;
mod proof_clock;
mod proof_faults;
mod proof_outages;
mod proof_partition;
mod proof_rates;
mod proof_storm;
mod replicas;
mod rights;
mod scripts;
mod server;
mod settings;
