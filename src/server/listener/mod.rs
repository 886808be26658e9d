//! Sockets to listen on.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::socket::{Caller, Detached};
use crate::config::Listen;

mod unix_path;

use unix_path::Name;

/// Connections that the system holds for us while we are busy.
const BACKLOG: i32 = 1024;

/// Where callers come in.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Name),
}

impl Listener {
    /// Listens at `place`. A `shared` one may be listened at by others too, or,
    /// where it is a path, be taken from them when this one is published.
    pub fn bind(place: &Listen, shared: bool) -> io::Result<Self> {
        match place {
            Listen::Ip(address) => bind(*address, shared).map(Self::Tcp),
            Listen::Unix { path, mode } => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                let name = Name::bind(&socket, path, *mode, shared)?;
                socket.listen(BACKLOG)?;
                let listener = UnixListener::from_std(socket.into())?;
                Ok(Self::Unix(listener, name))
            }
        }
    }

    /// Lets it be found, where that is not so yet.
    pub fn publish(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Unix(_, name) => name.publish(),
        }
    }

    /// Where it is.
    pub fn place(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Ip),
            Self::Unix(_, name) => Ok(name.place()),
        }
    }

    /// Waits for a caller.
    pub async fn accept(&self) -> io::Result<Caller> {
        match self {
            Self::Tcp(listener) => Ok(Caller::Tcp(listener.accept().await?.0)),
            Self::Unix(listener, _) => Ok(Caller::Unix(listener.accept().await?.0)),
        }
    }

    /// Lets nobody new in at a listener that others share. A path leads to
    /// whoever came last, so that nobody comes to this one any more.
    pub fn shun(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => shun(listener),
            Self::Unix(..) => Ok(()),
        }
    }

    /// Closes it, and hands over those who wait in the system's queue there.
    pub fn empty(self, mut take: impl FnMut(Detached)) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std()?;
                all(|| {
                    let (tcp, _) = listener.accept()?;
                    tcp.set_nonblocking(true)?;
                    take(Detached::Tcp(tcp));
                    Ok(())
                })
            }
            Self::Unix(listener, name) => {
                // Nobody is to come to it after the last one was taken.
                drop(name);
                let listener = listener.into_std()?;
                all(|| {
                    let (unix, _) = listener.accept()?;
                    unix.set_nonblocking(true)?;
                    take(Detached::Unix(unix));
                    Ok(())
                })
            }
        }
    }
}

/// Takes until there is nobody left.
fn all(mut take: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match take() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Listens on `address`; port 0 takes a free one. Processes of one user may
/// listen on one address if all of them say `shared`; the system gives each
/// new connection to one of them.
fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not have to wait until old connections are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Lets nobody new in at a listener that others share, so that it can be
/// emptied and closed: handshakes that have begun end here, but a first packet
/// is dropped (a filter of the system sees each before the listener does).
/// Callers send it again after a second (RFC 6298, section 2.1), and then only
/// the others are there to take it.
#[cfg(target_os = "linux")]
fn shun(listener: &TcpListener) -> io::Result<()> {
    use socket2::SockFilter;

    /// Of a TCP header: where the flags are, and two of them (RFC 9293,
    /// section 3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    /// Instructions (`linux/bpf_common.h`): load a byte of the packet, mask
    /// it, go on where it is equal, keep so many bytes of the packet.
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

/// Only Linux can.
#[cfg(not(target_os = "linux"))]
fn shun(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use socket2::{Domain, Socket, Type};

    use super::{bind, shun};

    /// Sends the first packet of a handshake, and does not wait for more.
    fn knock(address: SocketAddr) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        // On loopback a listener has it, or not, when this returns.
        let _ = socket.connect(&address.into());
        socket
    }

    fn accepted(listener: &TcpListener) -> Vec<TcpStream> {
        listener.incoming().map_while(Result::ok).collect()
    }

    #[tokio::test]
    async fn those_turned_away_at_one_listener_reach_the_other() {
        let leaving = bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = leaving.local_addr().unwrap();
        let before: Vec<_> = (0..16).map(|_| knock(address)).collect();
        let staying = bind(address, true).unwrap().into_std().unwrap();
        shun(&leaving).unwrap();
        let later: Vec<_> = (0..32).map(|_| knock(address)).collect();
        let leaving = leaving.into_std().unwrap();
        // Whoever was there before is not lost, and nobody else came.
        let here = accepted(&leaving);
        assert_eq!(here.len(), before.len());
        let turned_away = later.iter().filter(|caller| caller.peer_addr().is_err());
        assert!(turned_away.count() > 0, "nobody was sent there");
        drop(leaving);
        let end = Instant::now() + Duration::from_secs(30);
        while later.iter().any(|caller| caller.peer_addr().is_err()) {
            let refused = later.iter().find_map(|caller| caller.take_error().unwrap());
            assert!(refused.is_none() && Instant::now() < end, "{refused:?}");
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(accepted(&staying).len(), later.len());
    }

    #[tokio::test]
    async fn a_listener_is_shared_only_when_both_say_so() {
        for (first, second) in [(false, false), (false, true), (true, false)] {
            let listener = bind("127.0.0.1:0".parse().unwrap(), first).unwrap();
            let address = listener.local_addr().unwrap();
            assert!(bind(address, second).is_err());
        }
    }
}
