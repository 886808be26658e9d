//! Where bytes are read to: one block for all connections of a worker, so that
//! a connection that waits holds none.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio_util::io::poll_read_buf;

use super::Socket;

/// Room for one read. Enough for any chunk of a stream; a read that fills it
/// is followed by larger ones.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 64 * 1024;
/// A read of no more than this gets memory of its own size. Handing out a part
/// of the block would keep all of it for as long as a slow caller keeps that
/// part.
const COPIED: usize = SMALL / 4;

/// The block of one worker.
#[derive(Debug, Clone, Default)]
pub(in crate::upstream) struct Scratch(Rc<RefCell<Block>>);

#[derive(Debug, Default)]
struct Block {
    bytes: BytesMut,
    /// Whether the last read filled all the room it was given.
    flows: bool,
}

impl Scratch {
    /// Reads what is there and adds it to `unread`; gives how much it was, 0 at
    /// the end.
    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        mut socket: Pin<&mut dyn Socket>,
        unread: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let mut block = self.0.borrow_mut();
        let room = if block.flows { LARGE } else { SMALL };
        if !unread.is_empty() {
            // The rest of a line or a head: it must stay in one piece.
            unread.reserve(room);
            return poll_read_buf(socket, context, unread);
        }
        block.bytes.reserve(room);
        let room = block.bytes.capacity();
        let count = ready!(poll_read_buf(socket.as_mut(), context, &mut block.bytes))?;
        block.flows = count == room;
        *unread = if count <= COPIED {
            let copy = BytesMut::from(&block.bytes[..]);
            block.bytes.clear();
            copy
        } else {
            block.bytes.split()
        };
        Poll::Ready(Ok(count))
    }
}
