//! One worker's connections to one upstream: the most lately used one goes out
//! first, so that the rest can grow old and close.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::Upstream;
use super::connect;
use super::error::{Error, ErrorKind};
use super::resolve::Resolver;
use crate::body::Outgoing;
use crate::routing::Outcome;

/// Resting connections that may turn out dead before a new one is made.
const MOST_STALE: usize = 3;
/// Streams put on one HTTP/2 connection before another is opened: the least
/// limit that servers are advised to set (RFC 9113, section 6.5.2).
const STREAMS_PER_CONNECTION: usize = 100;

/// Connections to one upstream.
#[derive(Debug)]
pub(super) struct Pool {
    upstream: Option<Arc<Upstream>>,
    resting: RefCell<Vec<Resting>>,
    multiplexed: RefCell<Vec<Rc<Http2>>>,
    resolver: Resolver,
    /// Held while a connection is made that others can share.
    connecting: Mutex<()>,
    speaks_http2: Cell<bool>,
}

/// An HTTP/1.1 connection between two requests.
#[derive(Debug)]
struct Resting {
    connection: Http1,
    until: Instant,
}

/// An HTTP/1.1 connection; it closes when this is dropped.
#[derive(Debug)]
pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<Outgoing>,
    pub(super) _task: Task,
}

/// An HTTP/2 connection, shared by the streams on it.
#[derive(Debug)]
pub(super) struct Http2 {
    pub(super) sender: http2::SendRequest<Outgoing>,
    pub(super) _task: Task,
    pub(super) streams: Cell<usize>,
    pub(super) used: Cell<Instant>,
}

/// The task that drives a connection, ended when its owner lets go. Without
/// this a connection whose answer came before its request was written whole
/// would stay open for ever (hyper issue 4176).
#[derive(Debug)]
pub(super) struct Task(pub(super) AbortHandle);

/// A connection in use by one request.
#[derive(Debug)]
pub(super) enum Connection {
    Http1(Http1),
    Http2(Stream),
}

/// One of the streams on an HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Stream(Rc<Http2>);

/// A connection in use, with the way back to its pool. Dropped before
/// [`Lease::give_back`] it closes the connection (HTTP/1.1) or its stream.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Rc<Pool>,
    connection: Connection,
    _place: Option<OwnedSemaphorePermit>,
}

/// An exchange that brought no answer.
enum Failed {
    /// Nothing of the request was sent; here it is again.
    Unsent(Box<Request<Outgoing>>, Error),
    /// It cannot be had back.
    Spent(Error),
}

// ===== Pool =====

impl Pool {
    pub(super) fn new(upstream: Option<Arc<Upstream>>) -> Self {
        Self {
            upstream,
            resting: RefCell::default(),
            multiplexed: RefCell::default(),
            resolver: Resolver::default(),
            connecting: Mutex::default(),
            speaks_http2: Cell::new(false),
        }
    }

    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        self.upstream.as_ref()
    }

    /// Sends a request over a connection that rests, or else over a new one.
    pub(super) async fn exchange(
        self: &Rc<Self>,
        upstream: &Arc<Upstream>,
        mut request: Request<Outgoing>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(Response<Incoming>, Lease), Error> {
        for _ in 0..MOST_STALE {
            let Some(connection) = self.checkout() else {
                break;
            };
            match connection.exchange(upstream, request).await {
                Ok((response, connection)) => {
                    return Ok((response, self.lease(connection, place)));
                }
                Err(Failed::Unsent(again, _)) => request = *again,
                Err(Failed::Spent(error)) => return Err(error),
            }
        }
        let connection = self.connect(upstream).await?;
        match connection.exchange(upstream, request).await {
            Ok((response, connection)) => Ok((response, self.lease(connection, place))),
            Err(Failed::Unsent(_, error) | Failed::Spent(error)) => Err(error),
        }
    }

    /// Closes what has rested too long, has been closed by the upstream, or
    /// never became ready again.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.resting
            .borrow_mut()
            .retain(|it| it.connection.sender.is_ready() && it.until > now);
        let longest = self.longest_rest();
        self.multiplexed.borrow_mut().retain(|it| {
            let rests = it.streams.get() == 0 && now.duration_since(it.used.get()) > longest;
            !it.sender.is_closed() && !rests
        });
    }

    /// A new connection, or a place on one that somebody else has just made.
    async fn connect(&self, upstream: &Arc<Upstream>) -> Result<Connection, Error> {
        let mut _turn = None;
        if self.speaks_http2.get() {
            // A burst of requests needs one connection, not one for each.
            let turn = timeout(upstream.timeouts.connect, self.connecting.lock()).await;
            _turn = Some(turn.map_err(|_| {
                Error::new(ErrorKind::ConnectTimeout, "no turn to connect in time")
            })?);
            if let Some(stream) = self.shared() {
                return Ok(Connection::Http2(stream));
            }
        }
        Ok(match connect::connect(upstream, &self.resolver).await? {
            connect::Made::Http1(connection) => Connection::Http1(connection),
            connect::Made::Http2(connection) => {
                self.speaks_http2.set(true);
                self.share(connection)
            }
        })
    }

    fn shared(&self) -> Option<Stream> {
        let multiplexed = self.multiplexed.borrow();
        multiplexed.iter().find(|it| it.has_room()).map(Stream::on)
    }

    fn checkout(&self) -> Option<Connection> {
        if let Some(stream) = self.shared() {
            return Some(Connection::Http2(stream));
        }
        let mut resting = self.resting.borrow_mut();
        loop {
            let newest = resting
                .iter()
                .rposition(|it| it.connection.sender.is_ready())?;
            let found = resting.remove(newest);
            if found.until > Instant::now() {
                return Some(Connection::Http1(found.connection));
            }
        }
    }

    fn share(&self, connection: Http2) -> Connection {
        let shared = Rc::new(connection);
        let stream = Stream::on(&shared);
        self.multiplexed.borrow_mut().push(shared);
        Connection::Http2(stream)
    }

    fn lease(
        self: &Rc<Self>,
        connection: Connection,
        place: Option<OwnedSemaphorePermit>,
    ) -> Lease {
        Lease {
            pool: Rc::clone(self),
            connection,
            _place: place,
        }
    }

    fn rest(&self, connection: Http1, rests_for: Option<Duration>) {
        let most = self
            .upstream
            .as_ref()
            .map_or(0, |upstream| upstream.limits.max_idle);
        let longest = self.longest_rest();
        let rests_for = rests_for.map_or(longest, |told| told.min(longest));
        if rests_for.is_zero() || connection.sender.is_closed() {
            return;
        }
        let mut resting = self.resting.borrow_mut();
        if resting.len() < most {
            resting.push(Resting {
                connection,
                until: Instant::now() + rests_for,
            });
        }
    }

    fn longest_rest(&self) -> Duration {
        self.upstream
            .as_ref()
            .map_or(Duration::ZERO, |upstream| upstream.limits.idle_timeout)
    }
}

// ===== Connection =====

impl Connection {
    /// Sends a request and waits for the head of its answer. Dropping the
    /// future closes the connection or its stream.
    async fn exchange(
        mut self,
        upstream: &Upstream,
        mut request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Self), Failed> {
        upstream.address(&mut request, matches!(self, Self::Http2(_)));
        let limit = upstream.head_timeout();
        let mut kept = None;
        let answer = match &mut self {
            Self::Http1(connection) => {
                timeout(limit, connection.sender.try_send_request(request)).await
            }
            Self::Http2(stream) => {
                // HTTP/2 does not hand a refused request back.
                kept = Some(request.clone());
                let mut sender = stream.0.sender.clone();
                timeout(limit, sender.try_send_request(request)).await
            }
        };
        match answer {
            Ok(Ok(response)) => Ok((response, self)),
            Ok(Err(mut failed)) => {
                let unsent = failed.take_message();
                Err(Failed::new(
                    Error::from_exchange(failed.error()),
                    unsent,
                    kept,
                ))
            }
            Err(_) => Err(Failed::Spent(Error::after_sending(
                ErrorKind::HeadTimeout,
                "no head in time",
            ))),
        }
    }
}

impl Failed {
    /// `unsent` is what hyper gives back, `kept` a copy that may be used when
    /// the peer says that it did not work on the request.
    fn new(
        error: Error,
        unsent: Option<Request<Outgoing>>,
        kept: Option<Request<Outgoing>>,
    ) -> Self {
        let again = unsent.or(kept.filter(|_| error.outcome() == Outcome::NotProcessed));
        match again {
            Some(request) => Self::Unsent(Box::new(request), error),
            None => Self::Spent(error),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http2 {
    fn has_room(&self) -> bool {
        self.streams.get() < STREAMS_PER_CONNECTION && !self.sender.is_closed()
    }
}

impl Stream {
    fn on(connection: &Rc<Http2>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.used.set(Instant::now());
    }
}

// ===== Lease =====

impl Lease {
    /// Puts the connection back to rest: its answer has been read to the end.
    pub(super) fn give_back(self, rests_for: Option<Duration>) {
        if let Connection::Http1(connection) = self.connection {
            self.pool.rest(connection, rests_for);
        }
    }
}
