//! The reserve of file descriptors: upstream connections never take the last ones, so
//! that probes and `/health` get a response while there are none for anything else.
//!
//! The system hands out the lowest free number (POSIX, "File Descriptor Allocation"),
//! so the number of a new descriptor tells whether all below it are in use.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Descriptors that upstream connections leave to all other uses.
const RESERVE: u64 = 64;
/// The reserve of a process with a low limit, as a part of that limit.
const RESERVE_DIVISOR: u64 = 4;

/// The limit of this process; none if there is no limit.
#[must_use]
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// What the process may raise its limit to.
#[must_use]
pub fn hard_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// How many client connections there are descriptors for. Each may need an upstream
/// connection, but no more of them than requests in flight.
#[must_use]
pub fn client_connections(limit: u64, max_in_flight: usize) -> usize {
    let available = limit - reserve(limit);
    let beside_requests = available.saturating_sub(max_in_flight as u64);
    let connections = beside_requests.max(available / 2).max(1);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// Descriptors under this limit that only the reserve's users may take.
#[must_use]
pub fn reserve(limit: u64) -> u64 {
    RESERVE.min(limit / RESERVE_DIVISOR)
}

/// Fails as the system does without a descriptor, if only those of the reserve are left.
pub fn check_for_upstream() -> io::Result<()> {
    // The cheapest descriptor that the standard library opens.
    let probe = UnixDatagram::unbound()?;
    if is_in_reserve(&probe) {
        return Err(Errno::MFILE.into());
    }
    Ok(())
}

/// True if this descriptor is one of the reserve.
#[must_use]
pub fn is_in_reserve(descriptor: &impl AsRawFd) -> bool {
    limit().is_some_and(|limit| is_beyond(descriptor, limit - reserve(limit)))
}

/// True if a client connection took a descriptor of the upper half of the reserve, which
/// is for the admin listener, files and name lookups.
#[must_use]
pub fn is_short_for_client(socket: &impl AsRawFd) -> bool {
    limit().is_some_and(|limit| is_beyond(socket, limit - reserve(limit) / 2))
}

/// True if an admin connection took a descriptor of the last quarter of the reserve,
/// which is for files, name lookups and the next one.
#[must_use]
pub fn is_short_for_admin(socket: &impl AsRawFd) -> bool {
    limit().is_some_and(|limit| is_beyond(socket, limit - reserve(limit) / 4))
}

fn is_beyond(descriptor: &impl AsRawFd, first: u64) -> bool {
    u64::try_from(descriptor.as_raw_fd()).is_ok_and(|number| number >= first)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::{client_connections, is_beyond, reserve};

    #[test]
    fn the_reserve_leaves_most_of_a_low_limit_to_connections() {
        let limits = [0, 80, 256, 1024, 1 << 20];
        assert_eq!(limits.map(reserve), [0, 20, 64, 64, 64]);
    }

    #[test]
    fn connections_leave_descriptors_for_upstreams_and_the_reserve() {
        // The limits of an old shell, of this gateway's defaults, and of systemd.
        assert_eq!(client_connections(1024, 8192), 480);
        assert_eq!(client_connections(64 + 16_384 + 8192, 8192), 16_384);
        assert_eq!(client_connections(524_288, 8192), 516_032);
        // Few requests need few upstream connections.
        assert_eq!(client_connections(1024, 100), 860);
        assert_eq!(client_connections(0, 100), 1);
    }

    #[test]
    fn the_number_of_a_descriptor_tells_how_many_are_in_use() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(is_beyond(&socket, 0));
        assert!(!is_beyond(&socket, 1 << 31));
    }
}
