//! Files that a person names: read within bounds, refused with a cure, and
//! remembered, so that one who watches them knows which they were.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Most bytes of a configuration file or of `.env`.
pub const LARGEST_TEXT: u64 = 16 * 1024 * 1024;

/// The files that a configuration was read from, or looked for, and what was
/// in them. Two that are equal come to the same configuration, as far as files
/// go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<PathBuf, Sight>);

/// What was in a file of at most `limit` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sight {
    limit: u64,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// SHA-256 of its bytes.
    Hash([u8; 32]),
    /// It could not be read, for this reason.
    Unreadable(io::ErrorKind),
}

/// The files below a directory, read for one configuration.
#[derive(Debug)]
pub struct Files<'a> {
    directory: &'a Path,
    seen: RefCell<Seen>,
}

impl<'a> Files<'a> {
    /// Relative paths begin in `directory`.
    pub fn new(directory: &'a Path) -> Self {
        Self {
            directory,
            seen: RefCell::default(),
        }
    }

    /// Reads a file of at most `limit` bytes: a device, or a file that was
    /// named by mistake, may be endless. Any file may hold a key, so what is
    /// read is wiped after use.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let path = self.directory.join(path);
        let read = read(&path, limit);
        self.seen.borrow_mut().note(path, limit, &read);
        read
    }

    /// Reads a text file.
    pub fn read_text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let bytes = self.read(path, LARGEST_TEXT)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(text.to_owned())
    }

    /// All that were read, or could not be.
    pub fn seen(self) -> Seen {
        self.seen.into_inner()
    }
}

impl Seen {
    /// The same files as they are now.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut again = Self::default();
        for (path, Sight { limit, .. }) in &self.0 {
            again.note(path.clone(), *limit, &read(path, *limit));
        }
        again
    }

    /// The files, whether they are there or not.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }

    fn note(&mut self, path: PathBuf, limit: u64, read: &io::Result<Zeroizing<Vec<u8>>>) {
        let content = match read {
            Ok(bytes) => Content::Hash(Sha256::digest(bytes).into()),
            Err(error) => Content::Unreadable(error.kind()),
        };
        self.0.insert(path, Sight { limit, content });
    }
}

fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // In one piece: a buffer that grows would leave copies behind.
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

/// Why a file cannot be read, and what to do. The path is not quoted: where a
/// file is to hold a key, the key may stand in its place by mistake.
pub fn reason(error: &io::Error) -> String {
    let (what, cure) = match error.kind() {
        io::ErrorKind::NotFound => ("no such file", "name a file that exists"),
        io::ErrorKind::PermissionDenied => (
            "permission denied",
            "let the user that runs Trunkline read it",
        ),
        io::ErrorKind::IsADirectory => ("is a directory", "name a file"),
        io::ErrorKind::InvalidData => ("not text", "save it as UTF-8"),
        io::ErrorKind::FileTooLarge => ("too large", "name the right file"),
        _ => return format!("{error}; mend or remove it"),
    };
    format!("{what}; {cure}")
}
