//! Where to listen. Open by mistake is impossible.

use std::path::PathBuf;

use super::Check;
use crate::config::error::KeyPath;
use crate::config::listen::UNIX;
use crate::config::{ClientAuth, Listen, raw};

/// Bytes of a socket's path. Systems take 103 (`sun_path`); a new socket first
/// has a longer name, until it can take the place of an old one.
const LONGEST_PATH: usize = 90;

/// An address and port, or the path of a Unix-domain socket with `mode`.
pub fn place(text: &str, mode: u32) -> Result<Listen, String> {
    let Some(path) = text.strip_prefix(UNIX) else {
        let cure = "not an IP address and port; write one such as \"127.0.0.1:8080\" or \"[::]:8080\", \
                    or \"unix:/run/trunkline/trunkline.sock\"";
        return text.parse().map(Listen::Ip).map_err(|_| cure.into());
    };
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let cure = "not the path of a socket; write \"unix:\" and a path from the root on, \
                    such as \"unix:/run/trunkline/trunkline.sock\"";
        return Err(cure.into());
    }
    if path.len() > LONGEST_PATH {
        return Err(format!(
            "too long for a socket; choose a path of at most {LONGEST_PATH} bytes"
        ));
    }
    let path = PathBuf::from(path);
    Ok(Listen::Unix { path, mode })
}

/// The permission bits of a socket.
pub fn mode(text: &str) -> Result<u32, String> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits);
    // Whoever owns it has to be able to see whether somebody listens there.
    mode.filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600)
        .ok_or_else(|| {
            "not permission bits with read and write for the owner; write \"0660\" for owner and \
             group, or \"0666\" for everybody on this machine"
                .into()
        })
}

/// Refuses a listener that others can reach while no client key is asked for,
/// unless the configuration says that this is wanted.
pub fn guard(check: &mut Check<'_>, raw: &raw::Config, listen: &Listen) {
    // A key that is at fault is still a key that somebody meant to ask for.
    let access = &raw.access;
    let has_keys = !access.keys.is_empty() || check.is_spoiled(&KeyPath::new(["access"]));
    let has_certificates =
        !access.certificates.is_empty() || raw.server.tls.client_auth == ClientAuth::Required;
    let is_guarded = has_keys || has_certificates;
    if listen.is_local() || access.open || is_guarded {
        return;
    }
    let text = "reachable from beyond this machine with no client keys; add one (trunkline keygen), \
                or set access.open = true if everyone who reaches it may spend your credentials";
    check.fault(&KeyPath::new(["server", "listen"]), text);
}
