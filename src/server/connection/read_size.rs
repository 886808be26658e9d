//! How much is read from a client at a time.
//!
//! hyper's read buffer grows as long as reads fill it, and keeps its size until the
//! connection ends: 256 KiB after a body of 1 MB, on every connection that ever sent
//! one. So reads are small, unless there is room for a large buffer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::shared_limit::SharedLimit;

/// One byte less than the size with which hyper's buffer begins: it grows when it is
/// filled.
pub const SMALL_READ: usize = 8 * 1024 - 1;
/// Size of a large buffer: twice what hyper reads at most, as it was measured.
const LARGE_BUFFER: usize = 256 * 1024;

/// The reads of one connection.
#[derive(Debug)]
pub struct ReadSize {
    /// Bytes of large buffers, of all connections.
    buffers: Arc<SharedLimit>,
    is_large: bool,
}

impl ReadSize {
    pub fn new(buffers: &Arc<SharedLimit>) -> Self {
        Self {
            buffers: Arc::clone(buffers),
            is_large: false,
        }
    }

    pub fn is_large(&self) -> bool {
        self.is_large
    }

    pub fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_large {
            return Pin::new(stream).poll_read(context, buffer);
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut stream.take(SMALL_READ as u64)).poll_read(context, buffer);
        if buffer.filled().len() - before == SMALL_READ {
            self.is_large = self.buffers.try_acquire(LARGE_BUFFER);
        }
        polled
    }
}

impl Drop for ReadSize {
    fn drop(&mut self) {
        if self.is_large {
            self.buffers.release(LARGE_BUFFER);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::ReadBuf;

    use super::{LARGE_BUFFER, ReadSize, SMALL_READ};
    use crate::shared_limit::SharedLimit;
    use crate::telemetry::metric::Registry;

    async fn read(size: &mut ReadSize, mut stream: &[u8]) -> usize {
        let mut buffer = vec![0; LARGE_BUFFER];
        let mut buffer = ReadBuf::new(&mut buffer);
        poll_fn(|context| size.poll_read(&mut stream, context, &mut buffer))
            .await
            .unwrap();
        buffer.filled().len()
    }

    #[tokio::test]
    async fn reads_grow_while_there_is_room_for_large_buffers() {
        let data = vec![0; LARGE_BUFFER];
        let buffers = SharedLimit::read_buffers(&Registry::new(), 2 * LARGE_BUFFER);
        let mut sizes: Vec<ReadSize> = (0..3).map(|_| ReadSize::new(&buffers)).collect();
        assert_eq!(read(&mut sizes[0], &data[..100]).await, 100);
        for size in &mut sizes {
            assert_eq!(read(size, &data).await, SMALL_READ);
        }
        assert_eq!(read(&mut sizes[0], &data).await, LARGE_BUFFER);
        assert_eq!(read(&mut sizes[1], &data).await, LARGE_BUFFER);
        assert_eq!(read(&mut sizes[2], &data).await, SMALL_READ);
        sizes.remove(0);
        assert_eq!(read(&mut sizes[1], &data).await, SMALL_READ);
        assert_eq!(read(&mut sizes[1], &data).await, LARGE_BUFFER);
    }
}
