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
pub(in crate::server) struct Name {
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
    pub(super) fn bind(socket: &Socket, path: &Path, mode: u32, shared: bool) -> io::Result<Self> {
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
    pub(super) fn publish(&mut self) -> io::Result<()> {
        if let Some(draft) = &self.draft {
            fs::rename(draft, &self.path)?;
            self.draft = None;
        }
        Ok(())
    }

    pub(super) fn place(&self) -> Listen {
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
