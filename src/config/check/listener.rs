//! Open by mistake is impossible.

use std::net::SocketAddr;

use super::Check;
use crate::config::fault::KeyPath;
use crate::config::{ClientAuth, raw};

/// Refuses a listener that others can reach while no client key is asked for,
/// unless the configuration says that this is wanted.
pub fn guard(check: &mut Check<'_>, raw: &raw::Config, listen: SocketAddr) {
    // A key that is at fault is still a key that somebody meant to ask for.
    let access = &raw.access;
    let has_keys = !access.keys.is_empty() || check.is_spoiled(&KeyPath::new(["access"]));
    let has_certificates =
        !access.certificates.is_empty() || raw.server.tls.client_auth == ClientAuth::Required;
    let is_guarded = has_keys || has_certificates;
    if listen.ip().to_canonical().is_loopback() || access.open || is_guarded {
        return;
    }
    let text = "reachable from beyond this machine with no client keys; add one (trunkline keygen), \
                or set access.open = true if everyone who reaches it may spend your credentials";
    check.fault(&KeyPath::new(["server", "listen"]), text);
}
