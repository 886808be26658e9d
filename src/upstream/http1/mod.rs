//! A connection to an upstream that speaks HTTP/1.1, and one request at a time
//! over it (RFC 9112).
//!
//! It has no task and no buffers of its own: whoever waits for an answer drives
//! it, so that a piece of an answer wakes one task, and what is read goes on at
//! once. One that rests or waits costs a socket and little more.

mod body;
mod head;
#[cfg(any(test, feature = "fuzzing"))]
pub mod oracle;
mod outbound;
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
use super::build::Open;
use super::error::{Error, ErrorKind};
use super::request::Order;
use crate::lazy_timer::Alarm;
use body::{Body, Malformed};
use outbound::Outbound;
pub(super) use scratch::Scratch;

/// What carries a connection's bytes: TCP, or TLS over it.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection below it all.
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// After so long a rest the system is asked whether the upstream has closed.
/// What has come since the last poll is not known to the runtime yet; with a
/// shorter rest that is unlikely, and on a busy path the question would cost a
/// system call for every request.
const ASK_AFTER: Duration = Duration::from_micros(500);

/// The connection; it closes when this is dropped.
pub(super) struct Http1 {
    socket: Box<dyn Socket>,
    scratch: Scratch,
    outbound: Outbound,
    /// What has arrived and was not looked at.
    unread: BytesMut,
    body: Body,
    /// Whether it can take another request once this one's answer has ended.
    persists: bool,
    /// For the head of an answer. It stays from request to request, so that few
    /// of them touch the runtime's timers.
    alarm: Alarm,
    /// Whether its request asks for a WebSocket.
    asks_for_websocket: bool,
    open: Open,
}

/// The head of an answer.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// How long the connection may rest afterwards, where the upstream says so.
    pub(super) rests_for: Option<Duration>,
}

/// Why an answer does not come, or does not go on.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection ended.
    Closed,
    /// It failed.
    Failed(io::Error),
    /// What came is not HTTP.
    Malformed(&'static str),
    /// The rest of the request did not come.
    Interrupted,
    /// No head came in time.
    Late,
}

impl Http1 {
    pub(super) fn new(socket: Box<dyn Socket>, scratch: Scratch, open: Open) -> Self {
        Self {
            socket,
            scratch,
            outbound: Outbound::default(),
            unread: BytesMut::new(),
            body: Body::Ended,
            persists: true,
            alarm: Alarm::default(),
            asks_for_websocket: false,
            open,
        }
    }

    /// Sends a request and waits for the head of its answer until it is `due`;
    /// it may come before all of the request has left. Dropping the future leaves
    /// the connection in the middle of it: it can only be dropped as well.
    pub(super) fn exchange(
        &mut self,
        upstream: &Upstream,
        order: &Order,
        due: Instant,
    ) -> impl Future<Output = Result<Answered, Broken>> + use<'_> {
        let head = encoded(upstream, order, upstream.fields(order));
        self.outbound = Outbound::new(head, &order.body);
        self.answer(due)
    }

    /// Has what is outbound leave, and waits for the head of its answer.
    async fn answer(&mut self, due: Instant) -> Result<Answered, Broken> {
        self.persists = false;
        let mut looked_at = 0;
        poll_fn(|context| match self.poll_head(context, &mut looked_at) {
            Poll::Pending => {
                // While a body passes, its answer is not due.
                let late = self.alarm.poll(due + self.outbound.delay(), context);
                late.map(|_| Err(Broken::Late))
            }
            answered @ Poll::Ready(_) => answered,
        })
        .await
    }

    /// As [`Self::exchange`], for a request that asks for a WebSocket; with the
    /// status 101, one has begun.
    pub(super) async fn exchange_for_websocket(
        &mut self,
        upstream: &Upstream,
        order: &Order,
        due: Instant,
    ) -> Result<Answered, Broken> {
        self.asks_for_websocket = true;
        let (connection, upgrade) = (
            HeaderValue::from_static("Upgrade"),
            HeaderValue::from_static("websocket"),
        );
        // They speak of this connection, so that no caller's own ones pass.
        let asking = [(&CONNECTION, &connection), (&UPGRADE, &upgrade)];
        let fields = upstream.fields(order).chain(asking);
        let head = encoded(upstream, order, fields);
        self.outbound = Outbound::new(head, &order.body);
        self.answer(due).await
    }

    /// The connection itself, what has come behind the last head, and what
    /// counts it as open.
    pub(super) fn into_parts(self) -> (Box<dyn Socket>, BytesMut, Open) {
        (self.socket, self.unread, self.open)
    }

    /// Whether any byte of the last request has left.
    pub(super) fn has_begun(&self) -> bool {
        self.outbound.has_begun()
    }

    /// The next piece of the answer's body; none at its end.
    pub(super) fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        self.write(context);
        if self.outbound.is_broken() {
            return Poll::Ready(Some(Err(Broken::Interrupted)));
        }
        loop {
            match self.body.take(&mut self.unread) {
                Ok(piece) if !piece.is_empty() => return Poll::Ready(Some(Ok(piece))),
                Ok(_) if self.body.has_ended() => return Poll::Ready(None),
                Ok(_) => {}
                Err(Malformed(why)) => return Poll::Ready(Some(Err(Broken::Malformed(why)))),
            }
            match ready!(self.poll_read(context)) {
                Ok(()) => {}
                Err(Broken::Closed) if self.body.ends_here() => return Poll::Ready(None),
                Err(broken) => return Poll::Ready(Some(Err(broken))),
            }
        }
    }

    /// Whether all of the body has been handed out.
    pub(super) fn has_ended(&self) -> bool {
        self.body.has_ended()
    }

    /// Whether it can take another request. Not after an answer that came before
    /// its request had left, nor with bytes that nobody asked for.
    pub(super) fn may_rest(&self) -> bool {
        let rests = self.persists && self.body.has_ended() && self.unread.is_empty();
        rests && (self.outbound.is_done() || !self.outbound.has_begun())
    }

    /// Whether another request can be sent now: nothing has come since, and the
    /// upstream has not closed.
    pub(super) fn is_ready(&mut self, rested: Duration) -> bool {
        let context = &mut Context::from_waker(Waker::noop());
        self.may_rest()
            && self.poll_read(context).is_pending()
            && (rested < ASK_AFTER || !has_closed(self.socket.tcp()))
    }

    fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        looked_at: &mut usize,
    ) -> Poll<Result<Answered, Broken>> {
        if let Some(error) = self.write(context) {
            if self.outbound.is_broken() {
                return Poll::Ready(Err(Broken::Interrupted));
            }
            if !self.has_begun() {
                return Poll::Ready(Err(Broken::Failed(error)));
            }
        }
        loop {
            match head::take(&mut self.unread, looked_at) {
                // An interim answer: the one that counts is still to come (RFC
                // 9110, section 15.2).
                Ok(Some(head)) if head.status.is_informational() => {
                    if head.status == StatusCode::SWITCHING_PROTOCOLS {
                        if self.asks_for_websocket && head.opens_websocket {
                            return Poll::Ready(Ok(Answered {
                                status: head.status,
                                headers: head.headers,
                                rests_for: None,
                            }));
                        }
                        let why = "it changes to a protocol that nobody asked for";
                        return Poll::Ready(Err(Broken::Malformed(why)));
                    }
                }
                Ok(Some(head)) => {
                    self.body = head.body;
                    self.persists = head.persists;
                    if !self.body.is_in(&self.unread) {
                        // Open answers are many.
                        self.alarm.drop_timer();
                    }
                    return Poll::Ready(Ok(Answered {
                        status: head.status,
                        headers: head.headers,
                        rests_for: head.rests_for,
                    }));
                }
                Ok(None) => ready!(self.poll_read(context))?,
                Err(Malformed(why)) => return Poll::Ready(Err(Broken::Malformed(why))),
            }
        }
    }

    /// Writes what can be written. A failure is told, but need not be the end:
    /// an upstream that wants no more of a request may have answered it.
    fn write(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        if self.outbound.is_done() {
            return None;
        }
        match self.outbound.poll(context, Pin::new(&mut *self.socket)) {
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let socket = Pin::new(&mut *self.socket);
        let read = ready!(self.scratch.poll_read(context, socket, &mut self.unread));
        Poll::Ready(match read {
            Ok(0) => Err(Broken::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(Broken::Failed(error)),
        })
    }
}

fn encoded<'f>(
    upstream: &Upstream,
    order: &Order,
    fields: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
) -> Bytes {
    let (target, host) = (upstream.path(order), &upstream.host_header);
    head::encode(&order.method, target, host, order.body.extent(), fields)
}

/// Asks the system, past what the runtime knows. Bytes that wait are no end:
/// TLS has messages of its own.
fn has_closed(tcp: &TcpStream) -> bool {
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

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed => Self::after_sending(ErrorKind::Disconnected, "the connection ended"),
            Broken::Failed(error) => {
                Self::after_sending(ErrorKind::Disconnected, error.to_string())
            }
            Broken::Malformed(why) => Self::after_sending(ErrorKind::Protocol, why),
            Broken::Interrupted => Self::after_sending(
                ErrorKind::Interrupted,
                "the rest of the request did not come",
            ),
            Broken::Late => Self::no_head(),
        }
    }
}
