//! Processes that cannot outlive the run. Each has a pipe from the harness as
//! its standard input and goes when that closes, which it does however the
//! harness ends. A program of others does not know of this, so a keeper (this
//! binary again) stands between and ends it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::protocol::now;

/// Raises the limit on open files to what is allowed; `unsafe` is forbidden
/// here, so the shell does it and then becomes the program.
const RAISED: &str = "ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\"";
/// Time that a program gets to end before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// A process of this run; it ends with this value.
#[derive(Debug)]
pub struct Kept {
    child: Child,
    lines: Receiver<String>,
}

impl Kept {
    /// This binary in one of its other parts.
    pub fn part(part: &str, orders: &impl Serialize) -> Self {
        let orders = serde_json::to_string(orders).unwrap();
        Self::start(&[part, &orders], Stdio::inherit())
    }

    /// A program of others, what it writes going to `log`. Yields its process
    /// group and when it was started, in nanoseconds since 1970.
    pub fn program(command: &[String], log: &Path) -> Result<(Self, u32, u64), String> {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let log = File::create(log).map_err(|error| error.to_string())?;
        let kept = Self::start(&[&["keep"], &*command].concat(), log.into());
        let line = kept.line(Duration::from_secs(10))?;
        let (group, started) = line.split_once(' ').ok_or("the keeper failed")?;
        let numbers = (group.parse(), started.parse());
        let (Ok(group), Ok(started)) = numbers else {
            return Err(format!("the keeper said {line}"));
        };
        Ok((kept, group, started))
    }

    fn start(arguments: &[&str], stderr: Stdio) -> Self {
        let mut child = Command::new("/bin/sh")
            .args(["-c", RAISED])
            .arg(std::env::current_exe().unwrap())
            .arg(crate::PART)
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Its process group, which is its own.
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it writes.
    pub fn line(&self, within: Duration) -> Result<String, String> {
        self.lines
            .recv_timeout(within)
            .map_err(|_| format!("no word within {within:?}"))
    }

    /// Writes a line to it.
    pub fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let since = Instant::now();
        while since.elapsed() < GRACE * 3 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends this process when the harness lets go of it.
pub fn exit_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The keeper: starts a program in a group of its own, and ends the whole
/// group when the harness lets go.
pub fn keep(command: &[String]) {
    let mut program = Command::new(&command[0])
        .args(&command[1..])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    println!("{} {}", program.id(), now());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let group = program.id();
    signal("TERM", group);
    let since = Instant::now();
    while since.elapsed() < GRACE && matches!(program.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // Workers whose master is gone are in the group still.
    signal("KILL", group);
    let _ = program.wait();
}

fn signal(name: &str, group: u32) {
    let script = format!("kill -{name} -{group} 2>/dev/null");
    let _ = Command::new("/bin/sh").args(["-c", &script]).status();
}

/// How many files a process may open at most.
pub fn open_files() -> usize {
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -H -n"])
        .output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.map_or(0, |said| said.parse().unwrap_or(usize::MAX))
}
