//! Listen addresses. Open access must be explicit.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::listen::UNIX_PREFIX;
use crate::config::{ClientAuth, Listen, raw};

/// In bytes. Systems allow 103 (`sun_path`); a new socket first has a longer
/// name, until it replaces the old one.
const MAX_PATH_LENGTH: usize = 90;

/// An IP address and port, or a Unix-domain socket with `mode`. The usual port is for the
/// message.
pub fn parse_address(text: &str, mode: u32, usual_port: u16) -> Result<Listen, String> {
    let Some(path) = text.strip_prefix(UNIX_PREFIX) else {
        return ip_and_port(text).map(Listen::Ip).ok_or_else(|| {
            format!(
                "not an IP address and port; write one such as \"127.0.0.1:{usual_port}\" or \
                 \"[::]:{usual_port}\", or \"unix:/run/trunkline/trunkline.sock\""
            )
        });
    };
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let cure = "not a socket path; write \"unix:\" and an absolute path, \
                    such as \"unix:/run/trunkline/trunkline.sock\"";
        return Err(cure.into());
    }
    if path.len() > MAX_PATH_LENGTH {
        return Err(format!(
            "too long for a socket; choose a path of at most {MAX_PATH_LENGTH} bytes"
        ));
    }
    let path = PathBuf::from(path);
    Ok(Listen::Unix { path, mode })
}

/// `localhost` is the address that each system has for it.
fn ip_and_port(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some((Ipv4Addr::LOCALHOST, port.parse::<u16>().ok()?).into());
    }
    text.parse().ok()
}

pub fn parse_mode(text: &str) -> Result<u32, String> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits);
    // The owner must be able to check whether another process listens there.
    mode.filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600)
        .ok_or_else(|| {
            "not permission bits with read and write for the owner; write \"0660\" for owner and \
             group, or \"0666\" for all users"
                .into()
        })
}

/// Rejects a listener beyond loopback without client keys, unless `access.open`
/// allows it.
pub fn require_access_control(checker: &mut Checker<'_>, raw: &raw::Config, listen: &Listen) {
    // Even an invalid key shows that keys are intended.
    let access = &raw.access;
    let has_keys = !access.keys.is_empty() || checker.is_pruned(&KeyPath::new(["access"]));
    let has_certificates =
        !access.certificates.is_empty() || raw.server.tls.client_auth == ClientAuth::Required;
    let is_guarded = has_keys || has_certificates;
    if listen.is_local() || access.open || is_guarded {
        return;
    }
    let text = "reachable from other machines without client keys; add one (trunkline keygen), \
                or set access.open = true (TRUNKLINE_ACCESS__OPEN=true) if everyone who can reach it \
                may use your credentials";
    checker.error(&KeyPath::new(["server", "listen"]), text);
}
