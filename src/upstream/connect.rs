//! From a host name to a connection that takes requests.

use std::cell::Cell;
use std::error::Error as StdError;
use std::future::{Ready, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::client::conn::http2;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::Upstream;
use super::connection::{Http2, Task};
use super::error::{Error, ErrorKind, chain};
use super::http1::{Http1, Scratch, Socket};
use super::resolve::Resolver;
use crate::config::{HttpVersion, Timeouts};
use crate::executor::LocalExecutor;
use crate::request_body::Outgoing;

/// Silence on an HTTP/2 connection with streams before it is asked whether it
/// still lives, and how long it has to say so.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(15);
/// Silence on a TCP connection before the system asks.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// Streams on an HTTP/2 connection until the upstream has said how many it
/// takes; more than it takes would be refused.
const STREAMS_AT_FIRST: usize = 1;
/// HTTP/2 windows: wide enough for a fast answer, narrow enough that one slow
/// reader cannot hold much memory.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// A connection that has just been made.
pub(super) enum Made {
    Http1(Box<Http1>),
    Http2(Http2),
}

/// Connects within a limit in time: name, TCP, TLS and HTTP.
pub(super) async fn connect(
    upstream: &Arc<Upstream>,
    timeouts: &Timeouts,
    resolver: &Resolver,
    scratch: &Scratch,
) -> Result<Made, Error> {
    let making = make(upstream, timeouts, resolver, scratch);
    let made = timeout(timeouts.connect, making).await;
    let made = made.unwrap_or_else(|_| Err(late("no connection in time")));
    upstream.gauges.connects(made.is_ok()).increment(1);
    made
}

/// As [`connect`], for one that speaks HTTP/1.1, whatever the others speak.
pub(super) async fn connect_http1(
    upstream: &Upstream,
    timeouts: &Timeouts,
    resolver: &Resolver,
    scratch: &Scratch,
) -> Result<Box<Http1>, Error> {
    let making = async {
        let tcp = tcp(upstream, timeouts, resolver).await?;
        let Some(connector) = &upstream.tls else {
            return Ok(http1(upstream, tcp, scratch));
        };
        let shaken = timeout(tls_limit(timeouts), connector.connect_http1(tcp)).await;
        let stream = shaken.map_err(|_| late("no TLS handshake in time"))??;
        Ok(http1(upstream, stream, scratch))
    };
    let made = timeout(timeouts.connect, making).await;
    let made = made.unwrap_or_else(|_| Err(late("no connection in time")));
    upstream.gauges.connects(made.is_ok()).increment(1);
    made
}

fn late(detail: &str) -> Error {
    Error::new(ErrorKind::ConnectTimeout, detail)
}

fn tls_limit(timeouts: &Timeouts) -> Duration {
    timeouts.tls.unwrap_or(timeouts.connect)
}

async fn make(
    upstream: &Arc<Upstream>,
    timeouts: &Timeouts,
    resolver: &Resolver,
    scratch: &Scratch,
) -> Result<Made, Error> {
    let tcp = tcp(upstream, timeouts, resolver).await?;
    match &upstream.tls {
        None if upstream.http == HttpVersion::Http2 => http2(upstream, tcp).await,
        None => Ok(Made::Http1(http1(upstream, tcp, scratch))),
        Some(connector) => {
            let shaken = timeout(tls_limit(timeouts), connector.connect(tcp)).await;
            match shaken.map_err(|_| late("no TLS handshake in time"))?? {
                (stream, true) => http2(upstream, stream).await,
                (stream, false) => Ok(Made::Http1(http1(upstream, stream, scratch))),
            }
        }
    }
}

// ===== TCP =====

/// Resolves the name, then races the addresses (RFC 8305, by hyper-util).
async fn tcp(
    upstream: &Upstream,
    timeouts: &Timeouts,
    resolver: &Resolver,
) -> Result<TcpStream, Error> {
    let addresses = resolver.resolve(&upstream.host, upstream.port).await?;
    let mut connector = HttpConnector::new_with_resolver(Resolved(addresses));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(TCP_KEEPALIVE));
    // Shared out over the addresses, so that a dead one leaves time for the
    // next.
    connector.set_connect_timeout(Some(timeouts.connect));
    let place = Uri::builder()
        .scheme(upstream.scheme.clone())
        .authority(upstream.authority.clone())
        .path_and_query("/")
        .build()
        .map_err(|error| Error::new(ErrorKind::Connect, chain(&error)))?;
    let stream = connector
        .call(place)
        .await
        .map_err(|error| Error::new(kind_of(&error), chain(&error)))?;
    Ok(stream.into_inner())
}

/// The connector's own time limit, which may run out a moment before ours, and
/// the system's come as errors of input and output.
fn kind_of(error: &(dyn StdError + 'static)) -> ErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match Errno::from_io_error(error) {
                Some(Errno::ADDRNOTAVAIL | Errno::MFILE | Errno::NFILE) => ErrorKind::Exhausted,
                _ if error.kind() == io::ErrorKind::TimedOut => ErrorKind::ConnectTimeout,
                _ => ErrorKind::Connect,
            };
        }
        cause = error.source();
    }
    ErrorKind::Connect
}

/// Addresses that have been looked up already.
#[derive(Clone)]
struct Resolved(Vec<SocketAddr>);

impl Service<Name> for Resolved {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}

// ===== HTTP =====

fn http1(upstream: &Upstream, socket: impl Socket + 'static, scratch: &Scratch) -> Box<Http1> {
    let open = upstream.gauges.open();
    Box::new(Http1::new(Box::new(socket), scratch.clone(), open))
}

async fn http2(upstream: &Arc<Upstream>, socket: impl Socket + 'static) -> Result<Made, Error> {
    let (sender, connection) = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN)
        .handshake::<_, Outgoing>(TokioIo::new(socket))
        .await
        .map_err(|error| Error::new(ErrorKind::Connect, chain(&error)))?;
    let room = Rc::new(Cell::new(usize::MAX));
    let task = drive(upstream, connection, Rc::clone(&room));
    Ok(Made::Http2(Http2::new(sender, task, room)))
}

/// Runs an HTTP/2 connection on this worker until it ends or its owners let go.
fn drive<Io>(
    upstream: &Arc<Upstream>,
    mut connection: http2::Connection<Io, Outgoing, LocalExecutor>,
    room: Rc<Cell<usize>>,
) -> Task
where
    Io: Read + Write + Unpin + 'static,
{
    let open = upstream.gauges.open();
    let task = tokio::task::spawn_local(async move {
        let _open = open;
        // Its error reaches the requests that are on it; without one it only
        // means that the connection is gone.
        let _ = poll_fn(|context| {
            let polled = Pin::new(&mut connection).poll(context);
            // Until it has spoken, the best guess is that it takes many: they
            // wait on the connection for its word.
            let most = connection.current_max_send_streams();
            if most != STREAMS_AT_FIRST {
                room.set(most);
            }
            polled
        })
        .await;
    });
    Task(task.abort_handle())
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::{ErrorKind, kind_of};

    #[test]
    fn a_machine_without_ports_or_descriptors_is_no_fault_of_the_upstream() {
        for (reason, expected) in [
            (Errno::ADDRNOTAVAIL, ErrorKind::Exhausted),
            (Errno::MFILE, ErrorKind::Exhausted),
            (Errno::NFILE, ErrorKind::Exhausted),
            (Errno::TIMEDOUT, ErrorKind::ConnectTimeout),
            (Errno::CONNREFUSED, ErrorKind::Connect),
        ] {
            let inner = io::Error::from(reason);
            assert_eq!(kind_of(&inner), expected, "{reason:?}");
            // As the connector hands it on: within another one.
            let outer = Outer(inner);
            assert_eq!(kind_of(&outer), expected, "{reason:?}");
        }
    }

    #[derive(Debug)]
    struct Outer(io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("tcp connect error")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
}
