//! The memory that the limits of `[server]` allow, and that of the container.

use bytesize::ByteSize;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Server, raw};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Memory of the idle process without its workers, and of a worker.
const PROCESS: u64 = 14 * MIB;
const WORKER: u64 = MIB;
/// Of a connection with a stream: its own state, and that of the upstream connection.
const CONNECTION: u64 = 16 * KIB;
/// Of [`Server::max_buffered`], in eighths: one is for large read buffers, and as much as
/// the bodies themselves for what was freed and is not given back yet. Measured:
/// docs/deploy.md.
const BODIES_EIGHTHS: u64 = 18;
/// [`Server::max_buffered`] without a limit of memory.
const MAX_BUFFERED: u64 = 512 * MIB;
/// The default of [`Server::max_connections`] in a container that is too small for any.
const MIN_CONNECTIONS: usize = 256;

/// How many connections the container has memory for beside the bodies: with half of it
/// at most, so that both get a share of a small one.
pub fn connections(checker: &Checker<'_>, raw: &raw::Server, workers: usize) -> Option<usize> {
    let limit = checker.memory_limit?;
    let max_buffered = raw.max_buffered.unwrap_or(raw.max_body).get();
    let others = besides_bodies(0, workers).saturating_add(bodies(max_buffered));
    let left = limit.saturating_sub(others).min(limit / 2);
    let fitting = usize::try_from(left / CONNECTION).unwrap_or(usize::MAX);
    Some(fitting.max(MIN_CONNECTIONS))
}

/// The configured `max_buffered`, or one that the container has memory for.
pub fn max_buffered(
    checker: &Checker<'_>,
    raw: &raw::Server,
    max_connections: usize,
    workers: usize,
) -> usize {
    if let Some(size) = raw.max_buffered {
        return size.get();
    }
    let left = checker.memory_limit.map_or(u64::MAX, |limit| {
        limit.saturating_sub(besides_bodies(max_connections, workers))
    });
    let fitting = (left / BODIES_EIGHTHS).saturating_mul(8).min(MAX_BUFFERED);
    // Whole MiB, as they are shown.
    let fitting = usize::try_from(fitting / MIB * MIB).unwrap_or(usize::MAX);
    fitting.max(raw.max_body.get())
}

/// Warns of limits that allow more memory than the container has.
pub fn check(checker: &mut Checker<'_>, server: &Server) {
    let Some(limit) = checker.memory_limit else {
        return;
    };
    let besides = besides_bodies(server.max_connections, server.workers);
    let needed = besides.saturating_add(bodies(server.max_buffered));
    if needed <= limit {
        return;
    }
    let size = |bytes: u64| ByteSize::b(bytes.div_ceil(MIB) * MIB);
    let text = format!(
        "may take up to {} of memory with {} connections and {} of buffered bodies, but the \
         container has {}, and would be killed; lower server.max_connections, \
         server.max_buffered or server.max_body, or raise the container's limit",
        size(needed),
        server.max_connections,
        size(server.max_buffered as u64),
        ByteSize::b(limit),
    );
    let path = KeyPath::new(["server"]);
    let location = checker
        .layers
        .location(&KeyPath::new(["server", "max_buffered"]));
    checker.warn(location, &path, text);
}

fn bodies(max_buffered: usize) -> u64 {
    (max_buffered as u64).saturating_mul(BODIES_EIGHTHS) / 8
}

fn besides_bodies(max_connections: usize, workers: usize) -> u64 {
    PROCESS + WORKER * workers as u64 + CONNECTION * max_connections as u64
}
