//! An HTTP/1.1 connection to an upstream, with one request at a time (RFC 9112).
//!
//! It has no task and no buffers of its own: the future that waits for the response
//! drives it, so each chunk wakes one task and is relayed at once. An idle or waiting
//! connection costs little more than a socket.

mod body;
mod head;
#[cfg(any(test, feature = "fuzzing"))]
pub mod oracle;
mod request_writer;
mod scratch;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::Upstream;
use super::error::{Error, ErrorKind};
use super::lifetime::Lifetime;
use super::metrics::OpenConnectionGuard;
use super::request::UpstreamRequest;
use crate::lazy_timer::LazyTimer;
use body::{Body, Malformed};
use request_writer::RequestWriter;
pub(super) use scratch::Scratch;

/// TCP, or TLS over TCP.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// After this idle time, a system call checks whether the upstream has closed: the
/// runtime does not know yet what arrived since its last poll. In a shorter time that is
/// unlikely, and under load the check would cost a system call for each request.
const PEEK_AFTER: Duration = Duration::from_micros(500);

/// Closed on drop.
pub(super) struct Http1 {
    transport: Box<dyn Transport>,
    pub(super) lifetime: Lifetime,
    scratch: Scratch,
    writer: RequestWriter,
    /// Received and not parsed yet.
    unread: BytesMut,
    body: Body,
    /// Whether another request can follow this one.
    keep_alive: bool,
    /// Timeout of the response head. Kept from request to request, so that few requests
    /// touch the runtime's timer wheel.
    header_timer: LazyTimer,
    websocket_requested: bool,
    guard: OpenConnectionGuard,
}

pub(super) struct ResponseHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// How long the upstream keeps the idle connection, if it sent that.
    pub(super) keep_alive_hint: Option<Duration>,
}

/// Why a response did not arrive, or not to its end.
#[derive(Debug)]
pub(super) enum Http1Error {
    /// End of file.
    Closed,
    Io(io::Error),
    Malformed(&'static str),
    /// The client did not send all of the request body.
    RequestAborted,
    /// No response head in time.
    Timeout,
}

impl Http1 {
    pub(super) fn new(
        transport: Box<dyn Transport>,
        lifetime: Lifetime,
        scratch: Scratch,
        guard: OpenConnectionGuard,
    ) -> Self {
        Self {
            transport,
            lifetime,
            scratch,
            writer: RequestWriter::default(),
            unread: BytesMut::new(),
            body: Body::Ended,
            keep_alive: true,
            header_timer: LazyTimer::default(),
            websocket_requested: false,
            guard,
        }
    }

    /// Sends a request and waits until `deadline` for the response head, which may arrive
    /// before all of the request was sent. After the future is dropped, the connection
    /// can only be dropped too.
    pub(super) fn exchange(
        &mut self,
        upstream: &Upstream,
        request: &UpstreamRequest,
        deadline: Instant,
    ) -> impl Future<Output = Result<ResponseHead, Http1Error>> + use<'_> {
        let head = encode_head(upstream, request, upstream.fields(request));
        self.writer = RequestWriter::new(head, &request.body);
        self.response_head(deadline)
    }

    /// Writes the request and waits for the response head.
    async fn response_head(&mut self, deadline: Instant) -> Result<ResponseHead, Http1Error> {
        self.keep_alive = false;
        let mut searched = 0;
        poll_fn(|context| match self.poll_head(context, &mut searched) {
            Poll::Pending => {
                // The timeout does not run while a body is streamed.
                let deadline = deadline + self.writer.body_delay();
                let expired = self.header_timer.poll(deadline, context);
                expired.map(|_| Err(Http1Error::Timeout))
            }
            ready @ Poll::Ready(_) => ready,
        })
        .await
    }

    /// Like [`Self::exchange`], with the fields that request a WebSocket. Status 101
    /// means that it is open.
    pub(super) async fn exchange_for_websocket(
        &mut self,
        upstream: &Upstream,
        request: &UpstreamRequest,
        deadline: Instant,
    ) -> Result<ResponseHead, Http1Error> {
        self.websocket_requested = true;
        let (connection, upgrade) = (
            HeaderValue::from_static("Upgrade"),
            HeaderValue::from_static("websocket"),
        );
        // Hop-by-hop: the client's own are not forwarded.
        let added = [(&CONNECTION, &connection), (&UPGRADE, &upgrade)];
        let fields = upstream.fields(request).chain(added);
        let head = encode_head(upstream, request, fields);
        self.writer = RequestWriter::new(head, &request.body);
        self.response_head(deadline).await
    }

    /// The transport, and the bytes received after the last head.
    pub(super) fn into_parts(self) -> (Box<dyn Transport>, BytesMut, OpenConnectionGuard) {
        (self.transport, self.unread, self.guard)
    }

    /// Whether any byte of the last request was written.
    pub(super) fn has_started(&self) -> bool {
        self.writer.has_started()
    }

    /// The next chunk of the response body; None at its end.
    pub(super) fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Http1Error>>> {
        self.write(context);
        if self.writer.is_aborted() {
            return Poll::Ready(Some(Err(Http1Error::RequestAborted)));
        }
        loop {
            match self.body.take_content(&mut self.unread) {
                Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                Ok(_) if self.body.has_ended() => return Poll::Ready(None),
                Ok(_) => {}
                Err(Malformed(reason)) => {
                    return Poll::Ready(Some(Err(Http1Error::Malformed(reason))));
                }
            }
            match ready!(self.poll_read(context)) {
                Ok(()) => {}
                Err(Http1Error::Closed) if self.body.end_at_eof() => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Whether the body was read to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.body.has_ended()
    }

    /// Whether another request can follow. Not after a response that arrived before all
    /// of its request was sent, nor with bytes that belong to no request.
    pub(super) fn is_reusable(&self) -> bool {
        let is_idle = self.keep_alive && self.body.has_ended() && self.unread.is_empty();
        is_idle && (self.writer.is_finished() || !self.writer.has_started())
    }

    /// Whether another request can be sent now: nothing was received since, and the
    /// upstream has not closed.
    pub(super) fn is_ready(&mut self, idle_for: Duration) -> bool {
        let context = &mut Context::from_waker(Waker::noop());
        self.is_reusable()
            && self.poll_read(context).is_pending()
            && (idle_for < PEEK_AFTER || !is_closed(self.transport.tcp()))
    }

    fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        searched: &mut usize,
    ) -> Poll<Result<ResponseHead, Http1Error>> {
        if let Some(error) = self.write(context) {
            if self.writer.is_aborted() {
                return Poll::Ready(Err(Http1Error::RequestAborted));
            }
            if !self.has_started() {
                return Poll::Ready(Err(Http1Error::Io(error)));
            }
        }
        loop {
            match head::take_head(&mut self.unread, searched) {
                // An interim response (RFC 9110, section 15.2).
                Ok(Some(head)) if head.status.is_informational() => {
                    if head.status == StatusCode::SWITCHING_PROTOCOLS {
                        if self.websocket_requested && head.opens_websocket {
                            return Poll::Ready(Ok(ResponseHead {
                                status: head.status,
                                headers: head.headers,
                                keep_alive_hint: None,
                            }));
                        }
                        let reason = "unrequested protocol upgrade";
                        return Poll::Ready(Err(Http1Error::Malformed(reason)));
                    }
                }
                Ok(Some(head)) => {
                    self.body = head.body;
                    self.keep_alive = head.keep_alive;
                    if !self.body.is_buffered_in(&self.unread) {
                        // Thousands of responses may be open; no timer in each.
                        self.header_timer.clear();
                    }
                    return Poll::Ready(Ok(ResponseHead {
                        status: head.status,
                        headers: head.headers,
                        keep_alive_hint: head.keep_alive_hint,
                    }));
                }
                Ok(None) => ready!(self.poll_read(context))?,
                Err(Malformed(reason)) => {
                    return Poll::Ready(Err(Http1Error::Malformed(reason)));
                }
            }
        }
    }

    /// Writes what can be written. After an error there may still be a response: of an
    /// upstream that responds before it has read the request.
    fn write(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        if self.writer.is_finished() {
            return None;
        }
        match self.writer.poll(context, Pin::new(&mut *self.transport)) {
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Http1Error>> {
        let transport = Pin::new(&mut *self.transport);
        let read = ready!(self.scratch.poll_read(context, transport, &mut self.unread));
        Poll::Ready(match read {
            Ok(0) => Err(Http1Error::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(Http1Error::Io(error)),
        })
    }
}

fn encode_head<'f>(
    upstream: &Upstream,
    request: &UpstreamRequest,
    fields: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
) -> Bytes {
    let (target, host) = (upstream.path_and_query(request), &upstream.host_header);
    head::encode(
        &request.method,
        target,
        host,
        request.body.framing(),
        fields,
    )
}

/// Makes a system call, since the runtime may not know yet. Unread bytes do not mean
/// closed: TLS has messages of its own.
fn is_closed(tcp: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    match SockRef::from(tcp).peek(&mut byte) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Http1({:?})", self.body)
    }
}

impl From<Http1Error> for Error {
    fn from(error: Http1Error) -> Self {
        match error {
            Http1Error::Closed => Self::after_sending(ErrorKind::Disconnected, "connection closed"),
            Http1Error::Io(error) => {
                Self::after_sending(ErrorKind::Disconnected, error.to_string())
            }
            Http1Error::Malformed(reason) => Self::after_sending(ErrorKind::Protocol, reason),
            Http1Error::RequestAborted => {
                Self::after_sending(ErrorKind::RequestAborted, "request body aborted")
            }
            Http1Error::Timeout => Self::header_timeout(),
        }
    }
}
