//! What a service manager such as systemd is told, `sd_notify(3)`.

use std::os::unix::net::UnixDatagram;

use crate::support::gateway::Setup;
use crate::support::wait;

/// The manager's socket, and a setup that names it.
fn managed() -> (UnixDatagram, Setup) {
    let setup = Setup::new();
    let path = setup.file("notify", b"");
    std::fs::remove_file(&path).unwrap();
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    let setup = setup.variable("NOTIFY_SOCKET", path.to_str().unwrap());
    (socket, setup)
}

#[track_caller]
fn message(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("a message");
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn hears_when_callers_are_served_and_when_they_no_longer_are() {
    let (socket, setup) = managed();
    let mut gateway = setup.server("drain_timeout = \"90s\"").start();
    assert_eq!(message(&socket), "READY=1\n");
    assert_eq!(gateway.ask_admin("/readyz").status, 200);
    gateway.signal("TERM");
    // The time to drain, and five seconds for the last words.
    assert_eq!(
        message(&socket),
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=95000000\n"
    );
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn hears_when_a_reload_begins_and_when_it_is_over() {
    let (socket, setup) = managed();
    let gateway = setup.start();
    assert_eq!(message(&socket), "READY=1\n");
    gateway.signal("HUP");
    let begun = message(&socket);
    assert!(begun.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{begun}");
    assert_eq!(message(&socket), "READY=1\n");
}

#[test]
fn a_watchdog_is_fed_while_the_gateway_lives() {
    let (socket, setup) = managed();
    let gateway = setup.variable("WATCHDOG_USEC", "200000").start();
    assert_eq!(message(&socket), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(message(&socket), "WATCHDOG=1\n");
    }
    assert_eq!(gateway.ask_admin("/livez").status, 200);
}

#[test]
fn a_manager_that_is_gone_is_warned_of_and_stops_nobody() {
    let (socket, setup) = managed();
    drop(socket);
    let gateway = setup.start();
    assert_eq!(gateway.ask_admin("/readyz").status, 200);
    wait::until("a warning", || {
        let warnings = gateway.lines_at("WARN").join("\n");
        warnings.contains("service manager").then_some(())
    });
}
