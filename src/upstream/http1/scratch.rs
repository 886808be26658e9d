//! The read buffer: one block for all connections of a worker, so that a waiting
//! connection has none.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio_util::io::poll_read_buf;

use super::Transport;

/// Enough for any chunk of a stream; after a read that fills it, reads are larger.
const SMALL_READ: usize = 16 * 1024;
const LARGE_READ: usize = 48 * 1024;

/// Of one worker.
#[derive(Debug, Clone, Default)]
pub struct Scratch(Rc<RefCell<Block>>);

#[derive(Debug, Default)]
struct Block {
    bytes: BytesMut,
    /// Whether the last read filled the block.
    filled: bool,
}

impl Scratch {
    /// Reads what is available and appends it to `unread`. Returns the count of bytes, 0
    /// at end of file.
    ///
    /// The block itself is handed out only if the read fills most of it; else the bytes
    /// are copied: a slow client that keeps a few bytes would keep the whole block.
    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        transport: Pin<&mut dyn Transport>,
        unread: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let Block {
            bytes,
            filled: flows,
        } = &mut *self.0.borrow_mut();
        bytes.reserve(if *flows { LARGE_READ } else { SMALL_READ });
        let capacity = bytes.capacity();
        let count = ready!(poll_read_buf(transport, context, bytes))?;
        *flows = count == capacity;
        if unread.is_empty() && count > capacity / 4 * 3 {
            *unread = mem::take(bytes);
        } else {
            // A line or a head must be contiguous to be parsed.
            let mut joined = BytesMut::with_capacity(unread.len() + count);
            joined.extend_from_slice(unread);
            joined.extend_from_slice(bytes);
            bytes.clear();
            *unread = joined;
        }
        Poll::Ready(Ok(count))
    }
}
