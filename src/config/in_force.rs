//! The files that a configuration was read from, and what a reload may not take
//! away: a file that disappears must not open the gateway.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{ConfigErrors, KeyPath, Location};
use super::file::{FileId, Files};
use super::{ClientAuth, Config};

/// The files that a configuration was read from, besides those that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadFiles {
    pub config: Option<ReadFile>,
    /// `.env`.
    pub dotenv: Option<ReadFile>,
}

/// One file, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// As it was named or found.
    pub path: PathBuf,
    /// False for a file of blanks and comments.
    pub has_settings: bool,
    /// Its last line has an end.
    ends_line: bool,
    id: Option<FileId>,
}

/// What a reload is compared to.
#[derive(Debug, Clone)]
pub struct InForce {
    pub files: ReadFiles,
    /// Clients need a key or a certificate.
    pub is_guarded: bool,
    /// Only programs on this machine can reach the listener.
    pub is_local: bool,
}

// === impl ReadFile ===

impl ReadFile {
    pub(super) fn new(files: &Files<'_>, path: &Path, text: &[u8], has_settings: bool) -> Self {
        Self {
            path: path.to_owned(),
            has_settings,
            ends_line: text.is_empty() || text.ends_with(b"\n"),
            id: files.id(path),
        }
    }

    /// Why this file cannot follow `before`, and the cure.
    fn damage(&self, before: &Self) -> Option<&'static str> {
        if before.has_settings && !self.has_settings {
            return Some(
                "is empty, but had settings that are in force; restore them, or restart to run \
                 without them",
            );
        }
        // The file was written in place: a writer that was interrupted leaves half a line.
        let is_cut_off = before.ends_line && !self.ends_line && self.id == before.id;
        is_cut_off.then_some(
            "its last line has no line end, so the file may be cut off; write it again, with a \
             line end after the last line",
        )
    }
}

impl fmt::Display for ReadFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let empty = if self.has_settings { "" } else { " (empty)" };
        write!(out, "{}{empty}", self.path.display())
    }
}

// === impl ReadFiles ===

impl ReadFiles {
    pub fn iter(&self) -> impl Iterator<Item = &ReadFile> {
        self.config.iter().chain(&self.dotenv)
    }

    /// Reports files that are empty or cut off, and a `.env` that is gone.
    pub(super) fn check_against(&self, before: &Self, errors: &mut ConfigErrors) {
        let mut fault = |path: &Path, text: &str| {
            let location = Location::file(path.to_string_lossy());
            errors.push(location, KeyPath::default(), text);
        };
        for (now, before) in [
            (&self.config, &before.config),
            (&self.dotenv, &before.dotenv),
        ] {
            match (now, before) {
                (Some(now), Some(before)) if now.path == before.path => {
                    if let Some(text) = now.damage(before) {
                        fault(&now.path, text);
                    }
                }
                (None, Some(before)) if before.has_settings => fault(&before.path, GONE),
                _ => {}
            }
        }
    }
}

impl fmt::Display for ReadFiles {
    /// "none" without a file.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(ToString::to_string).collect();
        if names.is_empty() {
            return out.write_str("none");
        }
        out.write_str(&names.join(", "))
    }
}

/// Why a file in force may not be missing, and the cure.
pub(super) const GONE: &str =
    "cannot be read: no such file, but it is in force; restore it, or restart to run without it";

// === impl InForce ===

impl InForce {
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let tls = config.server.tls.as_ref();
        Self {
            files: config.files.clone(),
            is_guarded: !config.access.is_open()
                || tls.is_some_and(|tls| tls.client_auth == ClientAuth::Required),
            is_local: config.server.listen.is_local(),
        }
    }
}
