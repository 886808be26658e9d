//! File descriptors: the limit is raised as far as possible, and running out of
//! them is survived.

use crate::support::client::Client;
use crate::support::gateway::Setup;

const TOO_FEW: &str = "too few file descriptors for server.max_connections";

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
fn too_few_are_logged_and_idle_connections_make_room() {
    let gateway = Setup::new()
        .server("max_connections = 100")
        .shell("ulimit -n 80")
        .start();
    gateway.await_log("WARN", &[TOO_FEW], 1);
    let crowd: Vec<Client> = (0..100).map(|_| gateway.client()).collect();
    // The first are refused: the crowd may still send something.
    gateway.await_room();
    assert!(gateway.open_descriptors() < 80);
    drop(crowd);
    assert!(!gateway.finish().contains("cannot accept"));
}

#[test]
fn a_default_that_the_machine_cannot_meet_is_lowered_without_a_warning() {
    let gateway = Setup::new().shell("ulimit -n 1024").start();
    gateway.await_log("INFO", &["listening", "\"max_connections\":480"], 1);
    assert!(!gateway.finish().contains(TOO_FEW));
}
