//! Watches over one connection: what it is doing, and how long it may.

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
use crate::proxy::{Aborted, Answer};

/// What one connection is doing.
#[derive(Debug)]
pub struct Vigil {
    stage: Cell<Stage>,
    /// When the stage began, once somebody has asked: most end before.
    since: Cell<Option<Instant>>,
    turns: Cell<usize>,
    multiplexed: Cell<bool>,
    unread: Cell<bool>,
    /// Answers that are given up now are so because their caller takes nothing.
    stalled: Cell<bool>,
    /// What an answer's body said when it was last asked: true when it had
    /// something to send.
    sends: Cell<Option<bool>>,
    head_timeout: Cell<Duration>,
    idle_timeout: Cell<Duration>,
    /// What the connection is to become behind the answer that says so.
    tunnel: RefCell<Option<Box<Tunnel>>>,
}

/// A stage in a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The head of a request is on its way.
    Head,
    /// Between two requests.
    Idle,
    /// A request is being served; other limits hold for that.
    Busy,
}

/// A request being served.
#[derive(Debug)]
pub struct Turn(Rc<Vigil>);

/// A request's body; it is noted when it was not read to its end.
#[derive(Debug)]
pub struct Inbound {
    body: Incoming,
    /// Of a body in chunks, hyper does not say that it is at its end.
    ended: bool,
    vigil: Rc<Vigil>,
}

/// An answer's body, which ends its request's turn when it is gone.
pub struct Outbound {
    pub body: Answer,
    /// None where the request has been answered before.
    pub turn: Option<Turn>,
}

/// The socket, or TLS on it, seen by hyper and by us.
#[derive(Debug)]
pub struct Watched<S> {
    pub stream: Rc<RefCell<S>>,
    pub vigil: Rc<Vigil>,
}

impl Vigil {
    /// A connection that was made at `since`: its first head is due.
    pub fn new(since: Instant, head_timeout: Duration, idle_timeout: Duration) -> Rc<Self> {
        Rc::new(Self {
            stage: Cell::new(Stage::Head),
            since: Cell::new(Some(since)),
            turns: Cell::new(0),
            multiplexed: Cell::new(false),
            unread: Cell::new(false),
            stalled: Cell::new(false),
            sends: Cell::new(None),
            head_timeout: Cell::new(head_timeout),
            idle_timeout: Cell::new(idle_timeout),
            tunnel: RefCell::default(),
        })
    }

    /// Changes the limits, from the next wait on.
    pub fn go_by(&self, head_timeout: Duration, idle_timeout: Duration) {
        self.head_timeout.set(head_timeout);
        self.idle_timeout.set(idle_timeout);
    }

    /// HTTP/2 has frames of its own between requests, so bytes do not mean
    /// that a head has begun.
    pub fn is_multiplexed(&self) {
        self.multiplexed.set(true);
        self.enter(Stage::Idle);
    }

    /// True on HTTP/2.
    pub fn multiplexes(&self) -> bool {
        self.multiplexed.get()
    }

    /// True while the first bytes of a request are awaited, or its others.
    pub fn is_at_head(&self) -> bool {
        self.stage.get() == Stage::Head
    }

    pub fn begin(self: &Rc<Self>) -> Turn {
        self.turns.set(self.turns.get() + 1);
        self.stage.set(Stage::Busy);
        Turn(Rc::clone(self))
    }

    /// When the stage must have ended, and which one it is. To be asked when
    /// the connection has to wait, which is when the stage's time runs.
    pub fn due(&self) -> Option<(Instant, Stage)> {
        let stage = self.stage.get();
        let limit = match stage {
            Stage::Head => self.head_timeout.get(),
            Stage::Idle => self.idle_timeout.get(),
            Stage::Busy => return None,
        };
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        Some((since + limit, stage))
    }

    /// True when a body was left unread, so that its sender may still be
    /// sending.
    pub fn has_unread(&self) -> bool {
        self.unread.get()
    }

    /// What an answer's body has said since this was last asked: true when it
    /// gave something to be sent, false when it waits for something to send.
    pub fn sends(&self) -> Option<bool> {
        self.sends.take()
    }

    /// The caller takes nothing any more, so the connection ends.
    pub fn stall(&self) {
        self.stalled.set(true);
    }

    /// Gives up one of the connection's streams whose caller takes nothing.
    pub fn give_up<T>(&self, stream: T) {
        let before = self.stalled.replace(true);
        drop(stream);
        self.stalled.set(before);
    }

    /// What the connection is to become, if it is.
    pub fn take_tunnel(&self) -> Option<Box<Tunnel>> {
        self.tunnel.borrow_mut().take()
    }

    fn heard(&self) {
        if self.stage.get() == Stage::Idle && !self.multiplexed.get() {
            self.enter(Stage::Head);
        }
    }

    fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.since.set(None);
    }
}

impl Turn {
    /// Whether a body was left unread, so that the connection cannot go on.
    pub fn leaves_unread(&self) -> bool {
        self.0.has_unread()
    }

    /// Notes what the connection is to become behind the answer.
    pub fn becomes(&self, tunnel: Option<Box<Tunnel>>) {
        *self.0.tunnel.borrow_mut() = tunnel;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let left = self.0.turns.get().saturating_sub(1);
        self.0.turns.set(left);
        if left == 0 {
            self.0.enter(Stage::Idle);
        }
    }
}

// ===== Inbound, Outbound =====

impl Inbound {
    pub fn new(body: Incoming, vigil: &Rc<Vigil>) -> Self {
        Self {
            ended: body.is_end_stream(),
            body,
            vigil: Rc::clone(vigil),
        }
    }
}

impl Body for Inbound {
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

impl Drop for Inbound {
    fn drop(&mut self) {
        if !self.ended {
            self.vigil.unread.set(true);
        }
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let polled = catch_panic::piece(&mut self.body, context);
        if let Some(turn) = &self.turn {
            turn.0.sends.set(Some(polled.is_ready()));
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

impl Drop for Outbound {
    fn drop(&mut self) {
        if self.turn.as_ref().is_some_and(|turn| turn.0.stalled.get()) {
            self.body.stalled();
        }
    }
}

// ===== Watched =====

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.vigil.heard();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes)
    }

    // hyper copies every piece into one buffer unless this pair is forwarded.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(context, pieces)
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
