//! Few descriptors: as many as can be had are taken, and running out of them
//! stops nothing for good.

use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::wait;

#[test]
fn the_limit_is_raised_as_far_as_it_goes() {
    let gateway = Setup::new().shell("ulimit -Sn 256").start();
    let limits = std::fs::read_to_string(gateway.process().join("limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    assert_ne!(numbers[0], "256");
}

#[test]
fn too_few_are_warned_of_and_those_who_find_none_wait() {
    let gateway = Setup::new().shell("ulimit -n 80").start();
    let warned = |words: &str| {
        wait::until(words, || {
            let lines = gateway.lines_at("WARN").join("\n");
            lines.contains(words).then_some(())
        });
    };
    warned("fewer descriptors than server.max_connections takes");
    let crowd: Vec<Client> = (0..100).map(|_| gateway.client()).collect();
    warned("cannot accept");
    let mut late = gateway.client();
    late.send(&Request::get("/health").bytes());
    drop(crowd);
    assert_eq!(late.answer().status, 200);
    // It rests between two tries.
    let tries = gateway.lines_at("WARN").len();
    assert!(tries < 500, "{tries} lines for one shortage");
}
