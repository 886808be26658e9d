//! Where a configuration is loaded from.

use std::path::PathBuf;

use super::Config;
use super::environment::Environment;
use super::file::FileFingerprints;
use super::in_force::InForce;

/// Where to look for a configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config`; it must exist.
    pub file: Option<PathBuf>,
    /// The working directory: base of relative paths, and the directory of
    /// `trunkline.toml` and `.env`.
    pub directory: PathBuf,
    /// Without the variables of `.env`.
    pub environment: Environment,
    pub flags: Flags,
    /// The container's memory limit, in bytes.
    pub memory_limit: Option<u64>,
    /// How many file descriptors the process may open.
    pub descriptor_limit: Option<u64>,
    /// For a reload: what it replaces.
    pub in_force: Option<InForce>,
}

/// What a configuration was loaded from, for reloads.
#[derive(Debug, Clone)]
pub struct LoadedFrom {
    pub sources: Sources,
    /// The files that were read, as they were.
    pub files: FileFingerprints,
}

impl LoadedFrom {
    /// For reloads after `config`.
    #[must_use]
    pub fn new(mut sources: Sources, files: FileFingerprints, config: &Config) -> Self {
        sources.in_force = Some(InForce::of(config));
        Self { sources, files }
    }
}

/// Settings on the command line, as written.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`, overrides `server.listen`.
    pub listen: Option<String>,
    /// `--log-format`, overrides `log.format`.
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
