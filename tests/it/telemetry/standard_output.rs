//! Standard output that is not read: requests are served all the same
//! (docs/faults.md#o-08).

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus};

use serde_json::Value;

use crate::support::client::{Client, Request};
use crate::support::gateway::{Setup, text};
use crate::support::prometheus::Metrics;
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

/// A gateway whose output was read up to the line with its addresses.
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

    /// Sends `times` requests, which must all succeed.
    fn send(&self, times: usize) {
        let mut client = Client::connect(self.listen);
        for _ in 0..times {
            client.send(&Request::chat("m").bytes());
            assert_eq!(client.response().status, 200);
        }
    }

    /// Waits until dropped lines are counted.
    fn wait_for_dropped_lines(&self) {
        wait::until("dropped lines to be counted", || {
            let mut client = Client::connect(self.admin);
            client.send(&Request::get("/metrics").bytes());
            let metrics = Metrics::parse(&client.response().text());
            let dropped = metrics.sum("trunkline_log_lines_dropped_total", &[])?;
            (dropped > 0.0).then_some(())
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
fn o08_a_reader_that_stops_reading_loses_lines_but_no_requests() {
    let upstream = Upstream::with_response(response::completion("hi"));
    // Lines are many and long, so that the buffer is full soon.
    let setup = Setup::with_upstream(&upstream).log("level = \"debug\"");
    let (gateway, output) = Unheard::start(&setup);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| gateway.send(1200));
        }
    });
    gateway.wait_for_dropped_lines();
    gateway.send(1);
    // The exit does not wait for the reader either.
    assert_eq!(gateway.end().code(), Some(0));
    drop(output);
}

#[test]
fn o08_a_closed_reader_loses_lines_but_no_requests() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let (gateway, output) = Unheard::start(&Setup::with_upstream(&upstream));
    drop(output);
    gateway.send(3);
    gateway.wait_for_dropped_lines();
    gateway.send(1);
    assert_eq!(gateway.end().code(), Some(0));
}
