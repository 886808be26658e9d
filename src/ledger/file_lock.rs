//! Keeps two processes from writing one database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::error::LedgerError;

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// Held until it is dropped, or the process ends in any way.
#[derive(Debug)]
pub struct FileLock(#[allow(dead_code, reason = "the lock lasts as long as the file")] File);

impl FileLock {
    /// Locks the file beside `database`. Not the database itself: closing any descriptor
    /// of that one would release SQLite's own locks (SQLite, "How To Corrupt", 2.2).
    pub fn take(database: &Path) -> Result<Self, LedgerError> {
        let file = private(OpenOptions::new().write(true).create(true))
            .open(lock_path(database))
            .map_err(|error| in_folder(database, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LedgerError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Whether a process holds it.
    pub fn is_taken(database: &Path) -> bool {
        let file = File::open(lock_path(database));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Readable by the owner and the group: who used how much is not everyone's business.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o640);
    options
}

pub fn lock_path(database: &Path) -> PathBuf {
    with_suffix(&resolved(database), ".lock")
}

/// Without symbolic links, which SQLite follows: two paths of one file have one lock, and the
/// log is beside the file. The file may be yet to be created.
pub fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Ok(resolved) = path.canonicalize() {
            return resolved;
        }
        match path.read_link() {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => break,
        }
    }
    let folder = folder_of(&path).canonicalize();
    let resolved = folder.ok().zip(path.file_name());
    resolved.map_or_else(|| path.clone(), |(folder, name)| folder.join(name))
}

/// The path with something after its file name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Names the folder, which is what cannot be written.
fn in_folder(database: &Path, error: io::Error) -> io::Error {
    let folder = folder_of(database).display();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "does not exist; create it".to_owned(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("cannot be written ({error})")
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("the folder {folder} {reason}"))
}

pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}
