//! Finds the end of a request's head in a read of its connection.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

static EMPTY_LINE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\n\r\n"));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadEnd {
    /// Not in this read.
    Absent,
    /// Behind so many bytes, if these belong to a head.
    At(usize),
    /// Perhaps across two reads, or marked by bare line feeds.
    Unclear,
}

impl HeadEnd {
    /// A head ends with its first empty line (RFC 9112, section 2.1), and hyper reads more
    /// only if what it holds has none. So if `read` makes a head complete, the empty line
    /// is in it, or begins in an earlier read.
    pub fn find(read: &[u8]) -> Self {
        if matches!(read.first(), Some(b'\r' | b'\n')) {
            return Self::Unclear;
        }
        let Some(at) = EMPTY_LINE.find(read) else {
            return Self::Absent;
        };
        Self::At(at + EMPTY_LINE.needle().len())
    }

    /// Whether a head of lines that end in CR LF, as they should, ends at the end of `read`.
    pub fn is_certain(head: &[u8]) -> bool {
        head.ends_with(b"\r\n\r\n") && memmem::find(head, b"\n\n").is_none()
    }
}
