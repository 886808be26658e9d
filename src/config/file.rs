//! Files named by the configuration: size limits, errors with a cure, and
//! fingerprints, so that changes can be detected.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Maximum size of a configuration file or of `.env`, in bytes.
pub const MAX_TEXT_SIZE: u64 = 16 * 1024 * 1024;

/// The files that a configuration was read from, or looked for, and their
/// contents. If two are equal, files are no reason to reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFingerprints(BTreeMap<PathBuf, Fingerprint>);

/// Contents of a file of at most `limit` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    limit: u64,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// SHA-256.
    Hash([u8; 32]),
    /// It could not be read.
    Unreadable(io::ErrorKind),
}

/// Device and inode: a file that replaces another has a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(u64, u64);

/// A file without its content; it differs after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    pub id: FileId,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

/// Files relative to a directory, read for one configuration.
#[derive(Debug)]
pub struct Files<'a> {
    directory: &'a Path,
    fingerprints: RefCell<FileFingerprints>,
}

impl<'a> Files<'a> {
    pub fn new(directory: &'a Path) -> Self {
        Self {
            directory,
            fingerprints: RefCell::default(),
        }
    }

    /// Reads a file of at most `limit` bytes: a device, or a file named by
    /// mistake, may be endless. Any file may hold a key, so the buffer is zeroed
    /// when dropped.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let path = self.directory.join(path);
        let read = read(&path, limit);
        self.fingerprints.borrow_mut().record(path, limit, &read);
        read
    }

    pub fn read_text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let bytes = self.read(path, MAX_TEXT_SIZE)?;
        let text = std::str::from_utf8(without_mark(&bytes));
        Ok(text.map_err(|_| io::ErrorKind::InvalidData)?.to_owned())
    }

    /// Of the file at this path, if there is one.
    pub fn id(&self, path: &Path) -> Option<FileId> {
        FileStamp::of(&self.directory.join(path)).map(|stamp| stamp.id)
    }

    /// All files that were read or could not be read.
    pub fn into_fingerprints(self) -> FileFingerprints {
        self.fingerprints.into_inner()
    }
}

impl FileFingerprints {
    /// The same files as they are now.
    #[must_use]
    pub fn reread(&self) -> Self {
        let mut again = Self::default();
        for (path, Fingerprint { limit, .. }) in &self.0 {
            again.record(path.clone(), *limit, &read(path, *limit));
        }
        again
    }

    /// The files as they are now, without reading them.
    #[must_use]
    pub fn stamps(&self) -> BTreeMap<PathBuf, FileStamp> {
        let stamp = |path: &PathBuf| Some((path.clone(), FileStamp::of(path)?));
        self.paths().filter_map(stamp).collect()
    }

    /// The files, existing or not.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }

    fn record(&mut self, path: PathBuf, limit: u64, read: &io::Result<Zeroizing<Vec<u8>>>) {
        let content = match read {
            Ok(bytes) => Content::Hash(Sha256::digest(bytes).into()),
            Err(error) => Content::Unreadable(error.kind()),
        };
        self.0.insert(path, Fingerprint { limit, content });
    }
}

// === impl FileStamp ===

impl FileStamp {
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self {
            id: FileId(metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // Allocated once: a growing buffer would leave copies behind.
    let expected = file.metadata()?.len().min(limit) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(expected).unwrap_or_default(),
    ));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        return Ok(bytes);
    }
    Err(io::ErrorKind::FileTooLarge.into())
}

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

/// The text without a byte order mark, which editors on Windows write.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes)
}

/// What is wrong with text that begins with a byte order mark, where that is no part of
/// the format, and the cure.
pub fn encoding_error(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(UTF8_MARK) {
        return Some("begins with a byte order mark; save it as UTF-8 without one");
    }
    is_utf16(bytes).then_some("encoded in UTF-16; save it as UTF-8")
}

/// What PowerShell's `>` writes.
pub fn is_utf16(bytes: &[u8]) -> bool {
    UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark))
}

/// Why a file cannot be read, and the cure. The path is not quoted: a key may
/// have been written there by mistake.
pub fn read_error(error: &io::Error) -> String {
    let (what, cure) = match error.kind() {
        io::ErrorKind::NotFound => ("no such file", "name a file that exists"),
        io::ErrorKind::PermissionDenied => (
            "permission denied",
            "let the user that runs Trunkline read it",
        ),
        io::ErrorKind::IsADirectory => ("is a directory", "name a file"),
        io::ErrorKind::InvalidData => ("not text", "save it as UTF-8"),
        io::ErrorKind::FileTooLarge => ("too large", "name the right file"),
        _ => return format!("{error}; fix or remove it"),
    };
    format!("{what}; {cure}")
}
