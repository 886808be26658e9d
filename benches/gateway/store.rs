//! A Valkey or Redis server for a gateway whose limits hold over several replicas.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::Subprocess;

/// Programs that are the server, and the name to run each under: packages of tools hold it
/// as the program that checks a dump.
const PROGRAMS: [(&str, &str); 4] = [
    ("valkey-server", "valkey-server"),
    ("valkey-check-rdb", "valkey-server"),
    ("redis-server", "redis-server"),
    ("redis-check-rdb", "redis-server"),
];
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running server; it ends on drop.
#[derive(Debug)]
pub struct Store {
    _process: Subprocess,
    pub group: u32,
    pub port: u16,
}

/// Whether one is installed.
pub fn is_installed() -> bool {
    program().is_some()
}

impl Store {
    pub fn start(directory: &Path) -> Result<Self, String> {
        let (program, name) = program().ok_or("no Valkey or Redis server is installed")?;
        let link = directory.join(name);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(program, &link).map_err(|error| error.to_string())?;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let command = format!(
            "{} --port {port} --bind 127.0.0.1 --appendonly no --save",
            link.display()
        );
        let mut command: Vec<String> = command.split(' ').map(str::to_owned).collect();
        command.push(String::new());
        let log = directory.join("store.log");
        let (process, group, _) = Subprocess::supervised(&command, &log)?;
        let store = Self {
            _process: process,
            group,
            port,
        };
        let since = Instant::now();
        while store.calls().is_none() {
            if since.elapsed() > START_TIMEOUT {
                return Err("the store does not respond".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(store)
    }

    /// The scripts that it ran so far.
    pub fn calls(&self) -> Option<u64> {
        let client = redis::Client::open(("127.0.0.1", self.port)).ok()?;
        let mut connection = client.get_connection().ok()?;
        let mut command = redis::cmd("INFO");
        let text: String = command.arg("commandstats").query(&mut connection).ok()?;
        let of = |command: &str| -> u64 {
            let prefix = format!("cmdstat_{command}:calls=");
            let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
            let number = line.and_then(|line| line.split(',').next()?.parse().ok());
            number.unwrap_or(0)
        };
        Some(of("evalsha") + of("eval"))
    }
}

fn program() -> Option<(PathBuf, &'static str)> {
    let path = std::env::var_os("PATH")?;
    PROGRAMS.iter().find_map(|(file, name)| {
        let mut folders = std::env::split_paths(&path);
        let program = folders.find_map(|folder| {
            let program = folder.join(file);
            program.is_file().then_some(program)
        });
        Some((program?, *name))
    })
}
