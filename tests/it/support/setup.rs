//! Configuration, environment and files of a gateway under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;

/// The API key of providers added with [`Setup::provider`].
pub const UPSTREAM_KEY: &str = "upstream-secret-5f3a";

pub struct Setup {
    top_level: String,
    server: String,
    log: String,
    sections: String,
    env: BTreeMap<String, String>,
    shell: String,
    directory: TempDir,
}

impl Setup {
    /// A gateway with nothing configured but its listeners.
    pub fn new() -> Self {
        Self {
            top_level: String::new(),
            server: "listen = \"127.0.0.1:0\"\n".to_owned(),
            log: String::new(),
            sections: String::new(),
            env: BTreeMap::new(),
            shell: "true".to_owned(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A gateway with the provider `up` and the model `m`, which is `real-model`
    /// at that provider.
    pub fn with_upstream(upstream: &Upstream) -> Self {
        Self::new()
            .provider("up", &upstream.base_url(), "")
            .model("m", "up", "real-model")
    }

    /// As [`Setup::with_upstream`], with `stream_usage = "inject"`.
    pub fn injecting_usage(upstream: &Upstream) -> Self {
        Self::new()
            .provider("up", &upstream.base_url(), "stream_usage = \"inject\"")
            .model("m", "up", "real-model")
    }

    /// Adds a line at the top level of the configuration.
    pub fn top_level(mut self, line: &str) -> Self {
        writeln!(self.top_level, "{line}").unwrap();
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

    /// Adds a section, including its heading.
    pub fn section(mut self, text: &str) -> Self {
        writeln!(self.sections, "{text}").unwrap();
        self
    }

    /// Adds a provider with [`UPSTREAM_KEY`].
    pub fn provider(self, name: &str, base_url: &str, lines: &str) -> Self {
        self.provider_with_key(name, base_url, UPSTREAM_KEY, lines)
    }

    pub fn provider_with_key(self, name: &str, base_url: &str, key: &str, lines: &str) -> Self {
        self.section(&format!(
            "[providers.{name}]\nbase_url = \"{base_url}\"\napi_key = \"{key}\"\n{lines}"
        ))
    }

    /// Adds a model alias.
    pub fn model(self, alias: &str, provider: &str, upstream_model: &str) -> Self {
        self.section(&format!(
            "[models.\"{alias}\"]\nprovider = \"{provider}\"\nmodel = \"{upstream_model}\""
        ))
    }

    pub fn key(self, name: &str, key: &str, lines: &str) -> Self {
        self.section(&format!(
            "[access.keys.{name}]\nsha256 = \"{}\"\n{lines}",
            sha256_hex(key)
        ))
    }

    /// Sets a variable in the otherwise empty environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a shell command that runs before the binary.
    pub fn shell(mut self, line: &str) -> Self {
        line.clone_into(&mut self.shell);
        self
    }

    /// Writes a file into the working directory and returns its path.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    #[track_caller]
    pub fn start(self) -> Gateway {
        Gateway::start(self)
    }

    /// The command for the binary with this configuration.
    pub fn command(&self) -> Command {
        let config = self.file("test.toml", self.toml().as_bytes());
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("{} && exec \"$0\" \"$@\"", self.shell)])
            .arg(env!("CARGO_BIN_EXE_trunkline"))
            .arg("--config")
            .arg(config)
            .env_clear()
            .envs(&self.env)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn toml(&self) -> String {
        format!(
            "{}\n[server]\n{}\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\n{}\n{}",
            self.top_level, self.server, self.log, self.sections
        )
    }
}

/// The SHA-256 of a key, as written in the configuration.
pub fn sha256_hex(key: &str) -> String {
    Sha256::digest(key)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
}
