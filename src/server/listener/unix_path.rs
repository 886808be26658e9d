//! The path of a listening Unix-domain socket.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::Listen;

/// Removes the socket file on drop, unless another socket replaced it. Until it is
/// published, the socket has a temporary path in the same directory, and `path`
/// leads to the previous listener.
#[derive(Debug)]
pub struct UnixPath {
    path: PathBuf,
    mode: u32,
    /// Some until the socket is published.
    temporary: Option<PathBuf>,
    /// Device and inode of the file.
    identity: (u64, u64),
}

impl UnixPath {
    /// Binds a socket that does not listen yet, so that no client connects before
    /// `mode` is set. Fails on a path in use, unless it is `shared`, and on a file
    /// that is not a socket.
    pub fn bind(socket: &Socket, path: &Path, mode: u32, shared: bool) -> io::Result<Self> {
        if is_in_use(path)? && !shared {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        // Left behind by a killed process with the same id.
        if fs::symlink_metadata(&temporary).is_ok_and(|file| is_socket(&file)) {
            fs::remove_file(&temporary)?;
        }
        socket.bind(&SockAddr::unix(&temporary)?)?;
        let identity = inode(&fs::symlink_metadata(&temporary)?);
        let this = Self {
            path: path.to_owned(),
            mode,
            temporary: Some(temporary.clone()),
            identity,
        };
        fs::set_permissions(&temporary, Permissions::from_mode(mode))?;
        Ok(this)
    }

    /// Moves the socket to its path atomically, so that a client always finds a
    /// listener there.
    pub fn publish(&mut self) -> io::Result<()> {
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.path)?;
            self.temporary = None;
        }
        Ok(())
    }

    pub fn address(&self) -> Listen {
        Listen::Unix {
            path: self.path.clone(),
            mode: self.mode,
        }
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        let path = self.temporary.as_ref().unwrap_or(&self.path);
        if fs::symlink_metadata(path).is_ok_and(|file| inode(&file) == self.identity) {
            // A file left behind is replaced at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// True if a process listens at `path`; false for a socket left behind.
fn is_in_use(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(file) if is_socket(&file) => {}
        Ok(_) => {
            let text = "the path is a file that is not a socket; remove it, or choose another path";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A full backlog would block the connect.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Ok(true),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}

fn is_socket(file: &Metadata) -> bool {
    file.file_type().is_socket()
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::iter;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::UnixPath;

    fn socket() -> Socket {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn bind(path: &Path, shared: bool) -> std::io::Result<UnixPath> {
        UnixPath::bind(&socket(), path, 0o600, shared)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_path_whose_listener_has_a_full_backlog_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let busy = socket();
        busy.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        busy.listen(0).unwrap();
        let connect = || {
            let client = socket();
            let connected = client.connect(&SockAddr::unix(&path).unwrap());
            connected.is_ok().then_some(client)
        };
        let waiting: Vec<Socket> = iter::from_fn(connect).collect();
        assert!(!waiting.is_empty());
        let error = bind(&path, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn a_path_is_removed_only_by_the_socket_it_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let old = UnixListener::bind(&path).unwrap();
        // An unpublished socket removes its temporary file.
        drop(bind(&path, true).unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let mut first = bind(&path, true).unwrap();
        drop(old);
        first.publish().unwrap();
        let mut second = bind(&path, true).unwrap();
        second.publish().unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
