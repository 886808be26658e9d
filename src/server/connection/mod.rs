//! One client connection: protocol detection, TLS, HTTP/1.1 or HTTP/2, drain.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::active_snapshot::{ActiveSnapshot, WorkerSnapshot};
use super::socket::{ClientSocket, Peek, with_write_timeout};
use super::tls::{self, HandshakeError};
use crate::access::ClientCertificate;
use crate::drain::{DrainWatch, Phase};
use crate::error_chain::cause_ref;
use crate::lazy_timer::LazyTimer;
use crate::proxy::tunnel::{ClientStream, Tunnel};
use crate::routes::context::ConnectionErrors;

mod catch_panic;
mod request;
mod stall_guard;
mod state;

use request::RequestFuture;
use stall_guard::H2StallGuard;
use state::{ConnPhase, ConnState, TrackedIo};

/// First bytes of the HTTP/2 preface (RFC 9113, section 3.4); no HTTP/1 request
/// starts with them.
const HTTP2_PREFACE: &[u8] = b"PRI ";
/// Concurrent streams of one HTTP/2 connection.
const STREAMS_PER_CONNECTION: u32 = 128;
/// Response bytes buffered for one HTTP/2 stream.
const SEND_BUFFER_SIZE: usize = 64 * 1024;
/// Bytes that an HTTP/1 connection reads ahead, or buffers for a slow reader.
const BUFFER_SIZE: usize = 128 * 1024;
/// Idle time of an HTTP/2 connection before a PING, and the wait for its ACK.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Limits of discarding an unwanted request body. Closing a socket with unread
/// bytes would reset the connection, and the response would be lost.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Pause between peeks while a prefix of the HTTP/2 preface has arrived.
const SNIFF_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection until one side ends it.
pub async fn serve(active: Rc<ActiveSnapshot>, socket: ClientSocket) {
    let accepted_at = Instant::now();
    let tcp = match socket {
        ClientSocket::Tcp(tcp) => tcp,
        // Boxed, as is TLS: otherwise every connection would reserve space for it.
        ClientSocket::Unix(unix) => return Box::pin(serve_unix(active, accepted_at, unix)).await,
    };
    let tls = active.get().context.tls.clone();
    if let Some(tls) = tls {
        Box::pin(serve_tls(active, accepted_at, tls, tcp)).await;
    } else if let Some(protocol) = detect(&active, accepted_at, &tcp).await {
        serve_http(active, accepted_at, protocol, None, tcp).await;
    }
}

async fn serve_unix(active: Rc<ActiveSnapshot>, accepted_at: Instant, unix: UnixStream) {
    if let Some(protocol) = detect(&active, accepted_at, &unix).await {
        let stream = with_write_timeout(unix, active.get().context.write_timeout);
        serve_http(active, accepted_at, protocol, None, stream).await;
    }
}

/// The handshake has the timeout of a request head.
async fn serve_tls(
    active: Rc<ActiveSnapshot>,
    accepted_at: Instant,
    tls: Arc<ServerConfig>,
    tcp: TcpStream,
) {
    let limit = active.get().context.header_timeout;
    let handshake = timeout_at(accepted_at + limit, tls::handshake(tls, tcp)).await;
    let rejected = match handshake {
        Ok(Ok(stream)) => {
            let protocol = if tls::is_http2(&stream) {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let certificate = tls::client_certificate(&stream);
            return serve_http(active, accepted_at, protocol, certificate, stream).await;
        }
        // A port check is not an error.
        Ok(Err(HandshakeError::Closed)) => return,
        Ok(Err(HandshakeError::Invalid(tcp))) => Some(tcp),
        Err(_) => None,
    };
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
    accepted_at: Instant,
    protocol: Protocol,
    certificate: Option<Arc<ClientCertificate>>,
    stream: S,
) where
    S: ClientStream + 'static,
{
    let (state, drain, max_header_size) = {
        let WorkerSnapshot { worker, context } = &*active.get();
        let state = ConnState::new(accepted_at, context.header_timeout, context.idle_timeout);
        (state, worker.drain.watch(), context.max_header_size)
    };
    let stream = Rc::new(RefCell::new(stream));
    let io = TokioIo::new(TrackedIo {
        stream: Rc::clone(&stream),
        state: Rc::clone(&state),
    });
    let service = {
        let (active, state) = (Rc::clone(&active), Rc::clone(&state));
        service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(Arc::clone(certificate));
            }
            RequestFuture::new(&active, &state, request)
        })
    };
    let end = match protocol {
        Protocol::Http1 => {
            let mut connection = http1::Builder::new()
                .max_header_size(max_header_size)
                .max_buf_size(BUFFER_SIZE.max(max_header_size))
                .serve_connection(io, service);
            let end = drive(
                Pin::new(&mut connection),
                (Phase::ClosingIdle, http1::Connection::graceful_shutdown),
                &drain,
                &state,
            )
            .await;
            // Not hyper's upgrade API, which needs a connection that is `Send`.
            let read_ahead = connection.into_parts().read_buf;
            if let (ConnectionEnd::Closed, Some(tunnel)) = (&end, state.take_tunnel()) {
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
                &drain,
                &state,
            )
            .await
        }
    };
    record_error(&active.get().context.errors, &end);
    // hyper has dropped its reference to the socket.
    if state.has_unread_body()
        && let Some(stream) = Rc::into_inner(stream)
    {
        linger(stream.into_inner()).await;
    }
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
        .timer(TokioTimer::new())
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
    accepted_at: Instant,
    stream: &impl Peek,
) -> Option<Protocol> {
    let limit = active.get().context.header_timeout;
    let protocol = timeout_at(accepted_at + limit, sniff(stream)).await;
    protocol.unwrap_or_else(|_| {
        active.get().context.errors.header_timeout.increment(1);
        None
    })
}

async fn sniff(stream: &impl Peek) -> Option<Protocol> {
    let mut first = [0; HTTP2_PREFACE.len()];
    loop {
        let count = stream.peek(&mut first).await.ok();
        let count = count.filter(|count| *count > 0)?;
        let prefix = first.get(..count)?;
        if !HTTP2_PREFACE.starts_with(prefix) {
            return Some(Protocol::Http1);
        }
        if count == HTTP2_PREFACE.len() {
            return Some(Protocol::Http2);
        }
        // Peeked bytes stay readable, so there is no readiness to wait for.
        sleep(SNIFF_INTERVAL).await;
    }
}

enum ConnectionEnd {
    Closed,
    Failed(hyper::Error),
    TimedOut(ConnPhase),
}

/// Drives a connection. Shuts it down gracefully once the drain reaches
/// `shutdown_phase`, and ends it at its deadline. The shutdown waits for a request
/// head that has begun to arrive: hyper would close the connection before it is
/// complete.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    (shutdown_phase, shut_down): (Phase, fn(Pin<&mut C>)),
    drain: &DrainWatch,
    state: &ConnState,
) -> ConnectionEnd
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut shutdown_sent = false;
    let mut timer = LazyTimer::default();
    poll_fn(|context| {
        let is_draining = drain.poll(context) >= shutdown_phase;
        loop {
            // HTTP/2 requests run in their own tasks, with their own drain watch.
            match drain.with_task_waking(|| connection.as_mut().poll(context)) {
                Poll::Ready(Ok(())) => return Poll::Ready(ConnectionEnd::Closed),
                Poll::Ready(Err(error)) => {
                    if timed_out(&error) {
                        state.set_stalled();
                    }
                    return Poll::Ready(ConnectionEnd::Failed(error));
                }
                Poll::Pending if is_draining && !shutdown_sent && !state.reads_head() => {
                    shutdown_sent = true;
                    shut_down(connection.as_mut());
                }
                Poll::Pending => {
                    return poll_timeout(state, &mut timer, context).map(ConnectionEnd::TimedOut);
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
    let mut buffer = vec![0; 64 * 1024];
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

/// True if the kernel's or the stream's write timeout ended the connection.
fn timed_out(error: &hyper::Error) -> bool {
    cause_ref::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn record_error(errors: &ConnectionErrors, end: &ConnectionEnd) {
    match end {
        ConnectionEnd::TimedOut(ConnPhase::Head) => errors.header_timeout.increment(1),
        ConnectionEnd::TimedOut(_) => errors.idle_timeout.increment(1),
        ConnectionEnd::Failed(error) if error.is_parse_too_large() => {
            errors.header_too_large.increment(1);
        }
        ConnectionEnd::Failed(error) if error.is_parse() => errors.malformed.increment(1),
        ConnectionEnd::Failed(error) if timed_out(error) => errors.write_timeout.increment(1),
        // Clients may close at any time, and aborted responses are metered as
        // requests.
        ConnectionEnd::Failed(_) | ConnectionEnd::Closed => {}
    }
}
