//! Leases of several replicas from one store.

mod reload;
mod replica;
mod states;
mod store;
mod storm;
mod storm_rates;
mod waits;
