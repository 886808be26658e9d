//! Listening sockets, TCP or Unix-domain.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::sleep;
use tracing::warn;

use super::log_limiter::LogLimiter;
use super::socket::{ClientSocket, DetachedSocket};
use crate::config::Listen;

mod unix_path;

use unix_path::UnixPath;

/// Connections that the kernel queues until they are accepted.
const BACKLOG: i32 = 1024;
/// Pause after a failed `accept` (most likely too many open files).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, UnixPath),
}

impl Listener {
    /// Listens on `address`. If it is `shared`, other processes may listen on it
    /// too; a path is taken over from them when this listener is published.
    pub fn bind(address: &Listen, shared: bool) -> io::Result<Self> {
        match address {
            Listen::Ip(address) => bind(*address, shared).map(Self::Tcp),
            Listen::Unix { path, mode } => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                let path = UnixPath::bind(&socket, path, *mode, shared)?;
                socket.listen(BACKLOG)?;
                let listener = UnixListener::from_std(socket.into())?;
                Ok(Self::Unix(listener, path))
            }
        }
    }

    /// Moves a Unix-domain socket to its path; no effect on a TCP listener.
    pub fn publish(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Unix(_, path) => path.publish(),
        }
    }

    /// The address with the port that the system chose.
    pub fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Ip),
            Self::Unix(_, path) => Ok(path.address()),
        }
    }

    /// The next connection; retries after errors, of which `make_room` is to remove the
    /// most likely cause.
    pub async fn accept_with_backoff(
        &self,
        errors: &LogLimiter,
        make_room: impl Fn(),
    ) -> ClientSocket {
        loop {
            match self.accept().await {
                Ok(socket) => return socket,
                Err(error) => {
                    if let Some(attempts) = errors.record() {
                        warn!(%error, attempts, "cannot accept");
                    }
                    make_room();
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<ClientSocket> {
        match self {
            Self::Tcp(listener) => Ok(ClientSocket::Tcp(listener.accept().await?.0)),
            Self::Unix(listener, _) => Ok(ClientSocket::Unix(listener.accept().await?.0)),
        }
    }

    /// Rejects new connections to a shared TCP listener, so that other processes
    /// get them. A path already leads to the last process that published it.
    pub fn reject_new(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => reject_syns(listener),
            Self::Unix(..) => Ok(()),
        }
    }

    /// Closes the listener and passes the connections in its backlog to
    /// `on_socket`.
    pub fn drain_backlog(self, mut on_socket: impl FnMut(DetachedSocket)) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std()?;
                drain_until_blocked(|| {
                    let (tcp, _) = listener.accept()?;
                    tcp.set_nonblocking(true)?;
                    on_socket(DetachedSocket::Tcp(tcp));
                    Ok(())
                })
            }
            Self::Unix(listener, path) => {
                // No client may connect after the last `accept`.
                drop(path);
                let listener = listener.into_std()?;
                drain_until_blocked(|| {
                    let (unix, _) = listener.accept()?;
                    unix.set_nonblocking(true)?;
                    on_socket(DetachedSocket::Unix(unix));
                    Ok(())
                })
            }
        }
    }
}

fn drain_until_blocked(mut accept: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match accept() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Processes of one user can listen on the same address if all of them set
/// `shared` (`SO_REUSEPORT`); the kernel gives each new connection to one of them.
/// Port 0 takes a free one.
fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Drops new SYN packets at a shared listener, so that its backlog can be
/// drained and the listener closed. Handshakes that have begun complete here;
/// other clients send their SYN again after a second (RFC 6298, section 2.1), when
/// only the other processes listen.
#[cfg(target_os = "linux")]
fn reject_syns(listener: &TcpListener) -> io::Result<()> {
    use socket2::SockFilter;

    /// Offset of the flags in a TCP header, and two of them (RFC 9293,
    /// section 3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    /// BPF instructions (`linux/bpf_common.h`): load a byte of the packet, mask
    /// it, skip unless equal, return how many bytes of the packet to keep.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const IF_EQUAL: u16 = 0x15;
    const KEEP: u16 = 0x06;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(IF_EQUAL, 0, 1, SYN),
        SockFilter::new(KEEP, 0, 0, 0),
        SockFilter::new(KEEP, 0, 0, u32::MAX),
    ])
}

/// Only Linux has socket filters.
#[cfg(not(target_os = "linux"))]
fn reject_syns(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use socket2::{Domain, Socket, Type};

    use super::{bind, reject_syns};

    /// Sends a SYN and does not wait for the handshake.
    fn start_handshake(address: SocketAddr) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        // On loopback, the listener has accepted or dropped it when this returns.
        let _ = socket.connect(&address.into());
        socket
    }

    fn accepted(listener: &TcpListener) -> Vec<TcpStream> {
        listener.incoming().map_while(Result::ok).collect()
    }

    #[tokio::test]
    async fn connections_rejected_by_one_listener_reach_the_other() {
        let closing = bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = closing.local_addr().unwrap();
        let before: Vec<_> = (0..16).map(|_| start_handshake(address)).collect();
        let remaining = bind(address, true).unwrap().into_std().unwrap();
        reject_syns(&closing).unwrap();
        let later: Vec<_> = (0..32).map(|_| start_handshake(address)).collect();
        let closing = closing.into_std().unwrap();
        // Earlier connections are not lost, and no others were accepted.
        assert_eq!(accepted(&closing).len(), before.len());
        let rejected = later.iter().filter(|client| client.peer_addr().is_err());
        assert!(rejected.count() > 0, "no SYN reached this listener");
        drop(closing);
        let end = Instant::now() + Duration::from_secs(30);
        while later.iter().any(|client| client.peer_addr().is_err()) {
            let error = later.iter().find_map(|client| client.take_error().unwrap());
            assert!(error.is_none() && Instant::now() < end, "{error:?}");
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(accepted(&remaining).len(), later.len());
    }

    #[tokio::test]
    async fn an_address_is_shared_only_when_both_listeners_share_it() {
        for (first, second) in [(false, false), (false, true), (true, false)] {
            let listener = bind("127.0.0.1:0".parse().unwrap(), first).unwrap();
            let address = listener.local_addr().unwrap();
            assert!(bind(address, second).is_err());
        }
    }
}
