//! Files that a person names: read within bounds, refused with a cure.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a configuration file or of `.env`.
pub const LARGEST_TEXT: u64 = 16 * 1024 * 1024;

/// Reads a file of at most `limit` bytes: a device, or a file that was named
/// by mistake, may be endless.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        return Ok(bytes);
    }
    Err(io::ErrorKind::FileTooLarge.into())
}

/// Reads a text file.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read(path, LARGEST_TEXT)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
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
