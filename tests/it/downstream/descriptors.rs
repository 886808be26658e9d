//! File descriptors: the limit is raised as far as possible, and running out of
//! them is survived.

use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;

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
    let gateway = Setup::new().shell("ulimit -n 80").start();
    gateway.await_log(
        "WARN",
        &["too few file descriptors for server.max_connections"],
        1,
    );
    let crowd: Vec<Client> = (0..100).map(|_| gateway.client()).collect();
    for _ in 0..3 {
        assert_eq!(gateway.send(&Request::get("/health")).status, 200);
    }
    assert!(gateway.open_descriptors() < 80);
    drop(crowd);
    assert!(!gateway.finish().contains("cannot accept"));
}
