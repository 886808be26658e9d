//! One direction of a tunnel.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// Bytes read at once, and so the most that waits for a slow reader. While
/// nothing does, nothing is held.
const BLOCK: usize = 16 * 1024;

/// Bytes on their way from one side to the other.
#[derive(Debug)]
pub(super) struct Flow {
    frames: Frames,
    /// What was read and not taken yet.
    held: Bytes,
    source: Source,
    sink: Sink,
    unflushed: bool,
    /// Bytes that were passed on.
    passed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Open,
    /// What comes is not wanted any more, but read: a socket closed with unread
    /// bytes resets its peer, which may lose our last words so.
    Unwanted,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Open,
    /// To be ended behind what is held.
    Ending,
    Ended,
}

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Where bytes come from.
    Source,
    /// Where they go.
    Sink,
}

/// The side that bytes come from failed.
#[derive(Debug)]
pub(super) struct Broken;

impl Flow {
    /// One in which `early` has come already.
    pub(super) fn new(early: Bytes) -> Self {
        let mut frames = Frames::default();
        frames.pass(&early);
        Self {
            frames,
            held: early,
            source: Source::Open,
            sink: Sink::Open,
            unflushed: false,
            passed: 0,
        }
    }

    /// Whether a Close frame has passed.
    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// Which side has ended it, while it is not known otherwise.
    pub(super) fn ended_at(&self) -> Option<End> {
        match (self.sink, self.source) {
            (Sink::Open, _) => None,
            (_, Source::Ended) => Some(End::Source),
            _ => Some(End::Sink),
        }
    }

    /// Whether nothing is left to be done.
    pub(super) fn has_ended(&self) -> bool {
        self.source == Source::Ended && self.sink == Sink::Ended
    }

    /// Bytes that were passed on since this was last asked.
    pub(super) fn take_passed(&mut self) -> u64 {
        std::mem::take(&mut self.passed)
    }

    /// Passes on no more than what was read, and these last words where they
    /// can stand.
    pub(super) fn end_with(&mut self, words: &[u8]) {
        if self.sink == Sink::Open {
            self.sink = Sink::Ending;
            if self.frames.is_between() && !self.frames.is_closed() {
                self.held = [&self.held[..], words].concat().into();
            }
        }
        if self.source == Source::Open {
            self.source = Source::Unwanted;
        }
    }

    /// Passes on what it can. A side that takes no more ends its part; what
    /// the other one has sent back until then may still come.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut from: Pin<&mut impl AsyncRead>,
        mut to: Pin<&mut impl AsyncWrite>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            if self.poll_sink(context, to.as_mut()).is_pending() && self.source == Source::Open {
                return Poll::Pending;
            }
            if self.source == Source::Ended {
                return if self.has_ended() {
                    Poll::Ready(Ok(()))
                } else {
                    Poll::Pending
                };
            }
            let mut block = [MaybeUninit::uninit(); BLOCK];
            let mut block = ReadBuf::uninit(&mut block);
            match from.as_mut().poll_read(context, &mut block) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) if error.kind() != ErrorKind::UnexpectedEof => {
                    self.source = Source::Ended;
                    return Poll::Ready(Err(Broken));
                }
                // Many end TLS without a word; WebSockets have their own.
                Poll::Ready(_) => {}
            }
            let bytes = block.filled();
            if bytes.is_empty() {
                self.source = Source::Ended;
                if self.sink == Sink::Open {
                    self.sink = Sink::Ending;
                }
            } else if self.source == Source::Open {
                self.frames.pass(bytes);
                let taken = self.poll_write(context, to.as_mut(), bytes);
                self.held = Bytes::copy_from_slice(bytes.get(taken..).unwrap_or_default());
            }
        }
    }

    /// Writes what is held, and behind it the end, if it is time for that;
    /// pending while something is held.
    fn poll_sink(
        &mut self,
        context: &mut Context<'_>,
        mut to: Pin<&mut impl AsyncWrite>,
    ) -> Poll<()> {
        while !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let taken = self.poll_write(context, to.as_mut(), &held);
            if self.sink == Sink::Ended {
                return Poll::Ready(());
            }
            self.held = held;
            self.held.advance(taken);
            if taken == 0 {
                return Poll::Pending;
            }
        }
        if self.unflushed && self.sink != Sink::Ended {
            match to.as_mut().poll_flush(context) {
                Poll::Pending => return Poll::Ready(()),
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => self.gives_up(),
            }
        }
        if self.sink == Sink::Ending && to.poll_shutdown(context).is_ready() {
            self.sink = Sink::Ended;
        }
        Poll::Ready(())
    }

    /// Bytes that were taken; none either while none can be, or when none ever
    /// will be.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        to: Pin<&mut impl AsyncWrite>,
        bytes: &[u8],
    ) -> usize {
        match to.poll_write(context, bytes) {
            Poll::Pending => 0,
            Poll::Ready(Ok(taken @ 1..)) => {
                self.unflushed = true;
                self.passed += taken as u64;
                taken
            }
            Poll::Ready(_) => {
                self.gives_up();
                bytes.len()
            }
        }
    }

    fn gives_up(&mut self) {
        self.held = Bytes::new();
        self.sink = Sink::Ended;
        if self.source == Source::Open {
            self.source = Source::Unwanted;
        }
    }
}
