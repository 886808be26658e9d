//! Files that are being written: half a configuration is often a valid one.
//!
//! The system reports writes and closes, so an open file is waited for. Where it does
//! not, a file that changed in place must stay unchanged for a moment. A file that is
//! renamed into place is complete.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{FileId, FileStamp};

pub type Stamps = BTreeMap<PathBuf, FileStamp>;

/// Time without a change after which a file written in place counts as complete.
const QUIET: Duration = Duration::from_secs(1);
/// After this time without a write, a file counts as closed: `truncate(2)` opens
/// none, and a report of a close can be lost.
const MAX_OPEN: Duration = Duration::from_secs(30);

/// Writers of the watched files, as far as the system reports them.
#[derive(Debug, Default)]
pub struct Writers(HashMap<FileId, Write>);

#[derive(Debug, Clone, Copy)]
struct Write {
    at: Instant,
    is_closed: bool,
}

/// Watches the watched files until they are complete.
#[derive(Debug)]
pub struct Settling<'a> {
    before: &'a Stamps,
    pub now: Stamps,
    quiet_since: Instant,
}

// === impl Writers ===

impl Writers {
    /// Records a write to `path`, or its end, if it is one of `files`.
    pub fn record(&mut self, path: &Path, is_closed: bool, files: &Stamps) {
        let Some(FileStamp { id, .. }) = FileStamp::of(path) else {
            return;
        };
        // Keeps the map as small as the list of files.
        if files.values().any(|file| file.id == id) {
            let at = Instant::now();
            self.0.insert(id, Write { at, is_closed });
        }
    }

    fn is_writing(&self) -> bool {
        self.0.values().any(Write::is_incomplete)
    }

    pub fn forget_complete(&mut self) {
        self.0.retain(|_, write| write.is_incomplete());
    }
}

impl Write {
    fn is_incomplete(&self) -> bool {
        let limit = if self.is_closed { QUIET } else { MAX_OPEN };
        self.at.elapsed() < limit
    }
}

// === impl Settling ===

impl<'a> Settling<'a> {
    /// `before` is the state of the files when they were last read.
    pub fn new(before: &'a Stamps, now: Stamps) -> Self {
        Self {
            before,
            now,
            quiet_since: Instant::now(),
        }
    }

    pub fn observe(&mut self, now: Stamps) {
        if self.now != now {
            self.now = now;
            self.quiet_since = Instant::now();
        }
    }

    pub fn is_complete(&self, writers: &Writers) -> bool {
        let is_rewritten = self.now.iter().any(|(path, now)| {
            let before = self.before.get(path);
            before.is_some_and(|before| before.id == now.id && before != now)
        });
        !writers.is_writing() && (!is_rewritten || self.quiet_since.elapsed() >= QUIET)
    }
}
