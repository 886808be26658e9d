//! The stream of one connection, whose reads and writes are noted.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunks::ChunkedReads;
use super::detect::{Detected, Protocol};
use super::read_size::ReadSize;
use super::state::{ConnState, LastRead};

/// The client's stream, shared with hyper; records reads.
#[derive(Debug)]
pub struct TrackedIo<S> {
    /// Read of the stream before hyper had it.
    read_ahead: &'static [u8],
    stream: Rc<RefCell<S>>,
    reads: ChunkedReads,
    state: Rc<ConnState>,
}

impl<S> TrackedIo<S> {
    pub fn new(
        detected: Detected,
        stream: &Rc<RefCell<S>>,
        read_size: ReadSize,
        state: &Rc<ConnState>,
    ) -> Self {
        Self {
            read_ahead: detected.read_ahead,
            stream: Rc::clone(stream),
            reads: ChunkedReads::new(read_size, detected.protocol == Protocol::Http1),
            state: Rc::clone(state),
        }
    }

    /// What was read of the stream, but not by hyper.
    pub fn into_unread(self) -> Vec<u8> {
        self.reads.into_unread()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read_ahead.is_empty() {
            let count = self.read_ahead.len().min(buffer.remaining());
            let (now, later) = self.read_ahead.split_at(count);
            buffer.put_slice(now);
            self.read_ahead = later;
            self.state.on_read(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let Self {
            stream,
            reads,
            state,
            ..
        } = &mut *self;
        let polled = reads.poll_read(&mut *stream.borrow_mut(), context, buffer, state);
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.state.on_read(count);
        }
        self.state.set_last_read(if polled.is_pending() {
            LastRead::Waiting
        } else {
            LastRead::Done
        });
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes);
        self.state.on_write(polled)
    }

    // hyper copies every frame into one buffer unless this pair is forwarded.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(context, slices);
        self.state.on_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_flush(context);
        self.state.on_write(polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(context)
    }
}
