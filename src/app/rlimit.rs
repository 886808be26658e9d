//! How many files and sockets the process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// What is open besides connections: listeners, the log, the runtimes' own.
const RESERVE: u64 = 64;

/// Raises the limit as far as the system lets us, and says so when it is too
/// low for as many callers as the configuration would let in.
pub fn raise_limit(max_connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum;
    if limit.current != most {
        let before = limit.current;
        limit.current = most;
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = before;
        }
    }
    let wanted = (max_connections as u64).saturating_add(RESERVE);
    // None stands for no limit.
    if let Some(descriptors) = limit.current.filter(|current| *current < wanted) {
        warn!(
            descriptors,
            max_connections,
            "fewer descriptors than server.max_connections takes; raise the limit (ulimit -Hn), or lower the key"
        );
    }
}
