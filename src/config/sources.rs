//! Where a configuration comes from.

use std::path::PathBuf;

use super::environment::Environment;
use super::file::Seen;

/// Where a configuration is to be found.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config`; it must exist.
    pub file: Option<PathBuf>,
    /// The working directory: `trunkline.toml`, `.env` and relative paths are
    /// looked for in it.
    pub directory: PathBuf,
    /// The environment variables, those of `.env` not yet among them.
    pub environment: Environment,
    /// What the command line sets.
    pub flags: Flags,
}

/// Where a configuration came from, so that it can be read again.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where it is to be found.
    pub sources: Sources,
    /// The files that it was read from, as they were.
    pub seen: Seen,
}

/// Settings of the command line, as they were written.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`: instead of `server.listen`.
    pub listen: Option<String>,
    /// `--log-format`: instead of `log.format`.
    pub log_format: Option<String>,
}

impl Flags {
    /// The flags that were given: flag, key, value.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static str, [String; 2], &str)> {
        let listen = ("--listen", ["server", "listen"], &self.listen);
        let format = ("--log-format", ["log", "format"], &self.log_format);
        [listen, format]
            .into_iter()
            .filter_map(|(flag, path, value)| {
                Some((flag, path.map(str::to_owned), value.as_deref()?))
            })
    }
}
