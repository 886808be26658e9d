//! The gateway under test: the real binary, configured by text, heard through
//! its standard output and its two listeners.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::client::{Answer, Client, Request};
use crate::prometheus::Metrics;
use crate::upstream::Upstream;
use crate::wait::{self, Watched};

/// The key that [`Setup::over`] gives its provider.
pub const UPSTREAM_KEY: &str = "upstream-secret-5f3a";

/// What a gateway is started with.
pub struct Setup {
    root: String,
    server: String,
    log: String,
    sections: String,
    environment: BTreeMap<String, String>,
    directory: TempDir,
}

/// A running gateway; it dies with this value.
pub struct Gateway {
    child: Child,
    /// The data listener.
    pub listen: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    output: Arc<Watched<Output>>,
    _directory: TempDir,
}

/// What the process has said so far.
#[derive(Default)]
struct Output {
    stdout: Vec<String>,
    stderr: Vec<String>,
    closed: usize,
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
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A gateway with the provider `up`, opened by [`UPSTREAM_KEY`], and the
    /// model `m`, which that provider calls `real-model`.
    pub fn over(upstream: &Upstream) -> Self {
        Self::new().provider("up", &upstream.base_url(), "").model("m", "up", "real-model")
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
        self.section(&format!("[access.keys.{name}]\nsha256 = \"{}\"\n{lines}", sha256_hex(key)))
    }

    /// Sets a variable in the otherwise empty environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a file into the working directory and says where it is.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Starts the gateway and waits until it listens.
    pub fn start(self) -> Gateway {
        let config = self.directory.path().join("test.toml");
        std::fs::write(&config, self.text()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .arg("--config")
            .arg(&config)
            .args(["--log-format", "json"])
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Watched::new(Output::default()));
        follow(child.stdout.take().unwrap(), &output, |output| &mut output.stdout);
        follow(child.stderr.take().unwrap(), &output, |output| &mut output.stderr);
        let line = output.try_wait(|output| {
            let line = output.stdout.iter().find_map(|line| message(line, "listening"));
            line.map(Some).or_else(|| (output.closed == 2).then_some(None))
        });
        let Some(Some(line)) = line else {
            let _ = child.kill();
            let said = output.with(|output| [output.stdout.clone(), output.stderr.clone()]);
            panic!("the gateway did not start: {said:#?}");
        };
        Gateway {
            child,
            listen: text(&line, "listen").parse().unwrap(),
            admin: text(&line, "admin").parse().unwrap(),
            output,
            _directory: self.directory,
        }
    }

    fn text(&self) -> String {
        format!(
            "{}\n[server]\n{}\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\n{}\n{}",
            self.root, self.server, self.log, self.sections
        )
    }
}

impl Gateway {
    /// A new connection to the data listener.
    pub fn client(&self) -> Client {
        Client::connect(self.listen)
    }

    /// Sends one request on a connection of its own and reads all of the answer.
    #[track_caller]
    pub fn ask(&self, request: &Request) -> Answer {
        let mut client = self.client();
        client.send(&request.bytes());
        client.answer()
    }

    /// `GET path` on the admin listener.
    #[track_caller]
    pub fn ask_admin(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin);
        client.send(&Request::get(path).bytes());
        client.answer()
    }

    /// What `/metrics` says now.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let answer = self.ask_admin("/metrics");
        assert_eq!(answer.status, 200);
        Metrics::parse(&answer.text())
    }

    /// Waits until no request and no stream is in flight.
    #[track_caller]
    pub fn settle(&self) {
        wait::until("no request and no stream in flight", || {
            let metrics = self.metrics();
            let requests = metrics.sum("trunkline_requests_in_flight", &[]);
            let streams = metrics.sum("trunkline_streams_in_flight", &[]);
            (requests == Some(0.0) && streams == Some(0.0)).then_some(())
        });
    }

    /// Waits until a metric, summed over the labels given, reaches a value.
    #[track_caller]
    pub fn await_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        wait::until(&format!("{name}{labels:?} = {value}"), || {
            let sum = self.metrics().sum(name, labels)?;
            ((sum - value).abs() < 1e-9).then_some(())
        });
    }

    /// Waits for `count` access lines and yields them in order.
    #[track_caller]
    pub fn access_lines(&self, count: usize) -> Vec<Value> {
        self.output.wait(&format!("{count} access lines"), |output| {
            let lines: Vec<Value> =
                output.stdout.iter().filter_map(|line| message(line, "request")).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Waits for the access line of the request with this id.
    #[track_caller]
    pub fn access_line(&self, request_id: &str) -> Value {
        self.output.wait(&format!("the access line of {request_id}"), |output| {
            let mut lines = output.stdout.iter().filter_map(|line| message(line, "request"));
            lines.find(|line| text(line, "request_id") == request_id)
        })
    }

    /// All that was written to standard output and standard error so far.
    pub fn said(&self) -> String {
        self.output.with(|output| [output.stdout.join("\n"), output.stderr.join("\n")].join("\n"))
    }

    /// Lines of standard output at a level (`ERROR`, `WARN`, …).
    pub fn lines_at(&self, level: &str) -> Vec<String> {
        let at_level = |line: &&String| {
            let line: Option<Value> = serde_json::from_str(line).ok();
            line.is_some_and(|line| line["level"] == level)
        };
        self.output.with(|output| output.stdout.iter().filter(at_level).cloned().collect())
    }

    /// Sends a signal by name (`TERM`, `INT`).
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = wait::until("the end of the gateway", || child.try_wait().unwrap());
        self.output.wait("the end of its output", |output| (output.closed == 2).then_some(()));
        status
    }

    /// True while the process lives.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The process, for `/proc`.
    pub fn process(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the gateway said:\n{}", self.said());
        }
    }
}

/// Runs the binary to its end: exit status, standard output, standard error.
#[track_caller]
pub fn run(setup: &Setup, arguments: &[&str]) -> (ExitStatus, String, String) {
    let config = setup.file("test.toml", setup.text().as_bytes());
    let mut child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .env_clear()
        .envs(&setup.environment)
        .current_dir(setup.directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = Arc::new(Watched::new(Output::default()));
    follow(child.stdout.take().unwrap(), &output, |output| &mut output.stdout);
    follow(child.stderr.take().unwrap(), &output, |output| &mut output.stderr);
    let ended = output.try_wait(|output| (output.closed == 2).then_some(()));
    if ended.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    let (stdout, stderr) = output.with(|output| (output.stdout.join("\n"), output.stderr.join("\n")));
    assert!(ended.is_some(), "{arguments:?} did not end; it said: {stdout}\n{stderr}");
    (status, stdout, stderr)
}

/// The SHA-256 of a key, as the config wants it.
pub fn sha256_hex(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// A field of a log line as text; empty when it is absent.
pub fn text(line: &Value, field: &str) -> String {
    match value(line, field) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A field of a log line: fields stand at the top or under `fields`.
pub fn value(line: &Value, field: &str) -> Value {
    line.get(field).or_else(|| line["fields"].get(field)).cloned().unwrap_or(Value::Null)
}

fn message(line: &str, message: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (text(&line, "message") == message).then_some(line)
}

fn follow(
    pipe: impl Read + Send + 'static,
    output: &Arc<Watched<Output>>,
    lines: fn(&mut Output) -> &mut Vec<String>,
) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            output.with(|output| lines(output).push(line));
        }
        output.with(|output| output.closed += 1);
    });
}
