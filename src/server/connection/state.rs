//! The state of one connection: its phase, deadline and requests in flight.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::catch_panic;
use crate::proxy::tunnel::Tunnel;
use crate::proxy::{Aborted, ResponseBody};

#[derive(Debug)]
pub struct ConnState {
    phase: Cell<ConnPhase>,
    /// Set lazily by [`Self::deadline`]: most phases end before it is called.
    entered_at: Cell<Option<Instant>>,
    active: Cell<usize>,
    http2: Cell<bool>,
    unread_body: Cell<bool>,
    /// Set while response bodies are dropped because the client does not read.
    stalled: Cell<bool>,
    /// Result of the last poll of a response body: true if it was ready.
    last_poll: Cell<Option<bool>>,
    header_timeout: Cell<Duration>,
    idle_timeout: Cell<Duration>,
    /// The connection becomes this tunnel after the response head.
    tunnel: RefCell<Option<Box<Tunnel>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnPhase {
    /// Waiting for a complete request head.
    Head,
    /// Between two requests.
    Idle,
    /// Serving requests, which have timeouts of their own.
    Busy,
}

/// Guard of a request in flight.
#[derive(Debug)]
pub struct ActiveRequest(Rc<ConnState>);

/// A request body that records a drop before its end.
#[derive(Debug)]
pub struct ServerRequestBody {
    body: Incoming,
    /// hyper does not report the end of a chunked body.
    ended: bool,
    state: Rc<ConnState>,
}

/// A response body that ends its request when dropped.
pub struct TrackedBody {
    pub body: ResponseBody,
    pub request: Option<ActiveRequest>,
}

/// The client's stream, shared with hyper; records reads.
#[derive(Debug)]
pub struct TrackedIo<S> {
    pub stream: Rc<RefCell<S>>,
    pub state: Rc<ConnState>,
}

// === impl ConnState ===

impl ConnState {
    /// The connection waits for its first request head.
    pub fn new(accepted_at: Instant, header_timeout: Duration, idle_timeout: Duration) -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(ConnPhase::Head),
            entered_at: Cell::new(Some(accepted_at)),
            active: Cell::new(0),
            http2: Cell::new(false),
            unread_body: Cell::new(false),
            stalled: Cell::new(false),
            last_poll: Cell::new(None),
            header_timeout: Cell::new(header_timeout),
            idle_timeout: Cell::new(idle_timeout),
            tunnel: RefCell::default(),
        })
    }

    /// Takes effect from the next phase on.
    pub fn set_limits(&self, header_timeout: Duration, idle_timeout: Duration) {
        self.header_timeout.set(header_timeout);
        self.idle_timeout.set(idle_timeout);
    }

    /// HTTP/2 has control frames between requests, so bytes do not mean that a
    /// head has begun.
    pub fn set_http2(&self) {
        self.http2.set(true);
        self.enter(ConnPhase::Idle);
    }

    pub fn is_http2(&self) -> bool {
        self.http2.get()
    }

    /// True while a request head is awaited or incomplete.
    pub fn reads_head(&self) -> bool {
        self.phase.get() == ConnPhase::Head
    }

    pub fn start_request(self: &Rc<Self>) -> ActiveRequest {
        self.active.set(self.active.get() + 1);
        self.phase.set(ConnPhase::Busy);
        ActiveRequest(Rc::clone(self))
    }

    /// When the current phase times out, and which one it is. Call this when the
    /// connection has to wait: the first call starts the phase's time.
    pub fn deadline(&self) -> Option<(Instant, ConnPhase)> {
        let phase = self.phase.get();
        let timeout = match phase {
            ConnPhase::Head => self.header_timeout.get(),
            ConnPhase::Idle => self.idle_timeout.get(),
            ConnPhase::Busy => return None,
        };
        let entered_at = self.entered_at.get().unwrap_or_else(Instant::now);
        self.entered_at.set(Some(entered_at));
        Some((entered_at + timeout, phase))
    }

    /// True if a request body was dropped before its end: the client may still be
    /// sending.
    pub fn has_unread_body(&self) -> bool {
        self.unread_body.get()
    }

    /// Result of the last poll of a response body since the last call: true if it
    /// returned a frame, false if it was pending.
    pub fn take_last_poll(&self) -> Option<bool> {
        self.last_poll.take()
    }

    /// The client has stopped reading, so the connection ends.
    pub fn set_stalled(&self) {
        self.stalled.set(true);
    }

    /// Drops one stream that the client does not read.
    pub fn reset_stalled<T>(&self, stream: T) {
        let before = self.stalled.replace(true);
        drop(stream);
        self.stalled.set(before);
    }

    pub fn take_tunnel(&self) -> Option<Box<Tunnel>> {
        self.tunnel.borrow_mut().take()
    }

    fn on_read(&self) {
        if self.phase.get() == ConnPhase::Idle && !self.http2.get() {
            self.enter(ConnPhase::Head);
        }
    }

    fn enter(&self, phase: ConnPhase) {
        self.phase.set(phase);
        self.entered_at.set(None);
    }
}

// === impl ActiveRequest ===

impl ActiveRequest {
    /// See [`ConnState::has_unread_body`]; the connection cannot be reused.
    pub fn has_unread_body(&self) -> bool {
        self.0.has_unread_body()
    }

    pub fn upgrade_to(&self, tunnel: Option<Box<Tunnel>>) {
        *self.0.tunnel.borrow_mut() = tunnel;
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let active = self.0.active.get().saturating_sub(1);
        self.0.active.set(active);
        if active == 0 {
            self.0.enter(ConnPhase::Idle);
        }
    }
}

// === impl ServerRequestBody ===

impl ServerRequestBody {
    pub fn new(body: Incoming, state: &Rc<ConnState>) -> Self {
        Self {
            ended: body.is_end_stream(),
            body,
            state: Rc::clone(state),
        }
    }
}

impl Body for ServerRequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(polled, Poll::Ready(None)) || self.body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ServerRequestBody {
    fn drop(&mut self) {
        if !self.ended {
            self.state.unread_body.set(true);
        }
    }
}

// === impl TrackedBody ===

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let polled = catch_panic::poll_frame(&mut self.body, context);
        if let Some(request) = &self.request {
            request.0.last_poll.set(Some(polled.is_ready()));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(request) = &self.request
            && request.0.stalled.get()
        {
            self.body.on_client_stalled();
        }
    }
}

// === impl TrackedIo ===

impl<S: AsyncRead + Unpin> AsyncRead for TrackedIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.state.on_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes)
    }

    // hyper copies every frame into one buffer unless this pair is forwarded.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(context)
    }
}
