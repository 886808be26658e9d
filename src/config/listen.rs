//! Where a listener is.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What a Unix-domain socket's path is introduced by.
pub const UNIX: &str = "unix:";

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// On an address and port; port 0 takes a free one.
    Ip(SocketAddr),
    /// At a path of this machine.
    Unix {
        /// Where the socket is.
        path: PathBuf,
        /// Who may connect: the permission bits of that file.
        mode: u32,
    },
}

impl Listen {
    /// The address, if it has one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix { .. } => None,
        }
    }

    /// The path, if it is a Unix-domain socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Ip(_) => None,
            Self::Unix { path, .. } => Some(path),
        }
    }

    /// True when only this machine's own programs reach it.
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
            Self::Unix { path, .. } => write!(out, "{UNIX}{}", path.display()),
        }
    }
}
