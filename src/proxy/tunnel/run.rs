//! The life of a tunnel.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Tunnel;
use super::flow::{End, Flow};
use super::frames::{goodbye, masked_goodbye};
use crate::drain::Phase;
use crate::error_response;
use crate::metering::Outcome;
use crate::proxy::body_timeouts::{Bounds, Patience};

/// How long one direction may go on when the other has ended: what was on its
/// way is to arrive, and a closing handshake to be answered.
const CLOSING: Duration = Duration::from_secs(5);
/// The same after our own last words, which a drain does not wait for longer.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A caller's connection, over whatever it comes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection below it all, if there is one.
    fn tcp(&self) -> Option<&TcpStream>;
}

impl Stream for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

/// Both directions, and what is to become of them.
struct Run<'t, S> {
    tunnel: &'t mut Tunnel,
    caller: &'t mut S,
    up: Flow,
    down: Flow,
    patience: Patience,
    /// When the end has begun: when it must have come.
    closing: Option<Pin<Box<Sleep>>>,
}

/// Whose connection has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    Caller,
    Upstream,
}

impl Tunnel {
    /// Passes bytes both ways until both have ended, or one side has failed, or
    /// nothing has come for too long. `early` is what the caller sent behind
    /// its handshake.
    pub async fn run(mut self, caller: &mut impl Stream, early: Bytes) {
        let (up, down) = Self::flows(early);
        let bounds = Bounds {
            gap: self.idle,
            first_by: None,
            deadline: None,
        };
        let mut run = Run {
            patience: Patience::new(bounds, None),
            tunnel: &mut self,
            caller,
            up,
            down,
            closing: None,
        };
        poll_fn(|context| run.poll(context)).await;
    }
}

impl<S: Stream> Run<'_, S> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.closing.is_none() && self.tunnel.ear.poll(context) == Phase::Expired {
            self.say_goodbye(Outcome::Shed, error_response::shutting_down().error.code);
        }
        let mut failed = self.poll_flows(context);
        let is_open = failed.is_none() && self.closing.is_none();
        if is_open && self.patience.poll_late(context).is_ready() {
            self.say_goodbye(Outcome::Timeout, "tunnel_idle");
            failed = self.poll_flows(context);
        }
        if let Some(failed) = failed {
            self.settle(failed);
            self.abort(failed);
            return Poll::Ready(());
        }
        if self.up.has_ended() && self.down.has_ended() {
            return Poll::Ready(());
        }
        match &mut self.closing {
            Some(closing) => closing.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    /// Moves what can be moved.
    fn poll_flows(&mut self, context: &mut Context<'_>) -> Option<Failed> {
        let caller = &mut *self.caller;
        let upstream = &mut self.tunnel.upstream;
        let up = self
            .up
            .poll(context, Pin::new(&mut *caller), Pin::new(&mut *upstream));
        let down = self
            .down
            .poll(context, Pin::new(upstream), Pin::new(caller));
        if self.tunnel.count(&mut self.up, &mut self.down) {
            self.patience.fed();
        }
        let failed = match (up, down) {
            (Poll::Ready(Err(_)), _) => return Some(Failed::Caller),
            (_, Poll::Ready(Err(_))) => return Some(Failed::Upstream),
            _ => match (self.up.ended_at(), self.down.ended_at()) {
                (Some(End::Source), _) | (None, Some(End::Sink)) => Failed::Caller,
                (_, Some(End::Source)) | (Some(End::Sink), _) => Failed::Upstream,
                // Nothing can follow, whoever ends the connection.
                (None, None) if self.up.is_closed() && self.down.is_closed() => Failed::Upstream,
                (None, None) => return None,
            },
        };
        self.settle(failed);
        self.close_within(CLOSING);
        None
    }

    /// Says how it ended: well, once one side has said goodbye; else it was
    /// whoever left without.
    fn settle(&mut self, by: Failed) {
        let is_closed = self.up.is_closed() || self.down.is_closed();
        let (outcome, code) = match by {
            _ if is_closed => (Outcome::Ok, None),
            Failed::Caller => (Outcome::Cancelled, None),
            Failed::Upstream => {
                let code = error_response::stream_disconnected().error.code;
                (Outcome::UpstreamError, Some(code))
            }
        };
        self.tunnel.meter.ends(outcome, code);
    }

    /// Ends both directions with a frame that says so, where one can stand.
    fn say_goodbye(&mut self, outcome: Outcome, code: &'static str) {
        self.tunnel.meter.ends(outcome, Some(code));
        self.up.end_with(&masked_goodbye(fastrand::u32(..)));
        self.down.end_with(&goodbye());
        self.close_within(LAST_WORDS);
    }

    fn close_within(&mut self, limit: Duration) {
        let due = || Box::pin(sleep_until(Instant::now() + limit));
        self.closing.get_or_insert_with(due);
    }

    /// Has the other side's connection end as this one's did.
    fn abort(&self, failed: Failed) {
        match failed {
            Failed::Caller => self.tunnel.upstream.abort(),
            Failed::Upstream => {
                // Without it, the end is only a politer one.
                if let Some(tcp) = self.caller.tcp() {
                    let socket = socket2::SockRef::from(tcp);
                    let _ = socket.set_linger(Some(Duration::ZERO));
                }
            }
        }
    }
}
