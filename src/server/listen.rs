//! Sockets to listen on, and the options of those that come from them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the system holds for us while we are busy.
const BACKLOG: i32 = 1024;
/// Silence on a connection before the system asks whether its peer lives, and
/// between two questions.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// Listens on `address`; port 0 takes a free one.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not have to wait until old connections are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Sets the options of a connection from a caller. Where the system can, it
/// takes the peer for gone when sent bytes stay unacknowledged, or its window
/// shut, for `write_timeout` (`TCP_USER_TIMEOUT`, RFC 5482): it alone sees a
/// reader who takes a little now and then.
pub(super) fn tune(stream: &TcpStream, write_timeout: Duration) -> io::Result<()> {
    // hyper writes once per piece; without this each would wait for the
    // acknowledgement of the last one (RFC 896).
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = write_timeout;
    Ok(())
}
