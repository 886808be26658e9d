//! One connection from a caller, from its first byte to its last.

use std::cell::RefCell;
use std::error::Error;
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

use super::active_snapshot::{Current, Generation};
use super::socket::{Caller, Peek, impatient};
use super::tls::{self, Refused};
use crate::access::Certificate;
use crate::drain::{Ear, Phase};
use crate::lazy_timer::Alarm;
use crate::proxy::tunnel::{Stream, Tunnel};
use crate::routes::context::Errors;
use crate::server::connection::request::Answering;
use crate::server::connection::stall_guard::Pacer;
use crate::server::connection::state::{Stage, Vigil, Watched};

pub mod catch_panic;
pub mod request;
pub mod stall_guard;
pub mod state;

/// First bytes of HTTP/2 without TLS (RFC 9113, section 3.4) that no HTTP/1
/// request begins with.
const HTTP2_PREFACE: &[u8] = b"PRI ";
/// Streams that one HTTP/2 connection may have open.
const STREAMS_PER_CONNECTION: u32 = 128;
/// Answer bytes held for a slow reader of one HTTP/2 stream.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes that one HTTP/1 connection reads ahead, or holds for a slow reader.
const BUFFER: usize = 128 * 1024;
/// Silence on an HTTP/2 connection before the caller is asked whether it
/// lives, and how long it has to say so.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// How long, and how much, is read of a body that nobody wants, so that the
/// answer is not lost: a socket closed with unread bytes resets its peer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Pause before looking again whether the second byte has come.
const SNIFF_AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection until one side ends it.
pub async fn serve(current: Rc<Current>, caller: Caller) {
    let began = Instant::now();
    let tcp = match caller {
        Caller::Tcp(tcp) => tcp,
        // Boxed, and so is TLS: others would keep room for them.
        Caller::Unix(unix) => return Box::pin(serve_unix(current, began, unix)).await,
    };
    let tls = current.get().site.tls.clone();
    if let Some(tls) = tls {
        Box::pin(serve_tls(current, began, tls, tcp)).await;
    } else if let Some(protocol) = begin(&current, began, &tcp).await {
        converse(current, began, protocol, None, tcp).await;
    }
}

/// Serves a program of this machine.
async fn serve_unix(current: Rc<Current>, began: Instant, unix: UnixStream) {
    if let Some(protocol) = begin(&current, began, &unix).await {
        let stream = impatient(unix, current.get().site.write_timeout);
        converse(current, began, protocol, None, stream).await;
    }
}

/// Shakes hands first, within the time for a head.
async fn serve_tls(current: Rc<Current>, began: Instant, tls: Arc<ServerConfig>, tcp: TcpStream) {
    let limit = current.get().site.head_timeout;
    let shaken = timeout_at(began + limit, tls::shake(tls, tcp)).await;
    let refused = match shaken {
        Ok(Ok(stream)) => {
            let protocol = if tls::is_multiplexed(&stream) {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let certificate = tls::certificate(&stream);
            return converse(current, began, protocol, certificate, stream).await;
        }
        // Whoever only looks whether the port is open is no fault.
        Ok(Err(Refused::Silent)) => return,
        Ok(Err(Refused::Unfit(tcp))) => Some(tcp),
        Err(_) => None,
    };
    current.get().site.errors.tls_handshake.increment(1);
    // What the caller was told, by an alert or in words, is to arrive.
    if let Some(mut tcp) = refused
        && tcp.shutdown().await.is_ok()
    {
        linger(tcp).await;
    }
}

/// Serves requests on a stream whose protocol is known.
async fn converse<S>(
    current: Rc<Current>,
    began: Instant,
    protocol: Protocol,
    certificate: Option<Arc<Certificate>>,
    stream: S,
) where
    S: Stream + 'static,
{
    let (vigil, ear, max_head) = {
        let Generation { worker, site } = &*current.get();
        let vigil = Vigil::new(began, site.head_timeout, site.idle_timeout);
        (vigil, worker.curfew.listen(), site.max_head)
    };
    let stream = Rc::new(RefCell::new(stream));
    let io = TokioIo::new(Watched {
        stream: Rc::clone(&stream),
        vigil: Rc::clone(&vigil),
    });
    let service = {
        let (current, vigil) = (Rc::clone(&current), Rc::clone(&vigil));
        service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(Arc::clone(certificate));
            }
            Answering::begin(&current, &vigil, request)
        })
    };
    let ended = match protocol {
        Protocol::Http1 => {
            let mut connection = http1::Builder::new()
                .max_header_size(max_head)
                .max_buf_size(BUFFER.max(max_head))
                .serve_connection(io, service);
            let ended = watch(
                Pin::new(&mut connection),
                (Phase::Parting, http1::Connection::graceful_shutdown),
                &ear,
                &vigil,
            )
            .await;
            // hyper's own way wants a connection that can go to another thread.
            let early = connection.into_parts().read_buf;
            if let (Ended::Closed, Some(tunnel)) = (&ended, vigil.take_tunnel()) {
                // Boxed: every connection would keep room for it.
                return Box::pin(become_tunnel(*tunnel, stream, early)).await;
            }
            ended
        }
        Protocol::Http2 => {
            vigil.is_multiplexed();
            let connection = multiplexing(Pacer::new(&vigil, &current.get().site), max_head)
                .serve_connection(io, service);
            watch(
                pin!(connection),
                (Phase::Leaving, http2::Connection::graceful_shutdown),
                &ear,
                &vigil,
            )
            .await
        }
    };
    count(&current.get().site.errors, &ended);
    // hyper has let go of the socket, so this is its only owner.
    if vigil.has_unread()
        && let Some(stream) = Rc::into_inner(stream)
    {
        linger(stream.into_inner()).await;
    }
}

/// Goes on as what no HTTP is spoken over any more.
async fn become_tunnel<S: Stream>(tunnel: Tunnel, stream: Rc<RefCell<S>>, early: Bytes) {
    // hyper has let go of the socket, so this is its only owner.
    if let Some(stream) = Rc::into_inner(stream) {
        tunnel.run(&mut stream.into_inner(), early).await;
    }
}

fn multiplexing(pacer: Pacer, max_head: usize) -> http2::Builder<Pacer> {
    let mut builder = http2::Builder::new(pacer);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN);
    builder
}

/// Waits for the first bytes, and says which protocol they speak; none when
/// there is nothing to serve.
async fn begin(current: &Current, began: Instant, stream: &impl Peek) -> Option<Protocol> {
    let limit = current.get().site.head_timeout;
    let first = timeout_at(began + limit, sniff(stream)).await;
    first.unwrap_or_else(|_| {
        current.get().site.errors.head_timeout.increment(1);
        None
    })
}

/// Which protocol a connection's first bytes speak; none when it ends before.
async fn sniff(stream: &impl Peek) -> Option<Protocol> {
    let mut first = [0; HTTP2_PREFACE.len()];
    loop {
        let count = stream.peek(&mut first).await.ok();
        let count = count.filter(|count| *count > 0)?;
        let begun = first.get(..count)?;
        if !HTTP2_PREFACE.starts_with(begun) {
            return Some(Protocol::Http1);
        }
        if count == HTTP2_PREFACE.len() {
            return Some(Protocol::Http2);
        }
        // Peeked bytes stay readable, so there is nothing to wait for.
        sleep(SNIFF_AGAIN).await;
    }
}

/// How a connection ended.
enum Ended {
    Closed,
    Failed(hyper::Error),
    Late(Stage),
}

/// Drives a connection, has it finish from a phase on, and ends it when it
/// takes too long. A request whose first bytes have come is waited for: hyper
/// would close the connection under it.
async fn watch<C>(
    mut connection: Pin<&mut C>,
    (from, finish): (Phase, fn(Pin<&mut C>)),
    ear: &Ear,
    vigil: &Vigil,
) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut told = false;
    let mut alarm = Alarm::default();
    poll_fn(|context| {
        let over = ear.poll(context) >= from;
        loop {
            // Requests over HTTP/2 run in tasks of their own and listen
            // themselves.
            match ear.hears_for(|| connection.as_mut().poll(context)) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ended::Closed),
                Poll::Ready(Err(error)) => {
                    if timed_out(&error) {
                        vigil.stall();
                    }
                    return Poll::Ready(Ended::Failed(error));
                }
                Poll::Pending if over && !told && !vigil.is_at_head() => {
                    told = true;
                    finish(connection.as_mut());
                }
                Poll::Pending => return poll_late(vigil, &mut alarm, context).map(Ended::Late),
            }
        }
    })
    .await
}

/// A request that comes and goes in time sets no timer.
fn poll_late(vigil: &Vigil, alarm: &mut Alarm, context: &mut Context<'_>) -> Poll<Stage> {
    match vigil.due() {
        Some((due, stage)) => alarm.poll(due, context).map(|_| stage),
        None => Poll::Pending,
    }
}

/// Reads on for a while after the answer to a request whose body was not
/// wanted.
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
    // Either way the connection is over.
    let _ = timeout(LINGER, discard).await;
}

/// Whether the system took the caller for gone.
fn timed_out(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::TimedOut;
        }
        cause = error.source();
    }
    false
}

fn count(errors: &Errors, ended: &Ended) {
    match ended {
        Ended::Late(Stage::Head) => errors.head_timeout.increment(1),
        Ended::Late(_) => errors.idle_timeout.increment(1),
        Ended::Failed(error) if error.is_parse_too_large() => errors.head_too_large.increment(1),
        Ended::Failed(error) if error.is_parse() => errors.malformed.increment(1),
        Ended::Failed(error) if timed_out(error) => errors.write_timeout.increment(1),
        // Callers who leave are no fault, and answers that were broken off are
        // accounted as requests.
        Ended::Failed(_) | Ended::Closed => {}
    }
}
