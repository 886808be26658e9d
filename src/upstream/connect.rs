//! Connects to an upstream: name resolution, TCP, TLS, HTTP.

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
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::net::TcpStream;
use tower_service::Service;

use super::Upstream;
use super::connection::{DriverTask, Http2Connection};
use super::error::{Error, ErrorKind, with_causes};
use super::http1::{Http1, Scratch, Transport};
use super::lifetime::Lifetime;
use crate::config::{HttpVersion, Timeouts};
use crate::descriptors;
use crate::error_chain::cause_ref;
use crate::executor::LocalExecutor;
use crate::lazy_timer::{Elapsed, LazyHyperTimer, timeout};
use crate::request_body::RequestBody;

/// HTTP/2 pings, on a silent connection with open streams.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// Streams on an HTTP/2 connection until the upstream's SETTINGS arrive; streams above
/// its limit would be refused.
const INITIAL_MAX_STREAMS: usize = 1;
/// HTTP/2 windows: wide enough for a fast response, narrow enough that one slow client
/// cannot hold much memory.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

pub(super) enum NewConnection {
    Http1(Box<Http1>),
    Http2(Http2Connection),
}

/// Within the connect timeout.
pub(super) async fn connect(
    upstream: &Arc<Upstream>,
    timeouts: &Timeouts,
    scratch: &Scratch,
) -> Result<NewConnection, Error> {
    let connecting = establish(upstream, timeouts, scratch);
    record_connect(upstream, timeout(timeouts.connect, connecting).await)
}

/// Like [`connect`], but always HTTP/1.1, regardless of the configuration.
pub(super) async fn connect_http1(
    upstream: &Upstream,
    timeouts: &Timeouts,
    scratch: &Scratch,
) -> Result<Box<Http1>, Error> {
    let connecting = async {
        let (tcp, lifetime) = tcp(upstream, timeouts).await?;
        let Some(connector) = &upstream.tls else {
            return Ok(http1(upstream, tcp, lifetime, scratch));
        };
        let handshake = timeout(tls_timeout(timeouts), connector.connect_http1(tcp)).await;
        let stream = handshake.map_err(|_| connect_timeout("TLS handshake timeout"))??;
        Ok(http1(upstream, stream, lifetime, scratch))
    };
    record_connect(upstream, timeout(timeouts.connect, connecting).await)
}

fn record_connect<T>(
    upstream: &Upstream,
    connected: Result<Result<T, Error>, Elapsed>,
) -> Result<T, Error> {
    let connected = connected.unwrap_or_else(|_| Err(connect_timeout("connect timeout")));
    upstream.metrics.record_connect(connected.is_ok());
    connected
}

fn connect_timeout(detail: &str) -> Error {
    Error::new(ErrorKind::ConnectTimeout, detail)
}

fn tls_timeout(timeouts: &Timeouts) -> Duration {
    timeouts.tls.unwrap_or(timeouts.connect)
}

async fn establish(
    upstream: &Arc<Upstream>,
    timeouts: &Timeouts,
    scratch: &Scratch,
) -> Result<NewConnection, Error> {
    let (tcp, lifetime) = tcp(upstream, timeouts).await?;
    match &upstream.tls {
        None if upstream.http == HttpVersion::Http2 => http2(upstream, tcp, lifetime).await,
        None => Ok(NewConnection::Http1(http1(
            upstream, tcp, lifetime, scratch,
        ))),
        Some(connector) => {
            let handshake = timeout(tls_timeout(timeouts), connector.connect(tcp)).await;
            match handshake.map_err(|_| connect_timeout("TLS handshake timeout"))?? {
                (stream, true) => http2(upstream, stream, lifetime).await,
                (stream, false) => Ok(NewConnection::Http1(http1(
                    upstream, stream, lifetime, scratch,
                ))),
            }
        }
    }
}

// === TCP ===

/// Resolves the name, then races the addresses (RFC 8305). hyper-util's connector is
/// used for the race only, so it gets resolved addresses and a URL built for it.
async fn tcp(upstream: &Upstream, timeouts: &Timeouts) -> Result<(TcpStream, Lifetime), Error> {
    let resolved = upstream.resolver.resolve().await?;
    descriptors::check_for_upstream()
        .map_err(|error| Error::new(ErrorKind::LocalResources, with_causes(&error)))?;
    let addresses = StaticResolver(resolved.addresses.clone());
    let mut connector = HttpConnector::new_with_resolver(addresses);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(TCP_KEEPALIVE));
    // Divided among the addresses, so that an unreachable one leaves time for the next.
    connector.set_connect_timeout(Some(timeouts.connect));
    let uri = Uri::builder()
        .scheme(upstream.scheme.clone())
        .authority(upstream.authority.clone())
        .path_and_query("/")
        .build()
        .map_err(|error| Error::new(ErrorKind::Connect, with_causes(&error)))?;
    let stream = connector
        .call(uri)
        .await
        .map_err(|error| Error::new(error_kind(&error), with_causes(&error)))?
        .into_inner();
    let address = stream
        .peer_addr()
        .map_err(|error| Error::new(ErrorKind::Connect, with_causes(&error)))?;
    upstream.resolver.record_connected(&resolved, address);
    let lifetime = Lifetime::new(&resolved, address, upstream.limits.max_age);
    Ok((stream, lifetime))
}

/// Timeouts of the connector, which may expire just before the gateway's, and of the system
/// are I/O errors.
fn error_kind(error: &(dyn StdError + 'static)) -> ErrorKind {
    let Some(error) = cause_ref::<io::Error>(error) else {
        return ErrorKind::Connect;
    };
    match Errno::from_io_error(error) {
        Some(Errno::ADDRNOTAVAIL | Errno::MFILE | Errno::NFILE) => ErrorKind::LocalResources,
        _ if error.kind() == io::ErrorKind::TimedOut => ErrorKind::ConnectTimeout,
        _ => ErrorKind::Connect,
    }
}

/// Returns addresses that are already resolved.
#[derive(Clone)]
struct StaticResolver(Vec<SocketAddr>);

impl Service<Name> for StaticResolver {
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

// === HTTP ===

fn http1(
    upstream: &Upstream,
    transport: impl Transport + 'static,
    lifetime: Lifetime,
    scratch: &Scratch,
) -> Box<Http1> {
    let guard = upstream.metrics.track_open();
    let transport = Box::new(transport);
    Box::new(Http1::new(transport, lifetime, scratch.clone(), guard))
}

async fn http2(
    upstream: &Arc<Upstream>,
    transport: impl Transport + 'static,
    lifetime: Lifetime,
) -> Result<NewConnection, Error> {
    let (sender, connection) = http2::Builder::new(LocalExecutor)
        .timer(LazyHyperTimer)
        .initial_max_send_streams(INITIAL_MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake::<_, RequestBody>(TokioIo::new(transport))
        .await
        .map_err(|error| Error::new(ErrorKind::Connect, with_causes(&error)))?;
    let max_streams = Rc::new(Cell::new(usize::MAX));
    let task = drive(upstream, connection, Rc::clone(&max_streams));
    Ok(NewConnection::Http2(Http2Connection::new(
        sender,
        task,
        max_streams,
        lifetime,
    )))
}

/// Runs an HTTP/2 connection on this worker until it ends or the task is dropped.
fn drive<Io>(
    upstream: &Arc<Upstream>,
    mut connection: http2::Connection<Io, RequestBody, LocalExecutor>,
    max_streams: Rc<Cell<usize>>,
) -> DriverTask
where
    Io: Read + Write + Unpin + 'static,
{
    let guard = upstream.metrics.track_open();
    let task = tokio::task::spawn_local(async move {
        let _guard = guard;
        // Open requests get the error themselves.
        let _ = poll_fn(|context| {
            let polled = Pin::new(&mut connection).poll(context);
            // Until SETTINGS arrive, many streams are assumed to be allowed: they wait
            // on the connection for SETTINGS.
            let current = connection.current_max_send_streams();
            if current != INITIAL_MAX_STREAMS {
                max_streams.set(current);
            }
            polled
        })
        .await;
    });
    DriverTask(task.abort_handle())
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::{ErrorKind, error_kind};

    #[test]
    fn missing_ports_or_descriptors_are_not_upstream_errors() {
        for (reason, expected) in [
            (Errno::ADDRNOTAVAIL, ErrorKind::LocalResources),
            (Errno::MFILE, ErrorKind::LocalResources),
            (Errno::NFILE, ErrorKind::LocalResources),
            (Errno::TIMEDOUT, ErrorKind::ConnectTimeout),
            (Errno::CONNREFUSED, ErrorKind::Connect),
        ] {
            let inner = io::Error::from(reason);
            assert_eq!(error_kind(&inner), expected, "{reason:?}");
            // The connector wraps it.
            let outer = Outer(inner);
            assert_eq!(error_kind(&outer), expected, "{reason:?}");
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
