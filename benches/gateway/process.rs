//! Subprocesses that cannot outlive the run. Each has a pipe from the harness as
//! standard input and ends when it closes, which it does however the harness ends.
//! A gateway does not watch the pipe, so a supervisor (this binary again) runs in
//! between and ends it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::protocol::now;

/// Raises the limit on open files to the hard limit. `unsafe` is forbidden here, so
/// the shell does it and then executes the program.
const RAISE_LIMIT: &str = "ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\"";
/// Time that a program gets to exit before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// A subprocess; it ends on drop.
#[derive(Debug)]
pub struct Subprocess {
    child: Child,
    lines: Receiver<String>,
}

impl Subprocess {
    /// Starts this binary as another subprocess.
    pub fn start(name: &str, settings: &impl Serialize) -> Self {
        let settings = serde_json::to_string(settings).unwrap();
        Self::spawn(&[name, &settings], Stdio::inherit())
    }

    /// Starts a gateway whose output goes to `log`. Returns its process group and its
    /// start time, in nanoseconds since 1970.
    pub fn supervised(command: &[String], log: &Path) -> Result<(Self, u32, u64), String> {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let log = File::create(log).map_err(|error| error.to_string())?;
        let process = Self::spawn(&[&["supervise"], &*command].concat(), log.into());
        let line = process.read_line(Duration::from_secs(10))?;
        let (group, started) = line.split_once(' ').ok_or("the supervisor failed")?;
        let numbers = (group.parse(), started.parse());
        let (Ok(group), Ok(started)) = numbers else {
            return Err(format!("unexpected output of the supervisor: {line}"));
        };
        Ok((process, group, started))
    }

    fn spawn(arguments: &[&str], stderr: Stdio) -> Self {
        let mut child = Command::new("/bin/sh")
            .args(["-c", RAISE_LIMIT])
            .arg(std::env::current_exe().unwrap())
            .arg(crate::SUBPROCESS)
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

    /// Its own process group.
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output.
    pub fn read_line(&self, within: Duration) -> Result<String, String> {
        self.lines
            .recv_timeout(within)
            .map_err(|_| format!("no output within {within:?}"))
    }

    /// Writes a line to its standard input.
    pub fn write_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }
}

impl Drop for Subprocess {
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

/// Ends this process when the harness closes the pipe.
pub fn exit_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The supervisor: starts a program in its own process group and ends the whole
/// group when the harness closes the pipe.
pub fn supervise(command: &[String]) {
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
    // Workers whose master has ended are still in the group.
    signal("KILL", group);
    let _ = program.wait();
}

fn signal(name: &str, group: u32) {
    let script = format!("kill -{name} -{group} 2>/dev/null");
    let _ = Command::new("/bin/sh").args(["-c", &script]).status();
}

/// The limit on open files of a process.
pub fn open_files() -> usize {
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -H -n"])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.map_or(0, |text| text.parse().unwrap_or(usize::MAX))
}
