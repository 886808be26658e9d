//! The limit of open file descriptors.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors for anything but client connections: listeners, the log, runtimes.
const RESERVE: u64 = 64;

/// Raises the soft limit to the hard limit; warns if that is too low for
/// `max_connections`.
pub fn raise_limit(max_connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum;
    if limit.current != hard {
        let before = limit.current;
        limit.current = hard;
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = before;
        }
    }
    let needed = (max_connections as u64).saturating_add(RESERVE);
    // None means no limit.
    if let Some(descriptors) = limit.current.filter(|current| *current < needed) {
        warn!(
            descriptors,
            max_connections,
            "too few file descriptors for server.max_connections; raise the limit (ulimit -Hn) or lower the key"
        );
    }
}
