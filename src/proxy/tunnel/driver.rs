//! Runs a tunnel: both directions, idle timeout, drain, and its end.

use std::future::poll_fn;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Tunnel;
use super::frame_tracker::{close_frame, masked_close_frame};
use super::half::{End, Half};
use super::responses_tap::ResponsesTap;
use crate::drain::Phase;
use crate::error_response;
use crate::metering::RequestOutcome;
use crate::proxy::body_timeouts::{BodyTimeouts, BodyTimer};

/// Time for the second direction after the end of the first: bytes in transit,
/// and the reply to a Close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same after a Close frame of ours; a drain waits no longer for it.
const SENT_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The upgraded connection of a client.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection below, if any.
    fn tcp(&self) -> Option<&TcpStream>;

    /// The socket below.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

impl ClientStream for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

struct TunnelDriver<'t, S> {
    tunnel: &'t mut Tunnel,
    client: &'t mut S,
    up: Half,
    down: Half,
    timer: BodyTimer,
    /// Set once the tunnel is closing.
    close_timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailedSide {
    Client,
    Upstream,
}

impl Tunnel {
    /// Copies bytes both ways until both directions have ended, one side has failed
    /// or the idle timeout expires. `early` is what the client sent behind its
    /// handshake.
    pub async fn run(mut self, client: &mut impl ClientStream, early: Bytes) {
        let (up, down) = self.halves(early);
        let timeouts = BodyTimeouts {
            idle: self.idle,
            first_event_by: None,
            deadline: None,
        };
        let mut driver = TunnelDriver {
            timer: BodyTimer::new(timeouts, None),
            tunnel: &mut self,
            client,
            up,
            down,
            close_timer: None,
        };
        poll_fn(|context| driver.poll(context)).await;
    }
}

impl<S: ClientStream> TunnelDriver<'_, S> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.close_timer.is_none() && self.tunnel.drain.poll(context) == Phase::Terminating {
            self.send_close(
                RequestOutcome::Shed,
                error_response::shutting_down().body.code,
            );
        }
        let mut failed = self.poll_halves(context);
        let is_open = failed.is_none() && self.close_timer.is_none();
        if is_open && self.timer.poll_expired(context).is_ready() {
            self.send_close(RequestOutcome::Timeout, "tunnel_idle");
            failed = self.poll_halves(context);
        }
        if let Some(failed) = failed {
            self.record_outcome(failed);
            self.abort(failed);
            return Poll::Ready(());
        }
        if self.up.is_finished() && self.down.is_finished() {
            return Poll::Ready(());
        }
        match &mut self.close_timer {
            Some(close_timer) => close_timer.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    fn poll_halves(&mut self, context: &mut Context<'_>) -> Option<FailedSide> {
        let client = &mut *self.client;
        let upstream = &mut self.tunnel.upstream;
        let tap = &mut self.tunnel.tap;
        let (from, to) = (Pin::new(&mut *client), Pin::new(&mut *upstream));
        let up = self.up.poll(context, from, to, |part| {
            if let Some(tap) = tap {
                tap.on_request(part);
            }
        });
        let (from, to) = (Pin::new(upstream), Pin::new(client));
        let down = self.down.poll(context, from, to, |part| {
            if let Some(tap) = tap {
                tap.on_response(part);
            }
        });
        if self.tunnel.record_bytes(&mut self.up, &mut self.down) {
            self.timer.on_data();
        }
        self.tunnel.charge_responses();
        let failed = match (up, down) {
            (Poll::Ready(Err(_)), _) => return Some(FailedSide::Client),
            (_, Poll::Ready(Err(_))) => return Some(FailedSide::Upstream),
            _ => match (self.up.ended_by(), self.down.ended_by()) {
                (Some(End::Source), _) | (None, Some(End::Sink)) => FailedSide::Client,
                (_, Some(End::Source)) | (Some(End::Sink), _) => FailedSide::Upstream,
                // Nothing may follow two Close frames.
                (None, None) if self.up.is_closed() && self.down.is_closed() => {
                    FailedSide::Upstream
                }
                (None, None) => return None,
            },
        };
        self.record_outcome(failed);
        self.start_close_timer(CLOSE_TIMEOUT);
        None
    }

    /// With a Close frame the end is a success, and so it is behind a complete response:
    /// Codex leaves without one. Otherwise, `by` is at fault.
    fn record_outcome(&mut self, by: FailedSide) {
        let tap = self.tunnel.tap.as_deref();
        let is_closed = self.up.is_closed() || self.down.is_closed();
        let is_complete = is_closed || tap.is_some_and(ResponsesTap::has_ended);
        let (outcome, code) = match by {
            _ if is_complete && tap.is_some_and(ResponsesTap::has_failed) => {
                (RequestOutcome::UpstreamError, None)
            }
            _ if is_complete => (RequestOutcome::Ok, None),
            FailedSide::Client => (RequestOutcome::Cancelled, None),
            FailedSide::Upstream => {
                let code = error_response::stream_disconnected().body.code;
                (RequestOutcome::UpstreamError, Some(code))
            }
        };
        self.tunnel.meter.finish(outcome, code);
    }

    /// Ends both directions with a Close frame, where a frame can begin.
    fn send_close(&mut self, outcome: RequestOutcome, code: &'static str) {
        self.tunnel.meter.finish(outcome, Some(code));
        self.up.close_with(&masked_close_frame(fastrand::u32(..)));
        self.down.close_with(&close_frame());
        self.start_close_timer(SENT_CLOSE_TIMEOUT);
    }

    fn start_close_timer(&mut self, limit: Duration) {
        let due = || Box::pin(sleep_until(Instant::now() + limit));
        self.close_timer.get_or_insert_with(due);
    }

    /// Resets the connection of the other side.
    fn abort(&self, failed: FailedSide) {
        match failed {
            FailedSide::Client => self.tunnel.upstream.abort(),
            FailedSide::Upstream => {
                // SO_LINGER 0 sends RST. If it fails, the client sees FIN; acceptable.
                if let Some(tcp) = self.client.tcp() {
                    let socket = socket2::SockRef::from(tcp);
                    let _ = socket.set_linger(Some(Duration::ZERO));
                }
            }
        }
    }
}
