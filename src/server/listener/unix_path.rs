//! The path of a Unix-domain socket that we listen on.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::Listen;

/// The path of a socket, which goes when this value does, unless another
/// socket has taken its place. Until it is published, the socket has another
/// name in the same directory, and whoever was found at the path still is.
#[derive(Debug)]
pub struct Name {
    path: PathBuf,
    mode: u32,
    /// What it is called until then.
    draft: Option<PathBuf>,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl Name {
    /// Names a socket that does not listen yet, so that nobody meets it before
    /// `mode` holds. A path at which somebody listens is taken only if that is
    /// `shared`, and one that is no socket never.
    pub fn bind(socket: &Socket, path: &Path, mode: u32, shared: bool) -> io::Result<Self> {
        if is_taken(path)? && !shared {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}", std::process::id()));
        let draft = PathBuf::from(draft);
        // Left by a process of this number that was killed.
        if fs::symlink_metadata(&draft).is_ok_and(|file| is_socket(&file)) {
            fs::remove_file(&draft)?;
        }
        socket.bind(&SockAddr::unix(&draft)?)?;
        let identity = identity(&fs::symlink_metadata(&draft)?);
        let name = Self {
            path: path.to_owned(),
            mode,
            draft: Some(draft.clone()),
            identity,
        };
        fs::set_permissions(&draft, Permissions::from_mode(mode))?;
        Ok(name)
    }

    /// Puts it in its place, in one step: there is always somebody there.
    pub fn publish(&mut self) -> io::Result<()> {
        if let Some(draft) = &self.draft {
            fs::rename(draft, &self.path)?;
            self.draft = None;
        }
        Ok(())
    }

    pub fn place(&self) -> Listen {
        Listen::Unix {
            path: self.path.clone(),
            mode: self.mode,
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let path = self.draft.as_ref().unwrap_or(&self.path);
        if fs::symlink_metadata(path).is_ok_and(|file| identity(&file) == self.identity) {
            // One that stays is found to be nobody's at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether somebody listens at `path`; not when nobody is left behind a socket
/// there.
fn is_taken(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(file) if is_socket(&file) => {}
        Ok(_) => {
            let text = "a file that is no socket is there; remove it, or choose another path";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A listener whose queue is full would have us wait.
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

fn identity(file: &Metadata) -> (u64, u64) {
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

    use super::Name;

    fn socket() -> Socket {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn bind(path: &Path, shared: bool) -> std::io::Result<Name> {
        Name::bind(&socket(), path, 0o600, shared)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_listener_that_is_too_busy_to_answer_is_alive() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let busy = socket();
        busy.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        busy.listen(0).unwrap();
        let call = || {
            let caller = socket();
            let reached = caller.connect(&SockAddr::unix(&path).unwrap());
            reached.is_ok().then_some(caller)
        };
        let waiting: Vec<Socket> = iter::from_fn(call).collect();
        assert!(!waiting.is_empty());
        let refused = bind(&path, false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn a_name_is_taken_away_by_whom_it_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let old = UnixListener::bind(&path).unwrap();
        // One that is not published leaves no trace.
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
