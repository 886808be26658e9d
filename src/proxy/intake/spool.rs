//! A part of a body in a temporary file, which has no name and is gone with us.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::shared_limit::{Exhausted, Purse, Share};
use std::rc::Rc;

/// So much is read from the file at once.
const AT_ONCE: usize = 256 * 1024;

/// The beginning of a body, in a file.
#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    length: u64,
    share: Share,
}

/// Why no more goes into the file.
#[derive(Debug)]
pub(super) enum Full {
    /// There is as much in such files as there may be.
    Exhausted,
    /// The system does not take it.
    Failed(io::Error),
}

impl Spool {
    /// An empty file in `directory`, or where the system has such files.
    pub(super) async fn new(directory: Option<&Path>, purse: &Rc<Purse>) -> Result<Self, Full> {
        let share = purse.take(0)?;
        let directory = directory.map(Path::to_owned);
        let made = spawn_blocking(move || match directory {
            Some(directory) => tempfile::tempfile_in(directory),
            None => tempfile::tempfile(),
        });
        Ok(Self {
            file: Arc::new(joined(made).await?),
            length: 0,
            share,
        })
    }

    /// Adds bytes at its end.
    pub(super) async fn append(&mut self, bytes: Bytes) -> Result<(), Full> {
        self.share.grow(bytes.len())?;
        let (file, at) = (Arc::clone(&self.file), self.length);
        self.length += bytes.len() as u64;
        joined(spawn_blocking(move || file.write_all_at(&bytes, at))).await?;
        Ok(())
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Begins to read a range of it: its first bytes, and what is left of it.
    pub(super) fn read(&self, range: Range<u64>) -> (Reading, Range<u64>) {
        let wanted = range.end.saturating_sub(range.start).min(AT_ONCE as u64);
        let next = range.start + wanted;
        let file = Arc::clone(&self.file);
        let reading = spawn_blocking(move || {
            let mut bytes = BytesMut::zeroed(usize::try_from(wanted).unwrap_or(AT_ONCE));
            file.read_exact_at(&mut bytes, range.start)?;
            Ok(bytes.freeze())
        });
        (reading, next..range.end)
    }
}

/// What is on its way from the file.
pub(super) type Reading = JoinHandle<io::Result<Bytes>>;

async fn joined<T>(work: JoinHandle<io::Result<T>>) -> Result<T, Full> {
    let done = work.await.map_err(io::Error::other).and_then(|done| done);
    done.map_err(Full::Failed)
}

impl From<Exhausted> for Full {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}
