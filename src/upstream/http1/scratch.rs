//! Where bytes are read to: one block for all connections of a worker, so that
//! a connection that waits holds none.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio_util::io::poll_read_buf;

use super::Socket;

/// Room for one read. Enough for any chunk of a stream; a read that fills it
/// is followed by larger ones.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 48 * 1024;

/// The block of one worker.
#[derive(Debug, Clone, Default)]
pub struct Scratch(Rc<RefCell<Block>>);

#[derive(Debug, Default)]
struct Block {
    bytes: BytesMut,
    /// Whether the last read filled all the room it was given.
    flows: bool,
}

impl Scratch {
    /// Reads what is there and adds it to `unread`; gives how much it was, 0 at
    /// the end.
    ///
    /// A read hands the block on only if it fills most of it, else it gets memory
    /// of its own size: all of the block would be kept for as long as a slow
    /// caller keeps a part.
    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        socket: Pin<&mut dyn Socket>,
        unread: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let Block { bytes, flows } = &mut *self.0.borrow_mut();
        bytes.reserve(if *flows { LARGE } else { SMALL });
        let room = bytes.capacity();
        let count = ready!(poll_read_buf(socket, context, bytes))?;
        *flows = count == room;
        if unread.is_empty() && count > room / 4 * 3 {
            *unread = mem::take(bytes);
        } else {
            // The rest of a line or a head must stay in one piece with it.
            let mut whole = BytesMut::with_capacity(unread.len() + count);
            whole.extend_from_slice(unread);
            whole.extend_from_slice(bytes);
            bytes.clear();
            *unread = whole;
        }
        Poll::Ready(Ok(count))
    }
}
