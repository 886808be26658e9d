//! The gateway under test: the real binary, observed through its output and its
//! two listeners.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;

use serde_json::Value;

use crate::support::client::{Client, Request, Response};
use crate::support::prometheus::Metrics;
pub use crate::support::setup::{Setup, UPSTREAM_KEY, sha256_hex};
use crate::support::wait;
use crate::support::wait::Watched;

/// A running gateway; killed on drop.
pub struct Gateway {
    child: Child,
    /// The data listener.
    pub listen: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    output: Arc<Watched<Output>>,
    setup: Setup,
}

/// The lines of both streams so far, and how many of them are closed.
#[derive(Default)]
struct Output {
    stdout: Vec<String>,
    stderr: Vec<String>,
    closed: usize,
}

impl Gateway {
    /// Starts the binary and waits until it listens.
    #[track_caller]
    pub fn start(setup: Setup) -> Self {
        let mut command = setup.command();
        let mut child = command.args(["--log-format", "json"]).spawn().unwrap();
        let output = read_output(&mut child);
        let line = output.try_wait(|output| {
            let mut lines = output.stdout.iter();
            let line = lines.find_map(|line| message(line, "listening"));
            line.map(Some)
                .or_else(|| (output.closed == 2).then_some(None))
        });
        let Some(Some(line)) = line else {
            let _ = child.kill();
            let printed = output.with(|output| [output.stdout.clone(), output.stderr.clone()]);
            panic!("the gateway did not start: {printed:#?}");
        };
        Self {
            child,
            listen: address(&text(&line, "listen")),
            admin: address(&text(&line, "admin")),
            output,
            setup,
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.listen)
    }

    /// Sends one request on a new connection and reads the response.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        let mut client = self.client();
        client.send(&request.bytes());
        client.response()
    }

    /// Waits until a new client is served. Until then it may be refused, before or after
    /// it has sent its request.
    #[track_caller]
    pub fn await_room(&self) {
        wait::until("a new client to be served", || {
            let mut client = self.client();
            client.try_send(&Request::get("/health").bytes()).ok()?;
            let head = client.try_head()?;
            (head.status == 200).then_some(())
        });
    }

    #[track_caller]
    pub fn get_admin(&self, path: &str) -> Response {
        let mut client = Client::connect(self.admin);
        client.send(&Request::get(path).bytes());
        client.response()
    }

    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let response = self.get_admin("/metrics");
        assert_eq!(response.status, 200);
        Metrics::parse(&response.text())
    }

    /// Waits until no request and no stream is in flight.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        wait::until("no request and no stream in flight", || {
            let metrics = self.metrics();
            let requests = metrics.sum("trunkline_requests_in_flight", &[]);
            let streams = metrics.sum("trunkline_streams_in_flight", &[]);
            (requests == Some(0.0) && streams == Some(0.0)).then_some(())
        });
    }

    /// Waits until the sum of a metric over these labels reaches a value.
    #[track_caller]
    pub fn await_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        wait::until(&format!("{name}{labels:?} = {value}"), || {
            let sum = self.metrics().sum(name, labels)?;
            ((sum - value).abs() < 1e-9).then_some(())
        });
    }

    /// Waits for `count` access-log lines and returns them in order.
    #[track_caller]
    pub fn access_lines(&self, count: usize) -> Vec<Value> {
        self.output
            .wait(&format!("{count} access lines"), |output| {
                let lines: Vec<Value> = output
                    .stdout
                    .iter()
                    .filter_map(|line| message(line, "request"))
                    .collect();
                (lines.len() >= count).then_some(lines)
            })
    }

    /// Waits for the access-log line of a request.
    #[track_caller]
    pub fn access_line(&self, request_id: &str) -> Value {
        self.output
            .wait(&format!("the access line of {request_id}"), |output| {
                let mut lines = output
                    .stdout
                    .iter()
                    .filter_map(|line| message(line, "request"));
                lines.find(|line| text(line, "request_id") == request_id)
            })
    }

    /// Waits for `count` log lines at a level (`ERROR`, `WARN`, …) that contain all of
    /// `parts`; returns these lines.
    #[track_caller]
    pub fn await_log(&self, level: &str, parts: &[&str], count: usize) -> Vec<String> {
        let has_parts = |line: &String| parts.iter().all(|part| line.contains(part));
        self.output
            .wait(&format!("{count} {level} lines with {parts:?}"), |output| {
                let mut lines = lines_at(&output.stdout, level);
                lines.retain(has_parts);
                (lines.len() >= count).then_some(lines)
            })
    }

    /// Ends the gateway, which must be idle, and returns its output. Only then is it
    /// certain that a line was not written.
    #[track_caller]
    pub fn finish(mut self) -> String {
        self.signal("TERM");
        assert!(self.wait_for_exit().success());
        self.output()
    }

    /// Ends the gateway, which must be idle and must have logged no error.
    #[track_caller]
    pub fn finish_without_errors(self) {
        let output = self.finish();
        let output: Vec<String> = output.lines().map(str::to_owned).collect();
        assert_eq!(lines_at(&output, "ERROR"), Vec::<String>::new());
    }

    /// What was read of standard output and standard error so far: complete only after
    /// [`Gateway::wait_for_exit`], else for use in a wait (`source::waits`).
    pub fn output(&self) -> String {
        self.output
            .with(|output| [output.stdout.join("\n"), output.stderr.join("\n")].join("\n"))
    }

    /// Lines of standard output at a level (`ERROR`, `WARN`, …), as far as they were
    /// read: for use in a wait or after the exit, as [`Gateway::output`].
    pub fn log_lines_at(&self, level: &str) -> Vec<String> {
        self.output.with(|output| lines_at(&output.stdout, level))
    }

    /// Sends a signal by name (`TERM`, `INT`).
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("/bin/sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Rewrites the configuration as editors do, by renaming a new file over it.
    pub fn edit(&self, edit: impl FnOnce(String) -> String) {
        let path = self.directory().join("test.toml");
        let text = edit(std::fs::read_to_string(&path).unwrap());
        let new = self.setup.file("test.toml.new", text.as_bytes());
        std::fs::rename(new, path).unwrap();
    }

    /// Rewrites the configuration and reloads; returns once it is active.
    #[track_caller]
    pub fn reload(&self, edit: impl FnOnce(String) -> String) {
        let next = self.generation() + 1.0;
        self.edit(edit);
        self.signal("HUP");
        self.await_metric("trunkline_config_generation", &[], next);
    }

    #[track_caller]
    pub fn generation(&self) -> f64 {
        let metrics = self.metrics();
        metrics.sum("trunkline_config_generation", &[]).unwrap()
    }

    pub fn directory(&self) -> &Path {
        self.setup.directory()
    }

    #[track_caller]
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = wait::until("the end of the gateway", || child.try_wait().unwrap());
        self.output.wait("the end of its output", |output| {
            (output.closed == 2).then_some(())
        });
        status
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(self.proc_dir().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse().unwrap()
    }

    pub fn open_descriptors(&self) -> usize {
        std::fs::read_dir(self.proc_dir().join("fd"))
            .unwrap()
            .count()
    }

    /// The directory of the process in `/proc`.
    pub fn proc_dir(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("output of the gateway:\n{}", self.output());
        }
    }
}

/// Runs the binary to its end: exit status, standard output, standard error.
#[track_caller]
pub fn run(setup: &Setup, arguments: &[&str]) -> (ExitStatus, String, String) {
    let mut child = setup.command().args(arguments).spawn().unwrap();
    let output = read_output(&mut child);
    let ended = output.try_wait(|output| (output.closed == 2).then_some(()));
    if ended.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    let [stdout, stderr] =
        output.with(|output| [output.stdout.join("\n"), output.stderr.join("\n")]);
    assert!(
        ended.is_some(),
        "{arguments:?} did not end; output: {stdout}\n{stderr}"
    );
    (status, stdout, stderr)
}

/// A listen address; for a Unix-domain socket one that is unreachable.
#[track_caller]
fn address(text: &str) -> SocketAddr {
    let text = if text.starts_with("unix:") {
        "127.0.0.1:0"
    } else {
        text
    };
    text.parse().unwrap()
}

/// A field of a log line as text; empty if absent.
pub fn text(line: &Value, field: &str) -> String {
    match value(line, field) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A field of a log line, at the top level or under `fields`.
pub fn value(line: &Value, field: &str) -> Value {
    line.get(field)
        .or_else(|| line["fields"].get(field))
        .cloned()
        .unwrap_or(Value::Null)
}

fn lines_at(output: &[String], level: &str) -> Vec<String> {
    let is_at_level = |line: &&String| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.is_some_and(|line| line["level"] == level)
    };
    output.iter().filter(is_at_level).cloned().collect()
}

fn message(line: &str, message: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (text(&line, "message") == message).then_some(line)
}

fn read_output(child: &mut Child) -> Arc<Watched<Output>> {
    let output = Arc::new(Watched::new(Output::default()));
    read_lines(child.stdout.take().unwrap(), &output, |output| {
        &mut output.stdout
    });
    read_lines(child.stderr.take().unwrap(), &output, |output| {
        &mut output.stderr
    });
    output
}

fn read_lines(
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
