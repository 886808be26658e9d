//! Open by mistake is impossible.

use std::net::SocketAddr;

use super::Check;
use crate::config::fault::KeyPath;
use crate::config::raw;

/// Refuses a listener that others can reach while no client key is asked for,
/// unless the configuration says that this is wanted.
pub fn guard(check: &mut Check<'_>, access: &raw::Access, listen: SocketAddr) {
    // A key that is at fault is still a key that somebody meant to ask for.
    let has_keys = !access.keys.is_empty() || check.is_spoiled(&KeyPath::new(["access"]));
    if listen.ip().to_canonical().is_loopback() || access.open || has_keys {
        return;
    }
    let text = "reachable from beyond this machine with no client keys; add one (trunkline keygen), \
                or set access.open = true if everyone who reaches it may spend your credentials";
    check.fault(&KeyPath::new(["server", "listen"]), text);
}
