//! A connection to an upstream, and one request over it.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::Upstream;
use super::build::Open;
use super::error::{Error, ErrorKind};
use crate::body::Outgoing;
use crate::routing::Outcome;

/// Streams put on one HTTP/2 connection before another is opened: the least
/// limit that servers are advised to set (RFC 9113, section 6.5.2).
const STREAMS_PER_CONNECTION: usize = 100;

/// An HTTP/1.1 connection; it closes when this is dropped.
///
/// It has no task of its own: whoever waits for its answer drives it, so that
/// a piece of an answer wakes one task and not two, and one that rests costs
/// nothing.
pub(super) struct Http1 {
    sender: http1::SendRequest<Outgoing>,
    /// None once the connection has ended.
    driver: Option<Driver>,
    _open: Open,
}

/// What moves a connection's bytes.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>>>>;

/// An HTTP/2 connection, shared by the streams on it.
#[derive(Debug)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Outgoing>,
    _task: Task,
    /// Streams that the upstream takes at once.
    room: Rc<Cell<usize>>,
    streams: Cell<usize>,
    used: Cell<Instant>,
    retired: Cell<bool>,
}

/// The task that drives an HTTP/2 connection, ended when the last stream and
/// the pool have let go.
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

type SendResult = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>;

/// An exchange that brought no answer.
pub(super) enum Failed {
    /// Nothing of the request was sent; here it is again.
    Unsent(Box<Request<Outgoing>>, Error),
    /// It cannot be had back.
    Spent(Error),
}

// ===== Connection =====

impl Connection {
    /// Sends a request and waits for the head of its answer. Dropping the
    /// future closes the connection or its stream.
    pub(super) async fn exchange(
        mut self,
        upstream: &Upstream,
        mut request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Self), Failed> {
        upstream.address(&mut request, matches!(self, Self::Http2(_)));
        let limit = upstream.head_timeout();
        let mut kept = None;
        let answer = match &mut self {
            Self::Http1(connection) => timeout(limit, connection.send(request)).await,
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
                if let Self::Http2(stream) = &self {
                    // Those who are on it may stay; a next one fares no better.
                    stream.0.retired.set(true);
                }
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

impl Http1 {
    pub(super) fn new(
        sender: http1::SendRequest<Outgoing>,
        driver: impl Future<Output = hyper::Result<()>> + 'static,
        open: Open,
    ) -> Self {
        Self {
            sender,
            driver: Some(Box::pin(driver)),
            _open: open,
        }
    }

    async fn send(&mut self, request: Request<Outgoing>) -> SendResult {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            self.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// Moves what can be moved now. How a connection ends is told to the
    /// request that is on it.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(context).is_ready()
        {
            self.driver = None;
        }
    }

    /// Whether another request can be sent now. False after a request whose
    /// answer came before it was written whole, which would never end (hyper
    /// issue 4176), and once the upstream has closed.
    pub(super) fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Http1")
    }
}

impl Http2 {
    pub(super) fn new(
        sender: http2::SendRequest<Outgoing>,
        task: Task,
        room: Rc<Cell<usize>>,
    ) -> Self {
        Self {
            sender,
            _task: task,
            room,
            streams: Cell::new(0),
            used: Cell::new(Instant::now()),
            retired: Cell::new(false),
        }
    }

    /// True when no stream has been on it for so long, or none can be again.
    pub(super) fn is_spent(&self, now: Instant, longest_rest: Duration) -> bool {
        let rests = self.streams.get() == 0;
        let old = now.duration_since(self.used.get()) > longest_rest;
        self.sender.is_closed() || rests && (old || self.retired.get())
    }

    pub(super) fn has_room(&self) -> bool {
        !self.retired.get()
            && self.streams.get() < self.room.get().min(STREAMS_PER_CONNECTION)
            && !self.sender.is_closed()
    }
}

impl Stream {
    pub(super) fn on(connection: &Rc<Http2>) -> Self {
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
