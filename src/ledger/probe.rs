//! What a gateway would find at the path of its ledger; nothing is created or changed.

use std::path::Path;

use super::error::LedgerError;
use super::file_lock::{FileLock, folder_of};
use super::query::LedgerReader;

#[derive(Debug)]
pub enum LedgerFile {
    Ready,
    /// There is none yet, and it can be created.
    Absent,
    /// A process writes it now: the gateway that this configuration is for, or another.
    InUse,
    /// A gateway would set it aside and begin anew.
    Damaged(LedgerError),
    /// A gateway would go on without.
    Unusable(LedgerError),
}

/// Looks at it as this user.
#[must_use]
pub fn probe(path: &Path) -> LedgerFile {
    match check(path) {
        Ok(file) => file,
        Err(error @ LedgerError::Damaged(_)) => LedgerFile::Damaged(error),
        Err(error) => LedgerFile::Unusable(error),
    }
}

fn check(path: &Path) -> Result<LedgerFile, LedgerError> {
    check_folder(folder_of(path))?;
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(LedgerFile::Absent);
        }
        Err(error) => return Err(error.into()),
        // SQLite makes a database of an empty file.
        Ok(found) if found.is_file() && found.len() == 0 => return Ok(LedgerFile::Absent),
        Ok(found) if !found.is_file() => {
            return Err(std::io::Error::other("it is no file").into());
        }
        Ok(_) => {}
    }
    check_writable(path)?;
    LedgerReader::open(path)?;
    if FileLock::is_taken(path) {
        return Ok(LedgerFile::InUse);
    }
    Ok(LedgerFile::Ready)
}

fn check_folder(folder: &Path) -> Result<(), LedgerError> {
    let found = std::fs::metadata(folder)
        .map_err(|error| error_of(&format!("the folder {}", folder.display()), &error))?;
    if !found.is_dir() {
        let text = format!("{} is no folder", folder.display());
        return Err(std::io::Error::other(text).into());
    }
    check_writable(folder)
}

/// By the permissions of the effective user (`faccessat`, `AT_EACCESS`).
fn check_writable(path: &Path) -> Result<(), LedgerError> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
        .map_err(|error| error_of(&path.display().to_string(), &error.into()).into())
}

fn error_of(what: &str, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{what}: {error}"))
}
