//! O-08: nobody reads what the gateway says, and it serves all the same.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus};

use serde_json::Value;

use crate::support::client::{Client, Request};
use crate::support::gateway::{Setup, text};
use crate::support::prometheus::Metrics;
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;

/// A gateway whose output was read up to the line that says where it listens.
struct Unheard {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Unheard {
    fn start(setup: &Setup) -> (Self, BufReader<ChildStdout>) {
        let mut command = setup.command();
        command.args(["--log-format", "json"]);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("\"listening\"") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it did not start");
        }
        let line: Value = serde_json::from_str(&line).unwrap();
        let gateway = Self {
            child,
            listen: text(&line, "listen").parse().unwrap(),
            admin: text(&line, "admin").parse().unwrap(),
        };
        (gateway, output)
    }

    /// Asks so many times, and gets an answer each time.
    fn ask(&self, times: usize) {
        let mut client = Client::connect(self.listen);
        for _ in 0..times {
            client.send(&Request::chat("m").bytes());
            assert_eq!(client.answer().status, 200);
        }
    }

    /// Waits until lines are counted as lost.
    fn loses_lines(&self) {
        wait::until("lines to be counted as lost", || {
            let mut client = Client::connect(self.admin);
            client.send(&Request::get("/metrics").bytes());
            let metrics = Metrics::parse(&client.answer().text());
            let lost = metrics.sum("trunkline_log_lines_lost_total", &[])?;
            (lost > 0.0).then_some(())
        });
    }

    fn end(mut self) -> ExitStatus {
        let kill = format!("kill -TERM {}", self.child.id());
        let mut shell = Command::new("/bin/sh");
        assert!(shell.args(["-c", &kill]).status().unwrap().success());
        wait::until("its end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn o08_a_reader_that_stops_reading_costs_lines_and_no_requests() {
    let upstream = Upstream::answering(reply::completion("hi"));
    // Lines are many and long, so that what holds them is full soon.
    let setup = Setup::over(&upstream).log("level = \"debug\"");
    let (gateway, output) = Unheard::start(&setup);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| gateway.ask(1200));
        }
    });
    gateway.loses_lines();
    gateway.ask(1);
    // It does not wait for the reader at its end either.
    assert_eq!(gateway.end().code(), Some(0));
    drop(output);
}

#[test]
fn o08_a_reader_that_is_gone_costs_lines_and_no_requests() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let (gateway, output) = Unheard::start(&Setup::over(&upstream));
    drop(output);
    gateway.ask(3);
    gateway.loses_lines();
    gateway.ask(1);
    assert_eq!(gateway.end().code(), Some(0));
}
