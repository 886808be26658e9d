//! Whether the store can be used, and how it is set up.

use crate::config::{Config, StoreConfig};
use crate::store::{StoreError, StoreFacts};
use crate::store_sync;

use super::finding::{Finding, Severity};

const SUBJECT: &str = "store";

/// None without a store.
pub async fn findings(config: &Config) -> Vec<Finding> {
    let Some(store) = &config.store else {
        return Vec::new();
    };
    match store_sync::probe(store).await {
        Ok(facts) => of_facts(store, &facts, config.ledger.is_some()),
        Err(error) => vec![of_error(store, &error)],
    }
}

fn of_facts(store: &StoreConfig, facts: &StoreFacts, has_ledger: bool) -> Vec<Finding> {
    let software = facts.software.as_deref().unwrap_or("a server");
    let kept = match facts.is_persistent {
        Some(true) => ", keeps its data over a restart",
        Some(false) => ", keeps nothing over a restart",
        None => "",
    };
    let text = format!("{software} at {}{kept}", store.server.address);
    let fine = Finding::new(Severity::Fine, SUBJECT, text);
    let warnings = facts.warnings(has_ledger).into_iter();
    let warnings = warnings.map(|text| Finding::new(Severity::Warning, SUBJECT, text));
    std::iter::once(fine).chain(warnings).collect()
}

fn of_error(store: &StoreConfig, error: &StoreError) -> Finding {
    let text = format!("{}: {error}; {}", store.server.address, error.cure());
    Finding::new(Severity::Error, SUBJECT, text)
}
