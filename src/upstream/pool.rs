//! One worker's connections to one upstream: the most lately used one goes out
//! first, so that the rest can grow old and close.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::Upstream;
use super::connect::{Made, connect, connect_http1};
use super::connection::{Answer, Connection, Failed, Http2, Stream};
use super::error::{Error, ErrorKind};
use super::http1::{Broken, Http1, Scratch};
use super::request::Order;
use super::resolve::Resolver;
use crate::config::Timeouts;
use crate::permits::Place;

/// Resting connections that may turn out dead before a new one is made.
const MOST_STALE: usize = 3;
/// New connections for one request: a second one when the upstream says on the
/// first that it has not worked on it.
const MOST_NEW: usize = 2;

/// Connections to one upstream.
#[derive(Debug)]
pub(super) struct Pool {
    upstream: Option<Arc<Upstream>>,
    resting: RefCell<Vec<Resting>>,
    multiplexed: RefCell<Vec<Rc<Http2>>>,
    resolver: Resolver,
    scratch: Scratch,
    /// Held while a connection is made that others can share.
    connecting: Mutex<()>,
    speaks_http2: Cell<bool>,
    /// Requests that begin now go elsewhere, so nothing is kept at rest.
    retired: Cell<bool>,
}

/// An HTTP/1.1 connection between two requests.
#[derive(Debug)]
struct Resting {
    connection: Box<Http1>,
    since: Instant,
    until: Instant,
}

/// A connection in use, with the way back to its pool. Dropped before
/// [`Lease::give_back`] it closes the connection (HTTP/1.1) or its stream.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Rc<Pool>,
    connection: Connection,
    _place: Option<Place>,
}

// ===== Pool =====

impl Pool {
    pub(super) fn new(upstream: Option<Arc<Upstream>>, scratch: Scratch) -> Self {
        Self {
            upstream,
            scratch,
            resting: RefCell::default(),
            multiplexed: RefCell::default(),
            resolver: Resolver::default(),
            connecting: Mutex::default(),
            speaks_http2: Cell::new(false),
            retired: Cell::new(false),
        }
    }

    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        self.upstream.as_ref()
    }

    /// Sends a request over a connection that rests, or else over a new one.
    pub(super) async fn exchange(
        self: &Rc<Self>,
        upstream: &Arc<Upstream>,
        mut order: Box<Order>,
        timeouts: &Timeouts,
        place: Option<Place>,
    ) -> Result<(Answer, Lease), Error> {
        let (mut rested, mut made) = (0, 0);
        let mut now = Instant::now();
        loop {
            let resting = if rested < MOST_STALE {
                self.checkout(now)
            } else {
                None
            };
            let connection = if let Some(connection) = resting {
                rested += 1;
                connection
            } else {
                made += 1;
                // Boxed, since it is large and seldom: every request's state
                // would have to keep room for a TLS handshake.
                let connected = Box::pin(self.connect(upstream, timeouts)).await?;
                now = Instant::now();
                connected
            };
            match connection.exchange(upstream, order, timeouts, now).await {
                Ok((answer, connection)) => {
                    return Ok((answer, self.lease(connection, place)));
                }
                Err(Failed::Unsent(again, _)) if made < MOST_NEW => {
                    order = again;
                    now = Instant::now();
                }
                Err(Failed::Unsent(_, error) | Failed::Spent(error)) => return Err(error),
            }
        }
    }

    /// A new connection for one request that may turn it into something else.
    pub(super) async fn connect_apart(
        &self,
        upstream: &Upstream,
        timeouts: &Timeouts,
    ) -> Result<Box<Http1>, Error> {
        connect_http1(upstream, timeouts, &self.resolver, &self.scratch).await
    }

    /// A connection made by [`Self::connect_apart`] whose answer is an answer
    /// like any other.
    pub(super) fn lease_apart(
        self: &Rc<Self>,
        connection: Box<Http1>,
        place: Option<Place>,
    ) -> Lease {
        self.lease(Connection::Http1(connection), place)
    }

    /// Closes what has rested too long or has been closed by the upstream.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.resting.borrow_mut().retain_mut(|it| it.is_ready(now));
        let longest = self.longest_rest();
        self.multiplexed
            .borrow_mut()
            .retain(|it| !it.is_spent(now, longest));
    }

    /// Closes what is at rest, and the others after their answers.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.resting.borrow_mut().clear();
        // Streams keep their connection until they end.
        self.multiplexed.borrow_mut().clear();
    }

    /// A new connection, or a place on one that somebody else has just made.
    async fn connect(
        &self,
        upstream: &Arc<Upstream>,
        timeouts: &Timeouts,
    ) -> Result<Connection, Error> {
        let mut _turn = None;
        if self.speaks_http2.get() {
            // A burst of requests needs one connection, not one for each.
            let turn = timeout(timeouts.connect, self.connecting.lock()).await;
            _turn = Some(turn.map_err(|_| {
                Error::new(ErrorKind::ConnectTimeout, "no turn to connect in time")
            })?);
            if let Some(stream) = self.shared() {
                return Ok(Connection::Http2(stream));
            }
        }
        let made = connect(upstream, timeouts, &self.resolver, &self.scratch);
        Ok(match made.await? {
            Made::Http1(connection) => Connection::Http1(connection),
            Made::Http2(connection) => {
                self.speaks_http2.set(true);
                self.share(connection)
            }
        })
    }

    fn shared(&self) -> Option<Stream> {
        let multiplexed = self.multiplexed.borrow();
        multiplexed.iter().find(|it| it.has_room()).map(Stream::on)
    }

    fn checkout(&self, now: Instant) -> Option<Connection> {
        if let Some(stream) = self.shared() {
            return Some(Connection::Http2(stream));
        }
        let mut resting = self.resting.borrow_mut();
        while let Some(mut newest) = resting.pop() {
            if newest.is_ready(now) {
                return Some(Connection::Http1(newest.connection));
            }
        }
        None
    }

    fn share(&self, connection: Http2) -> Connection {
        let shared = Rc::new(connection);
        let stream = Stream::on(&shared);
        if !self.retired.get() {
            self.multiplexed.borrow_mut().push(shared);
        }
        Connection::Http2(stream)
    }

    fn lease(self: &Rc<Self>, connection: Connection, place: Option<Place>) -> Lease {
        Lease {
            pool: Rc::clone(self),
            connection,
            _place: place,
        }
    }

    fn rest(&self, connection: Box<Http1>, rests_for: Option<Duration>) {
        let most = self
            .upstream
            .as_ref()
            .map_or(0, |upstream| upstream.limits.max_idle);
        let longest = self.longest_rest();
        let rests_for = rests_for.map_or(longest, |told| told.min(longest));
        if self.retired.get() || rests_for.is_zero() || !connection.may_rest() {
            return;
        }
        let mut resting = self.resting.borrow_mut();
        if resting.len() < most {
            let since = Instant::now();
            resting.push(Resting {
                connection,
                since,
                until: since + rests_for,
            });
        }
    }

    fn longest_rest(&self) -> Duration {
        self.upstream
            .as_ref()
            .map_or(Duration::ZERO, |upstream| upstream.limits.idle_timeout)
    }
}

impl Resting {
    fn is_ready(&mut self, now: Instant) -> bool {
        let rested = now.duration_since(self.since);
        self.until > now && self.connection.is_ready(rested)
    }
}

// ===== Lease =====

impl Lease {
    /// The next piece of an answer that comes out of the connection itself,
    /// and whether it is the last.
    pub(super) fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<(Bytes, bool), Broken>>> {
        let Connection::Http1(connection) = &mut self.connection else {
            return Poll::Ready(None);
        };
        let piece = std::task::ready!(connection.poll_body(context));
        Poll::Ready(piece.map(|piece| Ok((piece?, connection.has_ended()))))
    }

    /// Whether there is nothing to come out of the connection itself.
    pub(super) fn has_ended(&self) -> bool {
        match &self.connection {
            Connection::Http1(connection) => connection.has_ended(),
            Connection::Http2(_) => true,
        }
    }

    /// Puts the connection back to rest: its answer has been read to the end.
    pub(super) fn give_back(self, rests_for: Option<Duration>) {
        if let Connection::Http1(connection) = self.connection {
            self.pool.rest(connection, rests_for);
        }
    }
}
