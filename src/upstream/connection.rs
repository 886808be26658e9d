//! A connection to an upstream, and one request over it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use tokio::task::AbortHandle;
use tokio::time::{self, timeout_at};

use super::error::{Error, ErrorKind};
use super::http1::{Answered, Http1};
use super::{Upstream, header};
use crate::body::{Outgoing, Passing};
use crate::config::Timeouts;
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
    pub(super) sent: time::Instant,
}

/// One of the streams on an HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Stream(Rc<Http2>);

/// The head of an answer and, as in [`Answer`], its body.
type Begun = (Answered, Option<Incoming>);

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
        request: Box<Request<Outgoing>>,
        timeouts: &Timeouts,
    ) -> Result<(Answer, Self), Failed> {
        let limit = timeouts.first_event.unwrap_or(timeouts.head);
        let sent = time::Instant::now();
        let due = sent + limit.min(timeouts.head);
        let passing = request.body().as_passing().cloned();
        let sending = async {
            match &mut self {
                Self::Http1(connection) => connection.send(upstream, request).await,
                Self::Http2(stream) => stream.send(upstream, request).await,
            }
        };
        let (answer, sent) = match passing {
            None => (timeout_at(due, sending).await.ok(), sent),
            Some(passing) => {
                let answer = Box::pin(answer_to(&passing, due - sent, sending)).await;
                (answer, passing.moved())
            }
        };
        let (head, stream) = answer.ok_or_else(|| {
            Failed::Spent(Error::after_sending(
                ErrorKind::HeadTimeout,
                "no head in time",
            ))
        })??;
        Ok((Answer { head, stream, sent }, self))
    }
}

/// Waits for the answer to a request that is still on its way: the time for it
/// begins when no more of the request goes.
async fn answer_to<T>(
    passing: &Passing,
    limit: Duration,
    sending: impl Future<Output = T>,
) -> Option<T> {
    let mut sending = std::pin::pin!(sending);
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
        request: Box<Request<Outgoing>>,
    ) -> Result<Begun, Failed> {
        match self.exchange(&request, &upstream.host_header).await {
            Ok(head) => Ok((head, None)),
            Err(broken) if self.has_begun() => Err(Failed::Spent(broken.into())),
            Err(broken) => Err(Failed::Unsent(request, broken.into())),
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
        mut request: Box<Request<Outgoing>>,
    ) -> Result<Begun, Failed> {
        upstream.name_in(&mut request);
        // HTTP/2 does not hand a refused request back.
        let kept = request.clone();
        let mut sender = self.0.sender.clone();
        match sender.try_send_request(*request).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let mut headers = parts.headers;
                header::strip_response(&mut headers);
                let head = Answered {
                    status: parts.status,
                    headers,
                    rests_for: None,
                };
                Ok((head, Some(body)))
            }
            Err(mut failed) => {
                // Those who are on it may stay; a next one fares no better.
                self.0.retired.set(true);
                let unsent = failed.take_message();
                let error = Error::from_exchange(failed.error());
                // A copy may be used when the peer says that it did not work on
                // the request, and there is still all of it.
                let spent = kept.body().as_passing().is_some_and(Passing::has_begun);
                let refused = error.outcome() == Outcome::NotProcessed && !spent;
                Err(match unsent.map(Box::new).or(refused.then_some(kept)) {
                    Some(request) => Failed::Unsent(request, error),
                    None => Failed::Spent(error),
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
