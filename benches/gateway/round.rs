//! One measurement: one gateway in one scenario, with every process started afresh.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cpu_time::{self, Usage};
use crate::gateways::{Gateway, LaunchSettings};
use crate::options::Options;
use crate::process::{Subprocess, open_files};
use crate::protocol::{LoadResult, LoadSettings, MockSettings, PATH, alias, client_key, now};
use crate::scenario::{Kind, Limits, Scenario};
use crate::store::Store;

/// The figures of one measurement by name.
pub type Figures = BTreeMap<&'static str, f64>;

/// Longest wait for a gateway's first response; the slowest are written in Python.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for output of the mock or the load generator, besides the window.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between the first response and the measurement of idle memory.
const IDLE_PAUSE: Duration = Duration::from_millis(100);

/// Constant within a run.
#[derive(Debug)]
pub struct RunContext<'a> {
    pub options: &'a Options,
    pub directory: &'a Path,
}

/// A started gateway.
struct Running {
    _process: Subprocess,
    group: u32,
    started_in: Duration,
    idle: Usage,
}

pub fn measure(
    context: &RunContext<'_>,
    scenario: &Scenario,
    gateway: &Gateway,
    program: Option<&Path>,
) -> Result<Figures, String> {
    let mock = start_mock(context, scenario, gateway);
    let upstream = mock
        .read_line(OUTPUT_TIMEOUT)?
        .parse()
        .map_err(|_| "the mock failed")?;
    let store = match (scenario.limits, program) {
        (Limits::OverReplicas, Some(_)) => Some(Store::start(context.directory)?),
        _ => None,
    };
    let running = program
        .map(|program| {
            start(
                context,
                scenario,
                gateway,
                program,
                (upstream, store.as_ref()),
            )
        })
        .transpose()?;
    let port = running.as_ref().map_or(upstream, |(_, port)| *port);
    let mut load = start_load(context, scenario, gateway, (port, upstream));
    expect_line(&load, "ready", OUTPUT_TIMEOUT)?;
    let groups = [
        running.as_ref().map(|(it, _)| it.group),
        Some(mock.group()),
        Some(load.group()),
        store.as_ref().map(|store| store.group),
    ];
    let calls = || store.as_ref().and_then(Store::calls).unwrap_or(0);
    let usages = || {
        let [gateway, mock, load, store] =
            groups.map(|group| group.map(cpu_time::of_group).unwrap_or_default());
        let machine = Usage {
            cpu: cpu_time::of_machine(),
            ..Usage::default()
        };
        [gateway, mock, load, store, machine]
    };
    let before = (usages(), calls());
    load.write_line("go");
    expect_line(&load, "stop", scenario.window + OUTPUT_TIMEOUT)?;
    let after = (usages(), calls());
    let line = load.read_line(OUTPUT_TIMEOUT)?;
    let result: LoadResult = serde_json::from_str(&line).map_err(|_| load_error(&line))?;
    let mut figures = figures(scenario, &result, &before.0, &after.0);
    if let Some((running, _)) = &running {
        running.add(scenario, &result, &after.0[0], &mut figures);
    }
    let calls = after.1.saturating_sub(before.1) as f64;
    figures.insert("store_calls_per_s", calls / result.seconds);
    Ok(figures)
}

fn start_mock(context: &RunContext<'_>, scenario: &Scenario, gateway: &Gateway) -> Subprocess {
    Subprocess::start(
        "mock",
        &MockSettings {
            response: scenario.response,
            transport: scenario.transport,
            threads: Options::helpers(),
            body: gateway.exact.then(|| scenario.body_length()),
            directory: context.directory.to_owned(),
        },
    )
}

fn start_load(
    context: &RunContext<'_>,
    scenario: &Scenario,
    gateway: &Gateway,
    (port, upstream): (u16, u16),
) -> Subprocess {
    Subprocess::start(
        "load",
        &LoadSettings {
            port,
            threads: Options::helpers(),
            connections: scenario.connections,
            body: scenario.body,
            field_lines: gateway.field_lines(upstream),
            alias_count: scenario.alias_count,
            response: scenario.response,
            exact: gateway.exact,
            rate: scenario.rate,
            spread: scenario.spread,
            warm_up: context.options.warm_up(),
            window: scenario.window,
        },
    )
}

/// Starts a gateway and waits for its first response.
fn start(
    context: &RunContext<'_>,
    scenario: &Scenario,
    gateway: &Gateway,
    program: &Path,
    (upstream, store): (u16, Option<&Store>),
) -> Result<(Running, u16), String> {
    let port = free_port();
    let command = gateway.prepare(
        program,
        &LaunchSettings {
            directory: context.directory,
            port,
            upstream,
            transport: scenario.transport,
            workers: context.options.workers(),
            open_files: open_files(),
            alias_count: scenario.alias_count,
            keys: scenario.keys,
            limits: scenario.limits,
            store: store.map(|store| store.port),
        },
    );
    let log = context.directory.join("gateway.log");
    let (process, group, started) = Subprocess::supervised(&command, &log)?;
    let since = Instant::now();
    let field_lines = gateway.field_lines(upstream);
    while !responds(port, scenario, &field_lines) {
        if since.elapsed() > START_TIMEOUT || cpu_time::of_group(group).processes == 0 {
            let output = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("no response; output: {output}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let started_in = Duration::from_nanos(now().saturating_sub(started));
    std::thread::sleep(IDLE_PAUSE);
    let running = Running {
        _process: process,
        group,
        started_in,
        idle: cpu_time::of_group(group),
    };
    Ok((running, port))
}

/// Whether a request gets a 200 now.
fn responds(port: u16, scenario: &Scenario, field_lines: &str) -> bool {
    let body = scenario.body.body(&alias(0), false);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n{field_lines}content-length: {}\r\n\r\n",
        client_key(0),
        body.len()
    );
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut status = [0; 12];
    let _ = socket.set_read_timeout(Some(START_TIMEOUT));
    let exchange = socket
        .write_all(head.as_bytes())
        .and_then(|()| socket.write_all(&body))
        .and_then(|()| socket.read_exact(&mut status));
    exchange.is_ok() && status.ends_with(b" 200")
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn expect_line(load: &Subprocess, expected: &str, within: Duration) -> Result<(), String> {
    let line = load.read_line(within)?;
    if line == expected {
        Ok(())
    } else {
        Err(load_error(&line))
    }
}

fn load_error(line: &str) -> String {
    line.strip_prefix("error ").unwrap_or(line).to_owned()
}

/// Gateway, mock, load generator, store; last the machine, with CPU time only.
type Usages = [Usage; 5];

/// Figures of every measurement, the direct call included.
fn figures(scenario: &Scenario, result: &LoadResult, before: &Usages, after: &Usages) -> Figures {
    let cpu_micros = |which: usize| after[which].cpu.saturating_sub(before[which].cpu) as f64 / 1e3;
    let known: f64 = (0..4).map(cpu_micros).sum();
    let others = (cpu_micros(4) - known).max(0.0);
    let mut figures = Figures::from([
        ("requests_per_s", result.requests as f64 / result.seconds),
        ("gateway_cores", cpu_micros(0) / result.seconds / 1e6),
        ("mock_cores", cpu_micros(1) / result.seconds / 1e6),
        ("load_cores", cpu_micros(2) / result.seconds / 1e6),
        ("store_cores", cpu_micros(3) / result.seconds / 1e6),
        ("other_cores", others / result.seconds / 1e6),
    ]);
    if result.requests > 0 {
        figures.extend([
            ("cpu_us_per_request", cpu_micros(0) / result.requests as f64),
            ("latency_p50_us", result.latency.p50),
            ("latency_p99_us", result.latency.p99),
            ("latency_p999_us", result.latency.p999),
        ]);
    }
    if result.chunks > 0 {
        let chunks = result.chunks as f64;
        figures.extend([
            ("chunks_per_s", chunks / result.seconds),
            ("cpu_us_per_chunk", cpu_micros(0) / chunks),
            (
                "chunks_per_read",
                result.events_total as f64 / result.reads as f64,
            ),
            (
                "chunks_per_frame",
                result.events_total as f64 / result.frames.max(1) as f64,
            ),
            ("first_p50_us", result.first.p50),
            ("first_p99_us", result.first.p99),
            ("relay_p50_us", result.relay.p50),
            ("relay_p99_us", result.relay.p99),
            ("relay_p999_us", result.relay.p999),
        ]);
    }
    if matches!(scenario.kind, Kind::Paced | Kind::Open) {
        figures.insert("open", result.open as f64);
    }
    figures
}

impl Running {
    /// Figures of the gateway's process.
    fn add(&self, scenario: &Scenario, result: &LoadResult, after: &Usage, figures: &mut Figures) {
        let mib = |kib: u64| kib as f64 / 1024.0;
        figures.extend([
            ("start_ms", self.started_in.as_secs_f64() * 1e3),
            ("idle_mib", mib(self.idle.resident)),
            ("peak_mib", mib(after.peak)),
        ]);
        if scenario.kind == Kind::LargeRequests {
            let more = after.peak as f64 - self.idle.resident as f64;
            figures.insert("kib_per_request", more / scenario.connections as f64);
        }
        if scenario.kind == Kind::Open && result.open > 0 {
            let more = after.resident as f64 - self.idle.resident as f64;
            figures.insert("kib_per_stream", more / result.open as f64);
        }
    }
}
