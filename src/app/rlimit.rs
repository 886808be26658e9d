//! Limits of the process that the system holds: open file descriptors and core dumps.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::descriptors;

/// Raises the soft limit of descriptors to the hard limit.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // On failure, the connections are limited to fit (`clamp_connections`).
    let _ = setrlimit(Resource::Nofile, limit);
}

/// As many client connections as there are descriptors for; warns if these are fewer than
/// `max_connections`, which by default are no more.
pub fn clamp_connections(max_connections: usize, max_in_flight: usize) -> usize {
    let Some(limit) = descriptors::limit() else {
        return max_connections;
    };
    let affordable = descriptors::client_connections(limit, max_in_flight);
    if affordable < max_connections {
        warn!(
            descriptors = limit,
            max_connections,
            accepted = affordable,
            "too few file descriptors for server.max_connections; raise the limit (ulimit -Hn) or lower the key"
        );
    }
    affordable.min(max_connections)
}

/// Forbids core dumps: they would hold keys, prompts and responses. The process stays
/// dumpable (prctl(2)), as that also decides who may debug and profile it.
pub fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit needs no privilege (POSIX, setrlimit).
    let _ = setrlimit(Resource::Core, none);
    // A core handler is not bound by the limit. With this filter it gets no memory
    // (core(5)); where it cannot be written, the handler still sees the limit.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
}
