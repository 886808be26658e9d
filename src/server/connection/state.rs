//! The state of one connection: its phase, deadline and requests in flight.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::chunks::BodyBoundary;
use crate::drain::{DrainWatch, Phase};
use crate::proxy::tunnel::Tunnel;
use crate::server::connection_table::{IdleRank, IdleSince};

/// Time that a draining connection leaves for the head of its first request, and for the
/// client's end of an orderly close.
const DRAIN_GRACE: Duration = Duration::from_secs(1);
/// Time for the next request on a draining connection after a response that may not have
/// said that it was the last: as long as idle connections get at a hand-over.
const NEXT_REQUEST_GRACE: Duration = Duration::from_millis(500);
/// Time for the client's end of an orderly close, while a new connection waits.
const EVICTION_GRACE: Duration = Duration::from_millis(200);
/// Time for a request head or TLS handshake before the connection may be evicted.
const HEAD_GRACE: Duration = Duration::from_secs(1);
/// Time for the first bytes of a new connection before it may be evicted. In a burst of
/// connections, those of an honest client are on their way, or wait to be read.
const FIRST_BYTE_GRACE: Duration = Duration::from_millis(200);
/// Bytes of the HTTP/2 preface and of the head of the SETTINGS frame behind it (RFC 9113,
/// sections 3.4 and 4.1).
const HTTP2_OPENING: usize = 24 + 9;
/// Of a response body before the connection writes: what is read of an upstream at a time
/// comes in frames of up to 48 KiB.
const MAX_UNWRITTEN: usize = 32 * 1024;

#[derive(Debug)]
pub struct ConnState {
    pub drain: DrainWatch,
    phase: Cell<ConnPhase>,
    /// Set lazily by [`Self::deadline`]: most phases end before it is called.
    entered_at: Cell<Option<Instant>>,
    active: Cell<usize>,
    http2: Cell<bool>,
    /// Of the opening of an HTTP/2 connection.
    bytes_read: Cell<usize>,
    /// Bytes of a TLS handshake or of a request head have arrived.
    head_begun: Cell<bool>,
    /// The client has not yet taken all of a response.
    write_blocked: Cell<bool>,
    /// Bytes of responses that hyper was given since it last wrote.
    unwritten: Cell<usize>,
    /// Why the connection ends as soon as it has no request, and since when.
    ending: Cell<Option<(Ending, Instant)>>,
    unread_body: Cell<bool>,
    /// Set while response bodies are dropped because the client does not read.
    stalled: Cell<bool>,
    /// Result of the last poll of a response body: true if it was ready.
    last_poll: Cell<Option<bool>>,
    last_read: Cell<LastRead>,
    /// Of an HTTP/1 request.
    body_boundary: Cell<BodyBoundary>,
    /// hyper has begun to end the connection.
    shut_down: Cell<bool>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Draining,
    /// To make room for a new connection.
    Evicted,
}

/// How hyper last read the client's stream in its last poll.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum LastRead {
    #[default]
    None,
    Done,
    /// It wakes the task once more has arrived, or the client has closed.
    Waiting,
}

/// Guard of a request in flight.
#[derive(Debug)]
pub struct ActiveRequest(Rc<ConnState>);

// === impl ConnState ===

impl ConnState {
    /// The connection waits for its first request head.
    pub fn new(drain: DrainWatch, header_timeout: Duration, idle_timeout: Duration) -> Rc<Self> {
        Rc::new(Self {
            drain,
            phase: Cell::new(ConnPhase::Head),
            entered_at: Cell::new(Some(Instant::now())),
            active: Cell::new(0),
            http2: Cell::new(false),
            bytes_read: Cell::default(),
            head_begun: Cell::new(false),
            write_blocked: Cell::new(false),
            unwritten: Cell::default(),
            ending: Cell::new(None),
            unread_body: Cell::new(false),
            stalled: Cell::new(false),
            last_poll: Cell::new(None),
            last_read: Cell::default(),
            body_boundary: Cell::default(),
            shut_down: Cell::default(),
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

    /// The head that is awaited first is the client's preface.
    pub fn set_http2(&self) {
        self.http2.set(true);
    }

    pub fn is_http2(&self) -> bool {
        self.http2.get()
    }

    pub fn is_busy(&self) -> bool {
        self.phase.get() == ConnPhase::Busy
    }

    /// hyper is about to be polled.
    pub fn begin_poll(&self) {
        self.last_read.set(LastRead::None);
    }

    pub fn last_read(&self) -> LastRead {
        self.last_read.get()
    }

    pub fn set_last_read(&self, read: LastRead) {
        self.last_read.set(read);
    }

    pub fn take_body_boundary(&self) -> BodyBoundary {
        self.body_boundary.take()
    }

    pub fn set_body_boundary(&self, start: BodyBoundary) {
        self.body_boundary.set(start);
    }

    /// A request begins.
    pub fn start_body(&self, is_chunked: impl FnOnce() -> bool) {
        if self.body_boundary.take() == BodyBoundary::Here && is_chunked() {
            self.body_boundary.set(BodyBoundary::Chunked);
        }
    }

    /// Whether to shut down the ending connection now; true only once. hyper would close an
    /// HTTP/1 connection before a head that has begun to arrive is complete, and behind a
    /// response whose head announced no close: its client may be sending the next request.
    pub fn begin_shutdown(&self) -> bool {
        let admits = match self.ending.get() {
            None => false,
            Some(_) if self.http2.get() => true,
            Some((Ending::Evicted, _)) => self.phase.get() == ConnPhase::Idle,
            Some((Ending::Draining, _)) => {
                let since = self.entered_at.get();
                self.phase.get() == ConnPhase::Idle
                    && since.is_some_and(|since| since.elapsed() >= NEXT_REQUEST_GRACE)
            }
        };
        admits && !self.shut_down.replace(true)
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
        let deadline = entered_at + timeout;
        // A response is not truncated: its own timeouts apply.
        let ending = self.ending.get().filter(|_| !self.write_blocked.get());
        let end = match (ending, phase) {
            (None, _) => return Some((deadline, phase)),
            (Some((Ending::Evicted, since)), ConnPhase::Head) => since,
            (Some((Ending::Evicted, since)), _) => since + EVICTION_GRACE,
            (Some((Ending::Draining, _)), ConnPhase::Head) => entered_at + DRAIN_GRACE,
            (Some((Ending::Draining, _)), ConnPhase::Idle)
                if !self.http2.get() && !self.shut_down.get() =>
            {
                entered_at + NEXT_REQUEST_GRACE
            }
            (Some((Ending::Draining, since)), _) => entered_at.max(since) + DRAIN_GRACE,
        };
        Some((deadline.min(end), phase))
    }

    /// Ends the connection once the drain has reached `phase`. Wakes the task when that, or an
    /// eviction, happens.
    pub fn poll_ending(&self, phase: Phase, context: &mut Context<'_>) {
        if self.drain.poll(context) >= phase && self.ending.get().is_none() {
            self.ending.set(Some((Ending::Draining, Instant::now())));
        }
    }

    pub fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// The first bytes of a TLS handshake or of a request have arrived.
    pub fn set_head_begun(&self) {
        self.head_begun.set(true);
    }

    /// Since when the connection has been idle; none while it serves a request, or ends.
    pub fn idle_since(&self, now: Instant) -> Option<IdleSince> {
        if self.is_ending() || self.write_blocked.get() || self.tunnel.borrow().is_some() {
            return None;
        }
        let since = self.entered_at.get().unwrap_or(now);
        let (rank, grace) = match self.phase.get() {
            ConnPhase::Busy => return None,
            ConnPhase::Head if self.head_begun.get() => (IdleRank::InHead, HEAD_GRACE),
            ConnPhase::Head => (IdleRank::Idle, FIRST_BYTE_GRACE),
            ConnPhase::Idle => (IdleRank::Idle, Duration::ZERO),
        };
        (now >= since + grace).then_some(IdleSince { rank, since })
    }

    /// Ends the connection unless a request arrives first, which is then its last.
    pub fn evict(&self, now: Instant) {
        self.ending.set(Some((Ending::Evicted, now)));
        self.drain.wake_task();
    }

    /// True if a request body was dropped before its end: the client may still be
    /// sending.
    pub fn has_unread_body(&self) -> bool {
        self.unread_body.get()
    }

    pub fn set_unread_body(&self) {
        self.unread_body.set(true);
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

    /// HTTP/2 has control frames between requests, so bytes do not mean that a head has
    /// begun.
    pub fn on_read(&self, count: usize) {
        match self.phase.get() {
            ConnPhase::Idle if !self.http2.get() => self.enter(ConnPhase::Head),
            ConnPhase::Head if self.http2.get() => {
                self.bytes_read.set(self.bytes_read.get() + count);
                if self.bytes_read.get() >= HTTP2_OPENING {
                    self.enter(ConnPhase::Idle);
                }
            }
            _ => {}
        }
        self.head_begun.set(true);
    }

    pub fn on_write<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.write_blocked.set(polled.is_pending());
        if polled.is_ready() {
            self.unwritten.set(0);
        }
        polled
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

    /// Notes a poll of the response body: true if it was ready.
    pub fn on_body_poll(&self, is_ready: bool) {
        self.0.last_poll.set(Some(is_ready));
    }

    /// Pending while hyper should write what it has, over HTTP/1: it would take 128 KiB
    /// that wait for a client that reads slowly. It polls again once it has written.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        let state = &self.0;
        if state.http2.get() {
            // Each stream has a window of its own.
            return Poll::Ready(());
        }
        if state.write_blocked.get() {
            return Poll::Pending;
        }
        if state.unwritten.get() >= MAX_UNWRITTEN {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// hyper has been given a frame of the response body.
    pub fn on_frame(&self, bytes: usize) {
        self.0.unwritten.set(self.0.unwritten.get() + bytes);
    }

    /// Whether the response is dropped because the client does not read it.
    pub fn is_stalled(&self) -> bool {
        self.0.stalled.get()
    }

    /// The connection takes no request after this one.
    pub fn is_last(&self) -> bool {
        self.0.is_ending()
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
