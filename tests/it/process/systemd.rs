//! Notifications to a service manager such as systemd, `sd_notify(3)`.

use std::os::unix::net::UnixDatagram;

use crate::support::gateway::Setup;
use crate::support::wait;

/// A service manager's socket, and a setup that names it.
fn managed() -> (UnixDatagram, Setup) {
    let setup = Setup::new();
    let path = setup.file("notify", b"");
    std::fs::remove_file(&path).unwrap();
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    let setup = setup.env("NOTIFY_SOCKET", path.to_str().unwrap());
    (socket, setup)
}

#[track_caller]
fn message(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("a message");
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn ready_and_stopping_are_notified() {
    let (socket, setup) = managed();
    let mut gateway = setup.server("drain_timeout = \"90s\"").start();
    assert_eq!(message(&socket), "READY=1\n");
    assert_eq!(gateway.get_admin("/readyz").status, 200);
    gateway.signal("TERM");
    // The drain timeout, and five seconds for the exit.
    assert_eq!(
        message(&socket),
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=95000000\n"
    );
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn the_begin_and_end_of_a_reload_are_notified() {
    let (socket, setup) = managed();
    let gateway = setup.start();
    assert_eq!(message(&socket), "READY=1\n");
    gateway.signal("HUP");
    let begun = message(&socket);
    assert!(begun.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{begun}");
    assert_eq!(message(&socket), "READY=1\n");
}

#[test]
fn a_watchdog_is_notified_while_the_gateway_runs() {
    let (socket, setup) = managed();
    let gateway = setup.env("WATCHDOG_USEC", "200000").start();
    assert_eq!(message(&socket), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(message(&socket), "WATCHDOG=1\n");
    }
    assert_eq!(gateway.get_admin("/livez").status, 200);
}

#[test]
fn a_missing_manager_causes_a_warning_and_stops_nothing() {
    let (socket, setup) = managed();
    drop(socket);
    let gateway = setup.start();
    assert_eq!(gateway.get_admin("/readyz").status, 200);
    gateway.await_log("WARN", &["service manager"], 1);
}
