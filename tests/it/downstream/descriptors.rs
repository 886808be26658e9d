//! File descriptors: the limit is raised as far as possible, and running out of
//! them is survived.

use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::wait;

#[test]
fn the_limit_is_raised_as_far_as_possible() {
    let gateway = Setup::new().shell("ulimit -Sn 256").start();
    let limits = std::fs::read_to_string(gateway.proc_dir().join("limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    assert_ne!(numbers[0], "256");
}

#[test]
fn too_few_are_logged_and_connections_without_one_wait() {
    let gateway = Setup::new().shell("ulimit -n 80").start();
    let warned = |text: &str| {
        wait::until(text, || {
            let lines = gateway.log_lines_at("WARN").join("\n");
            lines.contains(text).then_some(())
        });
    };
    warned("too few file descriptors for server.max_connections");
    let crowd: Vec<Client> = (0..100).map(|_| gateway.client()).collect();
    warned("cannot accept");
    let mut late = gateway.client();
    late.send(&Request::get("/health").bytes());
    drop(crowd);
    assert_eq!(late.response().status, 200);
    // The accept loop pauses between two attempts.
    let tries = gateway.log_lines_at("WARN").len();
    assert!(tries < 500, "{tries} lines for one shortage");
}
