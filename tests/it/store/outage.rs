//! The store away: one line when it goes, one when it is back, and no request that waits.

use std::time::{Duration, Instant};

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::store_server::{StoreData, StoreServer};
use crate::support::wait;

const AWAY: &str = "the store is away";

fn setup(url: &str, without: &str) -> Setup {
    let limit = format!("[limits.all]\nrequests = [\"1000/day\"]\nwithout = \"{without}\"");
    let section = format!("[store]\nurl = \"{url}\"\n{limit}");
    Setup::new().section(&section)
}

fn send(gateway: &Gateway) -> Response {
    gateway.send(&Request::chat("demo"))
}

fn up(gateway: &Gateway, expected: f64) {
    gateway.await_metric("trunkline_limit_store_up", &[], expected);
}

#[test]
fn a_gateway_starts_without_its_store_and_finds_it_later() {
    let Some(mut server) = StoreServer::start() else {
        return;
    };
    server.kill();
    let start = Instant::now();
    let gateway = setup(&server.url(), "open").start();
    assert!(start.elapsed() < Duration::from_secs(5));
    up(&gateway, 0.0);
    let lines = gateway.await_log("WARN", &[AWAY], 1);
    assert!(
        lines[0].contains("cannot connect to 127.0.0.1"),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("does it run"), "{}", lines[0]);
    assert_eq!(gateway.get_admin("/readyz").status, 200);
    assert_eq!(send(&gateway).status, 200);
    gateway.await_metric("trunkline_limit_unchecked_total", &[], 1.0);
    server.restart(StoreData::Kept);
    up(&gateway, 1.0);
    let output = gateway.finish();
    assert_eq!(output.matches(AWAY).count(), 1, "{output}");
    assert_eq!(output.matches("the store is back").count(), 1, "{output}");
}

#[test]
fn a_store_that_goes_and_comes_back_has_two_lines() {
    let Some(mut server) = StoreServer::start() else {
        return;
    };
    let gateway = setup(&server.url(), "open").start();
    up(&gateway, 1.0);
    server.kill();
    up(&gateway, 0.0);
    // Several tries to connect.
    let failed = |gateway: &Gateway| {
        gateway
            .metrics()
            .sum("trunkline_limit_store_errors_total", &[])
    };
    wait::until("two failures", || {
        (failed(&gateway) >= Some(2.0)).then_some(())
    });
    assert_eq!(gateway.get_admin("/readyz").status, 200);
    assert_eq!(send(&gateway).status, 200);
    server.restart(StoreData::Lost);
    up(&gateway, 1.0);
    let output = gateway.finish();
    assert_eq!(output.matches(AWAY).count(), 1, "{output}");
    assert_eq!(output.matches("the store is back").count(), 1, "{output}");
}

#[test]
fn what_holds_without_the_store_is_what_the_limit_says() {
    let Some(mut server) = StoreServer::start() else {
        return;
    };
    server.kill();
    let refuses = setup(&server.url(), "refuse").start();
    let response = send(&refuses);
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(response.json()["error"]["code"], "limits_unavailable");
    assert_eq!(response.header("retry-after"), Some("5"));
    let open = setup(&server.url(), "open").start();
    assert_eq!(send(&open).status, 200);
}

#[test]
fn a_store_that_hangs_delays_no_request_for_long() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    let gateway = setup(&server.url(), "open").start();
    up(&gateway, 1.0);
    assert_eq!(send(&gateway).status, 200);
    server.suspend();
    let slowest = (0..30).map(|_| {
        let start = Instant::now();
        assert_eq!(send(&gateway).status, 200);
        start.elapsed()
    });
    let slowest = slowest.max().unwrap();
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    gateway.await_log("WARN", &[AWAY, "no response within 1s"], 1);
    server.resume();
    up(&gateway, 1.0);
}

#[test]
fn a_server_that_refuses_to_write_is_away() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    let gateway = setup(&server.url(), "open").start();
    up(&gateway, 1.0);
    let _: () = server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let lines = gateway.await_log("WARN", &[AWAY, "READONLY"], 1);
    assert!(lines[0].contains("name the primary"), "{}", lines[0]);
    assert_eq!(send(&gateway).status, 200);
    let _: () = server.command(&["REPLICAOF", "NO", "ONE"]);
    up(&gateway, 1.0);
    let _: () = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let lines = gateway.await_log("WARN", &[AWAY, "OOM"], 1);
    assert!(lines[0].contains("raise its maxmemory"), "{}", lines[0]);
    let _: () = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    up(&gateway, 1.0);
}

#[test]
fn without_a_store_there_is_no_thread_for_it() {
    let count = |gateway: &Gateway| {
        let tasks = std::fs::read_dir(gateway.proc_dir().join("task")).unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "store").count()
    };
    let limit = "[limits.all]\nrequests = [\"1000/day\"]";
    let gateway = Setup::new().section(limit).start();
    assert_eq!(count(&gateway), 0);
    assert_eq!(gateway.metrics().sum("trunkline_limit_store_up", &[]), None);
    let Some(server) = StoreServer::start() else {
        return;
    };
    let gateway = setup(&server.url(), "share").start();
    assert_eq!(count(&gateway), 1);
}
