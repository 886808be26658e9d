//! One client connection: protocol detection, TLS, HTTP/1.1 or HTTP/2, drain.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::active_snapshot::{ActiveSnapshot, WorkerSnapshot};
use super::connection_table::{ConnectionTable, TableEntry};
use super::socket::{ClientSocket, Peek, with_write_timeout};
use super::tls::{self, HandshakeError};
use crate::access::ClientCertificate;
use crate::drain::Phase;
use crate::lazy_timer::{LazyHyperTimer, LazyTimer};
use crate::proxy::tunnel::{ClientStream, Tunnel};
use crate::request_body::READ_BUFFER;

mod catch_panic;
mod chunks;
mod detect;
mod end;
mod hang_up;
mod read_size;
mod request;
mod stall_guard;
pub(super) mod state;
mod tracked_body;
mod tracked_io;

#[cfg(feature = "fuzzing")]
pub use chunks::oracle as chunk_oracle;

use detect::{Detected, Protocol};
use end::{ConnectionEnd, is_timed_out};
use hang_up::HangUpWatch;
use read_size::ReadSize;
use request::RequestFuture;
use stall_guard::H2StallGuard;
use state::{ConnPhase, ConnState};
use tracked_io::TrackedIo;

/// Concurrent streams of one HTTP/2 connection.
const STREAMS_PER_CONNECTION: u32 = 128;
/// Response bytes buffered for one HTTP/2 stream.
const SEND_BUFFER_SIZE: usize = 64 * 1024;
/// Bytes that an HTTP/1 connection reads ahead, or buffers for a slow reader.
const BUFFER_SIZE: usize = READ_BUFFER;
/// Idle time of an HTTP/2 connection before a PING, and the wait for its ACK.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Limits of discarding an unwanted request body. Closing a socket with unread
/// bytes would reset the connection, and the response would be lost.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// Enters a connection that is about to be served in the table.
pub fn register(active: &ActiveSnapshot, table: &Rc<ConnectionTable>) -> TableEntry {
    let WorkerSnapshot { worker, context } = &*active.get();
    let drain = worker.drain.watch();
    let state = ConnState::new(drain, context.header_timeout, context.idle_timeout);
    table.insert(state)
}

/// Serves a connection until one side ends it.
pub async fn serve(active: Rc<ActiveSnapshot>, entry: TableEntry, socket: ClientSocket) {
    let mut tcp = match socket {
        ClientSocket::Tcp(tcp) => tcp,
        // Boxed, as is TLS: otherwise every connection would reserve space for it.
        ClientSocket::Unix(unix) => return Box::pin(serve_unix(active, entry, unix)).await,
    };
    let tls = active.get().context.tls.clone();
    if let Some(tls) = tls {
        Box::pin(serve_tls(active, entry, tls, tcp)).await;
    } else if let Some(detected) = detect(&active, &entry.state, &mut tcp).await {
        serve_http(active, entry, detected, None, tcp).await;
    }
}

async fn serve_unix(active: Rc<ActiveSnapshot>, entry: TableEntry, mut unix: UnixStream) {
    if let Some(detected) = detect(&active, &entry.state, &mut unix).await {
        let stream = with_write_timeout(unix, active.get().context.write_timeout);
        serve_http(active, entry, detected, None, stream).await;
    }
}

/// The handshake has the timeout of a request head.
async fn serve_tls(
    active: Rc<ActiveSnapshot>,
    entry: TableEntry,
    tls: Arc<ServerConfig>,
    tcp: TcpStream,
) {
    let state = &entry.state;
    let handshake = before_deadline(state, tls::handshake(tls, tcp, state)).await;
    let rejected = match handshake {
        Some(Ok(stream)) => {
            let protocol = if tls::is_http2(&stream) {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let certificate = tls::client_certificate(&stream);
            return serve_http(active, entry, Detected::new(protocol), certificate, stream).await;
        }
        // A port check is not an error.
        Some(Err(HandshakeError::Closed)) => return,
        Some(Err(HandshakeError::Invalid(tcp))) => Some(tcp),
        None if state.is_ending() => return,
        None => None,
    };
    drop(entry);
    active.get().context.errors.tls_handshake.increment(1);
    // The alert or the plain response must arrive before the reset.
    if let Some(mut tcp) = rejected
        && tcp.shutdown().await.is_ok()
    {
        linger(tcp).await;
    }
}

/// Serves requests on a stream whose protocol is known.
async fn serve_http<S>(
    active: Rc<ActiveSnapshot>,
    entry: TableEntry,
    detected: Detected,
    certificate: Option<Arc<ClientCertificate>>,
    stream: S,
) where
    S: ClientStream + 'static,
{
    let state = Rc::clone(&entry.state);
    let max_header_size = active.get().context.max_header_size;
    let stream = Rc::new(RefCell::new(stream));
    let read_size = ReadSize::new(&active.get().worker.snapshot.limits.read_buffers);
    let io = TokioIo::new(TrackedIo::new(detected, &stream, read_size, &state));
    let service = {
        let (active, state) = (Rc::clone(&active), Rc::clone(&state));
        service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(Arc::clone(certificate));
            }
            RequestFuture::new(&active, &state, request)
        })
    };
    let end = match detected.protocol {
        Protocol::Http1 => {
            let mut connection = http1::Builder::new()
                .max_header_size(max_header_size)
                .max_buf_size(BUFFER_SIZE.max(max_header_size))
                .serve_connection(io, service);
            let end = drive(
                Pin::new(&mut connection),
                (Phase::ClosingIdle, http1::Connection::graceful_shutdown),
                &state,
                &stream,
            )
            .await;
            // Not hyper's upgrade API, which needs a connection that is `Send`.
            let parts = connection.into_parts();
            let unread = parts.io.into_inner().into_unread();
            if let (ConnectionEnd::Closed, Some(tunnel)) = (&end, state.take_tunnel()) {
                drop(entry);
                let read_ahead = join(parts.read_buf, &unread);
                // Boxed: otherwise every connection would reserve space for it.
                return Box::pin(run_tunnel(*tunnel, stream, read_ahead)).await;
            }
            end
        }
        Protocol::Http2 => {
            state.set_http2();
            let guard = H2StallGuard::new(&state, &active.get().context);
            let connection = http2_builder(guard, max_header_size).serve_connection(io, service);
            drive(
                pin!(connection),
                (Phase::HandingOver, http2::Connection::graceful_shutdown),
                &state,
                &stream,
            )
            .await
        }
    };
    drop(entry);
    end.record(&active.get().context.errors);
    // hyper has dropped its reference to the socket.
    if state.has_unread_body()
        && let Some(stream) = Rc::into_inner(stream)
    {
        linger(stream.into_inner()).await;
    }
}

fn join(first: Bytes, second: &[u8]) -> Bytes {
    if second.is_empty() {
        return first;
    }
    Bytes::from([&*first, second].concat())
}

/// Serves the connection after its upgrade to a WebSocket.
async fn run_tunnel<S: ClientStream>(tunnel: Tunnel, stream: Rc<RefCell<S>>, read_ahead: Bytes) {
    // hyper has dropped its reference to the socket.
    if let Some(stream) = Rc::into_inner(stream) {
        tunnel.run(&mut stream.into_inner(), read_ahead).await;
    }
}

fn http2_builder(executor: H2StallGuard, max_header_size: usize) -> http2::Builder<H2StallGuard> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(LazyHyperTimer)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .max_send_buf_size(SEND_BUFFER_SIZE)
        .max_header_list_size(u32::try_from(max_header_size).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Waits for the first bytes; none if the connection ends or times out before.
async fn detect(
    active: &ActiveSnapshot,
    state: &ConnState,
    stream: &mut (impl Peek + AsyncRead + Unpin),
) -> Option<Detected> {
    let detected = before_deadline(state, detect::detect(stream, state)).await;
    detected.unwrap_or_else(|| {
        if !state.is_ending() {
            active.get().context.errors.header_timeout.increment(1);
        }
        None
    })
}

/// Awaits a step before the first request, within the time of a request head; none if
/// the connection has to end before.
async fn before_deadline<T>(state: &ConnState, step: impl Future<Output = T>) -> Option<T> {
    let mut step = pin!(step);
    let mut timer = LazyTimer::default();
    poll_fn(|context| {
        state.poll_ending(Phase::ClosingIdle, context);
        if let Poll::Ready(result) = step.as_mut().poll(context) {
            return Poll::Ready(Some(result));
        }
        poll_timeout(state, &mut timer, context).map(|_| None)
    })
    .await
}

/// Drives a connection. Shuts it down gracefully once it is evicted or the drain
/// reaches `shutdown_phase`, and ends it at its deadline, or when its client leaves.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    (shutdown_phase, shut_down): (Phase, fn(Pin<&mut C>)),
    state: &ConnState,
    stream: &RefCell<impl ClientStream>,
) -> ConnectionEnd
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut timer = LazyTimer::default();
    let mut hang_up = HangUpWatch::default();
    poll_fn(|context| {
        state.poll_ending(shutdown_phase, context);
        loop {
            state.begin_poll();
            // HTTP/2 requests run in their own tasks, with their own drain watch.
            match state
                .drain
                .with_task_waking(|| connection.as_mut().poll(context))
            {
                Poll::Ready(Ok(())) => return Poll::Ready(ConnectionEnd::Closed),
                Poll::Ready(Err(error)) => {
                    if is_timed_out(&error) {
                        state.set_stalled();
                    }
                    return Poll::Ready(ConnectionEnd::Failed(error));
                }
                Poll::Pending if state.begin_shutdown() => shut_down(connection.as_mut()),
                Poll::Pending => {
                    if hang_up.poll(state, stream, context).is_ready() {
                        return Poll::Ready(ConnectionEnd::Closed);
                    }
                    let phase = ready!(poll_timeout(state, &mut timer, context));
                    if state.begin_shutdown() {
                        shut_down(connection.as_mut());
                        continue;
                    }
                    return Poll::Ready(if state.is_ending() {
                        ConnectionEnd::Closed
                    } else {
                        ConnectionEnd::TimedOut(phase)
                    });
                }
            }
        }
    })
    .await
}

/// A request that arrives and completes in time sets no timer.
fn poll_timeout(
    state: &ConnState,
    timer: &mut LazyTimer,
    context: &mut Context<'_>,
) -> Poll<ConnPhase> {
    match state.deadline() {
        Some((deadline, phase)) => timer.poll(deadline, context).map(|_| phase),
        None => Poll::Pending,
    }
}

/// Discards the remaining bytes of a request body after the response.
async fn linger(mut stream: impl AsyncRead + Unpin) {
    let mut discarded = 0;
    // Small: many connections may end so at a time.
    let mut buffer = vec![0; 8 * 1024];
    let discard = async {
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            discarded += count;
            if discarded > LINGER_BYTES {
                break;
            }
        }
    };
    // The connection ends whether or not all of it was read.
    let _ = timeout(LINGER_TIMEOUT, discard).await;
}
