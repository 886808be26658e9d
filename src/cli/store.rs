//! What `trunkline check` says of the store. It does not connect.

use std::io::{self, Write};

use crate::config::{Config, StoreConfig};

pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let Some(store) = &config.store else {
        return Ok(());
    };
    let users = if config.limits.is_empty() {
        "the locations of objects"
    } else {
        "limits, and the locations of objects"
    };
    writeln!(out, "Store: {}, for {users}", description(store))
}

/// The server and the keys in it.
fn description(store: &StoreConfig) -> String {
    let mut parts = vec![store.server.address.to_string()];
    if store.server.database != 0 {
        parts.push(format!("database {}", store.server.database));
    }
    if store.server.tls.is_some() {
        parts.push("with TLS".to_owned());
    }
    if !store.prefix.is_empty() {
        parts.push(format!("keys that begin with {:?}", store.prefix));
    }
    let timeout = humantime::format_duration(store.timeout);
    format!("{}; requests wait for it up to {timeout}", parts.join(", "))
}
