//! One worker's connections to one upstream. The most recently used connection is used
//! first, so that the others become idle long enough to be closed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Upstream;
use super::connect::{NewConnection, connect, connect_http1};
use super::connection::{Connection, Http2Connection, Http2Stream, ResponseStart, SendError};
use super::error::{Error, ErrorKind};
use super::http1::{Http1, Http1Error, Scratch};
use super::request::UpstreamRequest;
use super::resolve::Resolver;
use crate::config::Timeouts;
use crate::lazy_timer::timeout;
use crate::permits::Permit;

/// Pooled connections tried for one request, since they may turn out closed.
const MAX_POOLED_ATTEMPTS: usize = 3;
/// New connections for one request. The second is for an upstream that reports on the
/// first that it did not process the request.
const MAX_NEW_CONNECTIONS: usize = 2;

#[derive(Debug)]
pub(super) struct Pool {
    upstream: Option<Arc<Upstream>>,
    idle: RefCell<Vec<IdleConnection>>,
    multiplexed: RefCell<Vec<Rc<Http2Connection>>>,
    scratch: Scratch,
    /// Held while an HTTP/2 connection is made, which others can share.
    connecting: Mutex<()>,
    is_http2: Cell<bool>,
    /// A connection was used since the last sweep.
    was_used: Cell<bool>,
    /// The next generation has another pool: no connection is kept.
    closed: Cell<bool>,
}

/// An HTTP/1.1 connection between two requests.
#[derive(Debug)]
struct IdleConnection {
    connection: Box<Http1>,
    since: Instant,
    until: Instant,
}

/// A connection in use. Dropped before [`Lease::release`], it closes the connection
/// (HTTP/1.1) or its stream.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Rc<Pool>,
    connection: Connection,
    _permit: Option<Permit>,
}

// === impl Pool ===

impl Pool {
    pub(super) fn new(upstream: Option<Arc<Upstream>>, scratch: Scratch) -> Self {
        Self {
            upstream,
            scratch,
            idle: RefCell::default(),
            multiplexed: RefCell::default(),
            connecting: Mutex::default(),
            is_http2: Cell::new(false),
            was_used: Cell::new(false),
            closed: Cell::new(false),
        }
    }

    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        self.upstream.as_ref()
    }

    /// Sends a request over a pooled connection, or else over a new one.
    pub(super) async fn exchange(
        self: &Rc<Self>,
        upstream: &Arc<Upstream>,
        mut request: Box<UpstreamRequest>,
        timeouts: &Timeouts,
        permit: Option<Permit>,
        sent: &Cell<bool>,
    ) -> Result<(ResponseStart, Lease), Error> {
        let (mut reused, mut connected) = (0, 0);
        let mut now = Instant::now();
        loop {
            let pooled = if reused < MAX_POOLED_ATTEMPTS {
                self.checkout(now, &upstream.resolver)
            } else {
                None
            };
            let connection = if let Some(connection) = pooled {
                reused += 1;
                connection
            } else {
                connected += 1;
                // Boxed, since it is large and seldom needed: else the future of each
                // request would reserve memory for a TLS handshake.
                let connection = Box::pin(self.connect(upstream, timeouts)).await?;
                now = Instant::now();
                connection
            };
            sent.set(true);
            match connection.exchange(upstream, request, timeouts, now).await {
                Ok((response, connection)) => {
                    return Ok((response, self.lease(connection, permit)));
                }
                Err(SendError::Unsent(unsent, _)) if connected < MAX_NEW_CONNECTIONS => {
                    sent.set(false);
                    request = unsent;
                    now = Instant::now();
                }
                Err(SendError::Unsent(_, error)) => {
                    sent.set(false);
                    return Err(error);
                }
                Err(SendError::MaybeSent(error)) => return Err(error),
            }
        }
    }

    /// A new HTTP/1.1 connection for one request that may upgrade it.
    pub(super) async fn connect_dedicated(
        &self,
        upstream: &Upstream,
        timeouts: &Timeouts,
    ) -> Result<Box<Http1>, Error> {
        connect_http1(upstream, timeouts, &self.scratch).await
    }

    /// Leases a connection made by [`Self::connect_dedicated`] that was not upgraded.
    pub(super) fn lease_dedicated(
        self: &Rc<Self>,
        connection: Box<Http1>,
        permit: Option<Permit>,
    ) -> Lease {
        self.lease(Connection::Http1(connection), permit)
    }

    /// Drops connections that take no more requests, and looks the upstream's name up
    /// where that is due: pooled connections alone would never notice new addresses.
    pub(super) fn sweep(self: &Rc<Self>) {
        let Some(upstream) = &self.upstream else {
            return;
        };
        self.drop_ended(upstream);
        let was_used = self.was_used.take();
        let is_in_use =
            was_used || !self.idle.borrow().is_empty() || !self.multiplexed.borrow().is_empty();
        if is_in_use && upstream.resolver.is_watch_due() {
            let (pool, upstream) = (Rc::clone(self), Arc::clone(upstream));
            tokio::task::spawn_local(async move {
                upstream.resolver.watch().await;
                pool.drop_ended(&upstream);
            });
        }
    }

    /// Drops connections that were idle for too long, are too old, were closed by the
    /// upstream, or lead to an address that its name no longer has.
    fn drop_ended(&self, upstream: &Upstream) {
        let (now, resolver) = (Instant::now(), &upstream.resolver);
        self.idle
            .borrow_mut()
            .retain_mut(|it| it.is_ready(now, resolver));
        let idle_timeout = upstream.limits.idle_timeout;
        // Streams keep their connection open until they end.
        self.multiplexed
            .borrow_mut()
            .retain(|it| !it.is_expired(now, idle_timeout, resolver));
    }

    /// Closes idle connections now, and the others when they become idle.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.idle.borrow_mut().clear();
        // Streams keep their connection open until they end.
        self.multiplexed.borrow_mut().clear();
    }

    /// A new connection, or a stream on one that another request has just made.
    async fn connect(
        &self,
        upstream: &Arc<Upstream>,
        timeouts: &Timeouts,
    ) -> Result<Connection, Error> {
        let mut _guard = None;
        if self.is_http2.get() {
            // A burst of requests needs one connection, not one each.
            let locked = timeout(timeouts.connect, self.connecting.lock()).await;
            _guard = Some(locked.map_err(|_| {
                let detail = "timeout while another request was connecting";
                Error::new(ErrorKind::ConnectTimeout, detail)
            })?);
            if let Some(stream) = self.http2_stream(Instant::now(), &upstream.resolver) {
                return Ok(Connection::Http2(stream));
            }
        }
        Ok(match connect(upstream, timeouts, &self.scratch).await? {
            NewConnection::Http1(connection) => Connection::Http1(connection),
            NewConnection::Http2(connection) => {
                self.is_http2.set(true);
                self.add_http2(connection)
            }
        })
    }

    fn http2_stream(&self, now: Instant, resolver: &Resolver) -> Option<Http2Stream> {
        let multiplexed = self.multiplexed.borrow();
        multiplexed
            .iter()
            .find(|it| it.has_capacity(now, resolver))
            .map(Http2Stream::open)
    }

    fn checkout(&self, now: Instant, resolver: &Resolver) -> Option<Connection> {
        if let Some(stream) = self.http2_stream(now, resolver) {
            return Some(Connection::Http2(stream));
        }
        let mut idle = self.idle.borrow_mut();
        while let Some(mut newest) = idle.pop() {
            if newest.is_ready(now, resolver) {
                return Some(Connection::Http1(newest.connection));
            }
        }
        None
    }

    fn add_http2(&self, connection: Http2Connection) -> Connection {
        let connection = Rc::new(connection);
        let stream = Http2Stream::open(&connection);
        if !self.closed.get() {
            self.multiplexed.borrow_mut().push(connection);
        }
        Connection::Http2(stream)
    }

    fn lease(self: &Rc<Self>, connection: Connection, permit: Option<Permit>) -> Lease {
        self.was_used.set(true);
        Lease {
            pool: Rc::clone(self),
            connection,
            _permit: permit,
        }
    }

    fn put_idle(&self, connection: Box<Http1>, keep_alive_hint: Option<Duration>) {
        let Some(upstream) = &self.upstream else {
            return;
        };
        let idle_timeout = upstream.limits.idle_timeout;
        let keep_alive = keep_alive_hint.map_or(idle_timeout, |hint| hint.min(idle_timeout));
        if self.closed.get() || keep_alive.is_zero() || !connection.is_reusable() {
            return;
        }
        let since = Instant::now();
        let mut idle = self.idle.borrow_mut();
        let has_ended = connection.lifetime.has_ended(since, &upstream.resolver);
        if idle.len() < upstream.limits.max_idle && !has_ended {
            idle.push(IdleConnection {
                connection,
                since,
                until: since + keep_alive,
            });
        }
    }
}

impl IdleConnection {
    fn is_ready(&mut self, now: Instant, resolver: &Resolver) -> bool {
        let idle_for = now.duration_since(self.since);
        self.until > now
            && !self.connection.lifetime.has_ended(now, resolver)
            && self.connection.is_ready(idle_for)
    }
}

// === impl Lease ===

impl Lease {
    /// The next chunk of an HTTP/1.1 body, and whether it is the last.
    pub(super) fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<(Bytes, bool), Http1Error>>> {
        let Connection::Http1(connection) = &mut self.connection else {
            return Poll::Ready(None);
        };
        let chunk = std::task::ready!(connection.poll_body(context));
        Poll::Ready(chunk.map(|chunk| Ok((chunk?, connection.has_ended()))))
    }

    /// Whether the HTTP/1.1 body was read to its end.
    pub(super) fn has_ended(&self) -> bool {
        match &self.connection {
            Connection::Http1(connection) => connection.has_ended(),
            Connection::Http2(_) => true,
        }
    }

    /// Returns the connection to the pool: the response was read to its end.
    pub(super) fn release(self, keep_alive_hint: Option<Duration>) {
        if let Connection::Http1(connection) = self.connection {
            self.pool.put_idle(connection, keep_alive_hint);
        }
    }
}

#[cfg(test)]
mod tests;
