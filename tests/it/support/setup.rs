//! What a gateway is started with: sections of TOML, variables, files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;

/// The key that [`Setup::over`] gives its provider.
pub const UPSTREAM_KEY: &str = "upstream-secret-5f3a";

/// What a gateway is started with.
pub struct Setup {
    root: String,
    server: String,
    log: String,
    sections: String,
    environment: BTreeMap<String, String>,
    shell: String,
    directory: TempDir,
}

impl Setup {
    /// A gateway with nothing configured but where to listen.
    pub fn new() -> Self {
        Self {
            root: String::new(),
            server: "listen = \"127.0.0.1:0\"\n".to_owned(),
            log: String::new(),
            sections: String::new(),
            environment: BTreeMap::new(),
            shell: "true".to_owned(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A gateway with the provider `up`, opened by [`UPSTREAM_KEY`], and the
    /// model `m`, which that provider calls `real-model`.
    pub fn over(upstream: &Upstream) -> Self {
        Self::new()
            .provider("up", &upstream.base_url(), "")
            .model("m", "up", "real-model")
    }

    /// As [`Setup::over`], and usage is asked for in streams.
    pub fn injecting(upstream: &Upstream) -> Self {
        Self::new()
            .provider("up", &upstream.base_url(), "stream_usage = \"inject\"")
            .model("m", "up", "real-model")
    }

    /// Adds a line at the top level.
    pub fn root(mut self, line: &str) -> Self {
        writeln!(self.root, "{line}").unwrap();
        self
    }

    /// Adds lines to `[server]`.
    pub fn server(mut self, lines: &str) -> Self {
        writeln!(self.server, "{lines}").unwrap();
        self
    }

    /// Adds lines to `[log]`.
    pub fn log(mut self, lines: &str) -> Self {
        writeln!(self.log, "{lines}").unwrap();
        self
    }

    /// Adds a section, heading and all.
    pub fn section(mut self, text: &str) -> Self {
        writeln!(self.sections, "{text}").unwrap();
        self
    }

    /// Adds a provider that [`UPSTREAM_KEY`] opens.
    pub fn provider(self, name: &str, base_url: &str, lines: &str) -> Self {
        self.keyed_provider(name, base_url, UPSTREAM_KEY, lines)
    }

    /// Adds a provider with a key of its own.
    pub fn keyed_provider(self, name: &str, base_url: &str, key: &str, lines: &str) -> Self {
        self.section(&format!(
            "[providers.{name}]\nbase_url = \"{base_url}\"\napi_key = \"{key}\"\n{lines}"
        ))
    }

    /// Adds an alias.
    pub fn model(self, alias: &str, provider: &str, upstream_model: &str) -> Self {
        self.section(&format!(
            "[models.\"{alias}\"]\nprovider = \"{provider}\"\nmodel = \"{upstream_model}\""
        ))
    }

    /// Adds a client key.
    pub fn key(self, name: &str, key: &str, lines: &str) -> Self {
        self.section(&format!(
            "[access.keys.{name}]\nsha256 = \"{}\"\n{lines}",
            sha256_hex(key)
        ))
    }

    /// Sets a variable in the otherwise empty environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What a shell does before it becomes the binary.
    pub fn shell(mut self, line: &str) -> Self {
        line.clone_into(&mut self.shell);
        self
    }

    /// Puts a file into the working directory and says where it is.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The working directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts the gateway and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Gateway {
        Gateway::start(self)
    }

    /// The binary with this config, in an otherwise empty environment.
    pub fn command(&self) -> Command {
        let config = self.file("test.toml", self.text().as_bytes());
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("{} && exec \"$0\" \"$@\"", self.shell)])
            .arg(env!("CARGO_BIN_EXE_trunkline"))
            .arg("--config")
            .arg(config)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn text(&self) -> String {
        format!(
            "{}\n[server]\n{}\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\n{}\n{}",
            self.root, self.server, self.log, self.sections
        )
    }
}

/// The SHA-256 of a key, as the config wants it.
pub fn sha256_hex(key: &str) -> String {
    Sha256::digest(key)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
}
