//! The first bytes of a connection, which tell HTTP/2 from HTTP/1, arrive in fragments
//! (docs/faults.md#s9).

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::wait::{DEADLINE, POLL};

/// The preface and empty SETTINGS (RFC 9113, sections 3.4 and 6.5).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const SETTINGS: u8 = 4;

/// Sends fragments one by one: the gateway has taken each before the next one is sent.
fn send_in_fragments<'p>(
    gateway: &Gateway,
    fragments: impl IntoIterator<Item = &'p [u8]>,
) -> Client {
    let mut client = gateway.client();
    for fragment in fragments {
        client.send(fragment);
        // Nothing can be seen of it from outside; sooner, it is the same as one fragment.
        std::thread::sleep(POLL);
    }
    client
}

fn connect(gateway: &Gateway) -> TcpStream {
    let socket = TcpStream::connect(gateway.listen).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

#[test]
fn s9_an_http1_request_may_begin_like_the_http2_preface() {
    let gateway = Setup::new().start();
    for method in ["P", "PR", "PRIX", "POST", "PROPFIND"] {
        let bytes = Request::new(method, "/health").bytes();
        let whole = send_in_fragments(&gateway, [&*bytes]).response();
        let allow = whole.header("allow");
        assert_eq!(whole.status, 405, "{method}");
        for cuts in [
            vec![1],
            vec![2],
            vec![3],
            vec![1, 2],
            vec![1, 2, 3],
            vec![2, 3],
        ] {
            let mut fragments = Vec::new();
            let mut start = 0;
            for cut in cuts.iter().copied().chain([bytes.len()]) {
                fragments.push(&bytes[start..cut]);
                start = cut;
            }
            let response = send_in_fragments(&gateway, fragments).response();
            assert_eq!(response.status, 405, "{method} {cuts:?}");
            assert_eq!(response.header("allow"), allow, "{method} {cuts:?}");
        }
    }
}

#[test]
fn s9_a_preface_byte_by_byte_opens_http2() {
    let gateway = Setup::new().start();
    let mut socket = connect(&gateway);
    for byte in PREFACE {
        socket.write_all(&[*byte]).unwrap();
        std::thread::sleep(POLL / 5);
    }
    let mut frame = [0; 9];
    socket.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], SETTINGS, "{frame:?}");
}

#[test]
fn s9_half_a_preface_has_the_time_of_a_head() {
    let gateway = Setup::new().server("header_timeout = \"400ms\"").start();
    // Up to the frame that has to follow, which is half of it.
    for start in [0, 1, 2, 3, 4, 14, 23, 24, 30] {
        let mut socket = connect(&gateway);
        socket.write_all(&PREFACE[..start]).unwrap();
        // From the fourth byte on, the gateway sends its own SETTINGS.
        socket.read_to_end(&mut Vec::new()).unwrap();
    }
    let labels = [("kind", "header_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &labels, 9.0);
    // A connection that is open has the time of an idle one.
    let mut open = connect(&gateway);
    open.write_all(PREFACE).unwrap();
    open.set_read_timeout(Some(Duration::from_millis(800)))
        .unwrap();
    let error = open.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn s9_a_client_that_leaves_within_the_preface_is_not_waited_for() {
    let gateway = Setup::new().server("header_timeout = \"600s\"").start();
    for start in ["P", "PRI"] {
        let mut client = send_in_fragments(&gateway, [start.as_bytes()]);
        client.shutdown_write();
        client.assert_closed();
    }
}

/// How often the threads of the process have gone to sleep.
fn sleeps(gateway: &Gateway) -> u64 {
    let tasks = fs::read_dir(gateway.proc_dir().join("task")).unwrap();
    let sleeps_of = |status: String| {
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    };
    let statuses =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    statuses.map(sleeps_of).sum()
}

#[test]
#[cfg(target_os = "linux")]
fn s9_half_a_preface_costs_no_cpu() {
    const CONNECTIONS: usize = 200;
    let gateway = Setup::new().start();
    let started = |start: &str| {
        let mut client = gateway.client();
        client.send(start.as_bytes());
        client
    };
    let clients: Vec<Client> = (0..CONNECTIONS).map(|_| started("PRI")).collect();
    gateway.await_metric("trunkline_connections", &[], CONNECTIONS as f64);
    // The process does nothing in this time but what it does by itself.
    let before = sleeps(&gateway);
    std::thread::sleep(Duration::from_secs(1));
    let during = sleeps(&gateway) - before;
    assert!(during < 100, "{during} sleeps in a second");
    drop(clients);
}
