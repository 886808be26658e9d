//! Listen addresses.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Prefix of the path of a Unix-domain socket.
pub const UNIX_PREFIX: &str = "unix:";

/// A listen address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// IP address and port; port 0 takes a free one.
    Ip(SocketAddr),
    /// A Unix-domain socket.
    Unix {
        path: PathBuf,
        /// Permission bits of the socket file.
        mode: u32,
    },
}

impl Listen {
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix { .. } => None,
        }
    }

    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Ip(_) => None,
            Self::Unix { path, .. } => Some(path),
        }
    }

    /// True when only programs on this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address()
            .is_none_or(|address| address.ip().to_canonical().is_loopback())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(out),
            Self::Unix { path, .. } => write!(out, "{UNIX_PREFIX}{}", path.display()),
        }
    }
}
