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

/// As many client connections as there are descriptors for, beside the upstream
/// connections of their requests; warns if these are fewer than `max_connections`.
pub fn clamp_connections(max_connections: usize, max_in_flight: usize) -> usize {
    let Some(limit) = descriptors::limit() else {
        return max_connections;
    };
    let affordable = usize::try_from(affordable(limit, max_in_flight)).unwrap_or(usize::MAX);
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

/// Every client connection may need an upstream connection, but no more of them than
/// requests in flight.
fn affordable(descriptor_limit: u64, max_in_flight: usize) -> u64 {
    let available = descriptor_limit - descriptors::reserve(descriptor_limit);
    let beside_requests = available.saturating_sub(max_in_flight as u64);
    beside_requests.max(available / 2).max(1)
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

#[cfg(test)]
mod tests {
    use super::affordable;

    #[test]
    fn connections_leave_descriptors_for_upstreams_and_the_reserve() {
        // The limits of an old shell, of this gateway's defaults, and of systemd.
        assert_eq!(affordable(1024, 8192), 480);
        assert_eq!(affordable(64 + 16_384 + 8192, 8192), 16_384);
        assert_eq!(affordable(524_288, 8192), 516_032);
        // Few requests need few upstream connections.
        assert_eq!(affordable(1024, 100), 860);
        assert_eq!(affordable(0, 100), 1);
    }
}
