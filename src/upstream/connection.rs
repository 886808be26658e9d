//! A connection to an upstream, and one request over it.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::http1::{Answered, Broken, Http1};
use super::request::Order;
use super::{Upstream, header};
use crate::config::Timeouts;
use crate::request_body::{Outgoing, Passing};
use crate::routing::Outcome;

/// Streams put on one HTTP/2 connection before another is opened: the least
/// limit that servers are advised to set (RFC 9113, section 6.5.2).
const STREAMS_PER_CONNECTION: usize = 100;

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
    Http1(Box<Http1>),
    Http2(Stream),
}

/// The beginning of an answer.
pub(super) struct Answer {
    pub(super) head: Answered,
    /// Its body, where that does not come out of the connection itself.
    pub(super) stream: Option<Incoming>,
    /// When the request began to be sent.
    pub(super) sent: Instant,
}

/// One of the streams on an HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Stream(Rc<Http2>);

/// An exchange that brought no answer.
pub(super) enum Failed {
    /// Nothing of the request was sent; here it is again.
    Unsent(Box<Order>, Error),
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
        order: Box<Order>,
        timeouts: &Timeouts,
        now: Instant,
    ) -> Result<(Answer, Self), Failed> {
        let limit = timeouts.first_event.unwrap_or(timeouts.head);
        let limit = limit.min(timeouts.head);
        let due = now + limit;
        let passing = order.body.as_passing().cloned();
        let (head, stream) = match &mut self {
            Self::Http1(connection) => (connection.send(upstream, order, due).await?, None),
            // Boxed, so that requests over HTTP/1.1 need no room for it.
            Self::Http2(stream) => {
                let sending = Box::pin(stream.send(upstream, order));
                let answer = match &passing {
                    None => timeout_at(due, sending).await.ok(),
                    Some(passing) => answer_to(passing, limit, sending).await,
                };
                let (head, body) = answer.ok_or_else(|| Failed::Spent(Error::no_head()))??;
                (head, Some(body))
            }
        };
        let answer = Answer {
            head,
            stream,
            // What is still on its way has not been sent yet.
            sent: passing.map_or(now, |passing| passing.moved()),
        };
        Ok((answer, self))
    }
}

/// Waits for the answer to a request that is still on its way: the time for it
/// begins when no more of the request goes.
async fn answer_to<T>(
    passing: &Passing,
    limit: Duration,
    mut sending: Pin<Box<impl Future<Output = T>>>,
) -> Option<T> {
    loop {
        let due = passing.moved() + limit;
        if let Ok(answer) = timeout_at(due, sending.as_mut()).await {
            return Some(answer);
        }
        if passing.moved() + limit <= due {
            return None;
        }
    }
}

impl Http1 {
    async fn send(
        &mut self,
        upstream: &Upstream,
        order: Box<Order>,
        due: Instant,
    ) -> Result<Answered, Failed> {
        match self.exchange(upstream, &order, due).await {
            Ok(head) => Ok(head),
            Err(broken) if self.has_begun() || matches!(broken, Broken::Late) => {
                Err(Failed::Spent(broken.into()))
            }
            Err(broken) => Err(Failed::Unsent(order, broken.into())),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
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

    async fn send(
        &self,
        upstream: &Upstream,
        order: Box<Order>,
    ) -> Result<(Answered, Incoming), Failed> {
        let mut sender = self.0.sender.clone();
        match sender.try_send_request(upstream.request(&order)).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let mut headers = parts.headers;
                header::strip_response(&mut headers);
                let head = Answered {
                    status: parts.status,
                    headers,
                    rests_for: None,
                };
                Ok((head, body))
            }
            Err(mut failed) => {
                // Those who are on it may stay; a next one fares no better.
                self.0.retired.set(true);
                let unsent = failed.take_message().is_some();
                let error = Error::from_exchange(failed.error());
                // It may be sent again as well when the peer says that it did
                // not work on it, and there is still all of it.
                let spent = order.body.as_passing().is_some_and(Passing::has_begun);
                let refused = error.outcome() == Outcome::NotProcessed && !spent;
                Err(if unsent || refused {
                    Failed::Unsent(order, error)
                } else {
                    Failed::Spent(error)
                })
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.used.set(Instant::now());
    }
}
