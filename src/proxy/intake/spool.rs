//! The start of a body in a temporary file, which is unlinked and vanishes with the
//! process.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::shared_limit::{LimitExceeded, LimitPermit, LocalLimit};

/// Bytes of one read.
const READ_SIZE: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    length: u64,
    permit: LimitPermit,
}

#[derive(Debug)]
pub(super) enum SpoolError {
    /// The limit on bytes in all spool files.
    LimitExceeded,
    Io(io::Error),
}

impl Spool {
    /// An empty file in `directory`, or in the system's directory for temporary files.
    pub(super) async fn new(
        directory: Option<&Path>,
        limit: &Rc<LocalLimit>,
    ) -> Result<Self, SpoolError> {
        let permit = limit.acquire(0)?;
        let directory = directory.map(Path::to_owned);
        let file = spawn_blocking(move || match directory {
            Some(directory) => tempfile::tempfile_in(directory),
            None => tempfile::tempfile(),
        });
        Ok(Self {
            file: Arc::new(join(file).await?),
            length: 0,
            permit,
        })
    }

    pub(super) async fn append(&mut self, bytes: Bytes) -> Result<(), SpoolError> {
        self.permit.grow(bytes.len())?;
        let (file, offset) = (Arc::clone(&self.file), self.length);
        self.length += bytes.len() as u64;
        join(spawn_blocking(move || file.write_all_at(&bytes, offset))).await?;
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Starts to read the first bytes of a range; also returns the rest of the range.
    pub(super) fn start_read(&self, range: Range<u64>) -> (PendingRead, Range<u64>) {
        let length = range.end.saturating_sub(range.start).min(READ_SIZE as u64);
        let next = range.start + length;
        let file = Arc::clone(&self.file);
        let pending = spawn_blocking(move || {
            let mut bytes = BytesMut::zeroed(usize::try_from(length).unwrap_or(READ_SIZE));
            file.read_exact_at(&mut bytes, range.start)?;
            Ok(bytes.freeze())
        });
        (pending, next..range.end)
    }
}

pub(super) type PendingRead = JoinHandle<io::Result<Bytes>>;

async fn join<T>(task: JoinHandle<io::Result<T>>) -> Result<T, SpoolError> {
    let result = task.await.map_err(io::Error::other);
    result.and_then(|result| result).map_err(SpoolError::Io)
}

impl From<LimitExceeded> for SpoolError {
    fn from(_: LimitExceeded) -> Self {
        Self::LimitExceeded
    }
}
