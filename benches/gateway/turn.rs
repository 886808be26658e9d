//! One turn: one gateway under one scenario, everything started anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::account::{self, Account};
use crate::child::{Kept, open_files};
use crate::options::Options;
use crate::protocol::{LoadOrders, MockOrders, PATH, Seen, alias, client_key, now, request_body};
use crate::scenario::{Kind, Scenario};
use crate::table::{Gateway, Place};

/// The figures of one turn by name.
pub type Figures = BTreeMap<&'static str, f64>;

/// Longest wait for a gateway to answer; the slowest are of Python.
const START: Duration = Duration::from_secs(60);
/// Longest wait for a word of the mock or the load generator, a window aside.
const WORD: Duration = Duration::from_secs(60);
/// Rest between the first answer and the look at idle memory.
const SETTLE: Duration = Duration::from_millis(100);

/// What does not change within a run.
#[derive(Debug)]
pub struct Site<'a> {
    pub options: &'a Options,
    pub directory: &'a Path,
}

/// A gateway that answers.
struct Running {
    _kept: Kept,
    group: u32,
    started_in: Duration,
    idle: Account,
}

/// Runs one turn.
pub fn take(
    site: &Site<'_>,
    scenario: &Scenario,
    gateway: &Gateway,
    program: Option<&Path>,
) -> Result<Figures, String> {
    let threads = Options::helpers();
    let mock = Kept::part(
        "mock",
        &MockOrders {
            answer: scenario.answer,
            transport: scenario.transport,
            threads,
            body: gateway.exact.then_some(scenario.body),
            directory: site.directory.to_owned(),
        },
    );
    let upstream = mock.line(WORD)?.parse().map_err(|_| "the mock failed")?;
    let running = program
        .map(|program| start(site, scenario, gateway, program, upstream))
        .transpose()?;
    let port = running.as_ref().map_or(upstream, |(_, port)| *port);
    let mut load = Kept::part(
        "load",
        &LoadOrders {
            port,
            threads,
            connections: scenario.connections,
            body: scenario.body,
            model_first: scenario.model_first,
            names: scenario.names,
            answer: scenario.answer,
            exact: gateway.exact,
            rate: scenario.rate,
            spread: scenario.spread,
            warm_up: site.options.warm_up(),
            window: scenario.window,
        },
    );
    word(&load, "ready", WORD)?;
    let groups = [
        running.as_ref().map(|(it, _)| it.group),
        Some(mock.group()),
        Some(load.group()),
    ];
    let accounts = || {
        let [gateway, mock, load] =
            groups.map(|group| group.map(account::of_group).unwrap_or_default());
        let machine = Account {
            cpu: account::of_machine(),
            ..Account::default()
        };
        [gateway, mock, load, machine]
    };
    let before = accounts();
    load.say("go");
    word(&load, "stop", scenario.window + WORD)?;
    let after = accounts();
    let line = load.line(WORD)?;
    let seen: Seen = serde_json::from_str(&line).map_err(|_| fault(&line))?;
    let mut figures = figures(scenario, &seen, &before, &after);
    if let Some((running, _)) = &running {
        running.add(scenario, &seen, &after[0], &mut figures);
    }
    Ok(figures)
}

/// Starts a gateway and waits for its first answer.
fn start(
    site: &Site<'_>,
    scenario: &Scenario,
    gateway: &Gateway,
    program: &Path,
    upstream: u16,
) -> Result<(Running, u16), String> {
    let port = free_port();
    let command = gateway.prepare(
        program,
        &Place {
            directory: site.directory,
            port,
            upstream,
            transport: scenario.transport,
            workers: site.options.workers(),
            open_files: open_files(),
            names: scenario.names,
            keys: scenario.keys,
        },
    );
    let log = site.directory.join("gateway.log");
    let (kept, group, started) = Kept::program(&command, &log)?;
    let since = Instant::now();
    while !answers(port, scenario) {
        if since.elapsed() > START || account::of_group(group).processes == 0 {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("it does not answer; it said: {said}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let started_in = Duration::from_nanos(now().saturating_sub(started));
    std::thread::sleep(SETTLE);
    let running = Running {
        _kept: kept,
        group,
        started_in,
        idle: account::of_group(group),
    };
    Ok((running, port))
}

/// Whether a request is answered with 200 by now.
fn answers(port: u16, scenario: &Scenario) -> bool {
    let body = request_body(scenario.body, &alias(0), false, false);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        client_key(0),
        body.len()
    );
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut status = [0; 12];
    let _ = socket.set_read_timeout(Some(START));
    let asked = socket
        .write_all(head.as_bytes())
        .and_then(|()| socket.write_all(&body))
        .and_then(|()| socket.read_exact(&mut status));
    asked.is_ok() && status.ends_with(b" 200")
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn word(load: &Kept, word: &str, within: Duration) -> Result<(), String> {
    let line = load.line(within)?;
    if line == word {
        Ok(())
    } else {
        Err(fault(&line))
    }
}

fn fault(line: &str) -> String {
    line.strip_prefix("fault ").unwrap_or(line).to_owned()
}

/// Gateway, mock, load; last the machine, of which only the CPU time is known.
type Accounts = [Account; 4];

/// Figures that every turn has, the call straight to the mock included.
fn figures(scenario: &Scenario, seen: &Seen, before: &Accounts, after: &Accounts) -> Figures {
    let micros = |which: usize| after[which].cpu.saturating_sub(before[which].cpu) as f64 / 1e3;
    let others = (micros(3) - micros(0) - micros(1) - micros(2)).max(0.0);
    let mut figures = Figures::from([
        ("requests_per_s", seen.requests as f64 / seen.seconds),
        ("gateway_cores", micros(0) / seen.seconds / 1e6),
        ("mock_cores", micros(1) / seen.seconds / 1e6),
        ("load_cores", micros(2) / seen.seconds / 1e6),
        ("other_cores", others / seen.seconds / 1e6),
    ]);
    if seen.requests > 0 {
        figures.extend([
            ("cpu_us_per_request", micros(0) / seen.requests as f64),
            ("latency_p50_us", seen.latency.p50),
            ("latency_p99_us", seen.latency.p99),
            ("latency_p999_us", seen.latency.p999),
        ]);
    }
    if seen.chunks > 0 {
        let chunks = seen.chunks as f64;
        figures.extend([
            ("chunks_per_s", chunks / seen.seconds),
            ("cpu_us_per_chunk", micros(0) / chunks),
            ("chunks_per_read", seen.pieces as f64 / seen.reads as f64),
            (
                "chunks_per_frame",
                seen.pieces as f64 / seen.frames.max(1) as f64,
            ),
            ("first_p50_us", seen.first.p50),
            ("first_p99_us", seen.first.p99),
            ("relay_p50_us", seen.relay.p50),
            ("relay_p99_us", seen.relay.p99),
            ("relay_p999_us", seen.relay.p999),
        ]);
    }
    if matches!(scenario.kind, Kind::Paced | Kind::Open) {
        figures.insert("open", seen.open as f64);
    }
    figures
}

impl Running {
    /// Figures of the process.
    fn add(&self, scenario: &Scenario, seen: &Seen, after: &Account, figures: &mut Figures) {
        let mib = |kib: u64| kib as f64 / 1024.0;
        figures.extend([
            ("start_ms", self.started_in.as_secs_f64() * 1e3),
            ("idle_mib", mib(self.idle.resident)),
            ("peak_mib", mib(after.peak)),
        ]);
        if scenario.kind == Kind::Open && seen.open > 0 {
            let more = after.resident as f64 - self.idle.resident as f64;
            figures.insert("kib_per_stream", more / seen.open as f64);
        }
    }
}
