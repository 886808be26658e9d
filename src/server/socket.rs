//! Sockets that callers come by, of either kind.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio_io_timeout::TimeoutStream;

use crate::proxy::tunnel::Stream;

/// Silence on a connection before the system asks whether its peer lives, and
/// between two questions.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// A caller's socket, of this runtime or (see [`Detached`]) of none.
#[derive(Debug)]
pub enum Caller<T = TcpStream, U = UnixStream> {
    Tcp(T),
    Unix(U),
}

/// A caller's socket on its way to another runtime.
pub type Detached = Caller<StdTcpStream, StdUnixStream>;

impl Caller {
    /// Takes it from this runtime.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Tcp(tcp) => Caller::Tcp(tcp.into_std()?),
            Self::Unix(unix) => Caller::Unix(unix.into_std()?),
        })
    }
}

impl Detached {
    /// Gives it to this runtime.
    pub fn attach(self) -> io::Result<Caller> {
        Ok(match self {
            Self::Tcp(tcp) => Caller::Tcp(TcpStream::from_std(tcp)?),
            Self::Unix(unix) => Caller::Unix(UnixStream::from_std(unix)?),
        })
    }

    /// Sets its options. Where the system can, it takes the peer for gone when
    /// sent bytes stay unacknowledged, or its window shut, for `write_timeout`
    /// (`TCP_USER_TIMEOUT`, RFC 5482): it alone sees a reader who takes a
    /// little now and then.
    pub fn tune(&self, write_timeout: Duration) -> io::Result<()> {
        let Self::Tcp(tcp) = self else {
            return Ok(());
        };
        // hyper writes once per piece; without this each would wait for the
        // acknowledgement of the last one (RFC 896).
        tcp.set_nodelay(true)?;
        let socket = SockRef::from(tcp);
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
}

/// A socket whose next bytes can be seen before they are taken.
pub trait Peek {
    /// Waits for bytes, and says how many of them it has copied.
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize>;
}

impl Peek for TcpStream {
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.peek(bytes).await
    }
}

impl Peek for UnixStream {
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut look = || Ok(recv(self, &mut *bytes, RecvFlags::PEEK)?.0);
        self.async_io(Interest::READABLE, &mut look).await
    }
}

/// See [`impatient`].
type Impatient = Pin<Box<TimeoutStream<UnixStream>>>;

impl Stream for Impatient {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

/// A Unix-domain socket whose peer is taken for gone when it takes nothing for
/// `write_timeout`. Here the system does not look after that.
pub fn impatient(unix: UnixStream, write_timeout: Duration) -> Impatient {
    let mut stream = TimeoutStream::new(unix);
    stream.set_write_timeout(Some(write_timeout));
    Box::pin(stream)
}
