//! Client sockets, TCP or Unix-domain.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio_io_timeout::TimeoutStream;

use crate::proxy::tunnel::ClientStream;

/// Idle time before the first TCP keep-alive probe, and between probes.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A client's socket, registered with this runtime or, as [`DetachedSocket`], with
/// none.
#[derive(Debug)]
pub enum ClientSocket<T = TcpStream, U = UnixStream> {
    Tcp(T),
    Unix(U),
}

/// A client's socket in transit to another runtime.
pub type DetachedSocket = ClientSocket<StdTcpStream, StdUnixStream>;

impl ClientSocket {
    /// Deregisters the socket from this runtime.
    pub fn detach(self) -> io::Result<DetachedSocket> {
        Ok(match self {
            Self::Tcp(tcp) => ClientSocket::Tcp(tcp.into_std()?),
            Self::Unix(unix) => ClientSocket::Unix(unix.into_std()?),
        })
    }
}

impl<T: AsRawFd, U: AsRawFd> AsRawFd for ClientSocket<T, U> {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(tcp) => tcp.as_raw_fd(),
            Self::Unix(unix) => unix.as_raw_fd(),
        }
    }
}

impl DetachedSocket {
    /// Registers the socket with this runtime.
    pub fn attach(self) -> io::Result<ClientSocket> {
        Ok(match self {
            Self::Tcp(tcp) => ClientSocket::Tcp(TcpStream::from_std(tcp)?),
            Self::Unix(unix) => ClientSocket::Unix(UnixStream::from_std(unix)?),
        })
    }

    /// The same socket at the lowest free descriptor.
    pub fn renumber(self) -> Self {
        let lowest = match &self {
            Self::Tcp(tcp) => tcp.try_clone().map(Self::Tcp),
            Self::Unix(unix) => unix.try_clone().map(Self::Unix),
        };
        match lowest {
            Ok(lowest) if lowest.as_raw_fd() < self.as_raw_fd() => lowest,
            _ => self,
        }
    }

    /// Sets the socket options. On Linux, the kernel ends the connection when sent
    /// bytes stay unacknowledged, or the peer's window stays closed, for
    /// `write_timeout` (`TCP_USER_TIMEOUT`, RFC 5482). Only the kernel can tell this
    /// from a client that reads slowly.
    pub fn configure(&self, write_timeout: Duration) -> io::Result<()> {
        let Self::Tcp(tcp) = self else {
            return Ok(());
        };
        // hyper writes once per frame; with Nagle's algorithm each would wait
        // for the acknowledgement of the last one (RFC 896).
        tcp.set_nodelay(true)?;
        let socket = SockRef::from(tcp);
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_TIME)
            .with_interval(KEEPALIVE_INTERVAL);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(write_timeout))?;
        #[cfg(not(target_os = "linux"))]
        let _ = write_timeout;
        Ok(())
    }
}

pub trait Peek {
    /// Waits for bytes and copies them without consuming them; returns their number.
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize>;
}

impl Peek for TcpStream {
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.peek(bytes).await
    }
}

impl Peek for UnixStream {
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut peek = || Ok(recv(self, &mut *bytes, RecvFlags::PEEK)?.0);
        self.async_io(Interest::READABLE, &mut peek).await
    }
}

type TimedUnixStream = Pin<Box<TimeoutStream<UnixStream>>>;

impl ClientStream for TimedUnixStream {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

/// Fails writes to a Unix-domain socket that take longer than `write_timeout`:
/// the kernel has no such timeout for these.
pub fn with_write_timeout(unix: UnixStream, write_timeout: Duration) -> TimedUnixStream {
    let mut stream = TimeoutStream::new(unix);
    stream.set_write_timeout(Some(write_timeout));
    Box::pin(stream)
}
