//! `trunkline probe` and its exit codes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::gateway::{Setup, run};
use crate::support::request::Request;
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

/// Runs the command; returns its exit code and output.
#[track_caller]
fn probe(setup: &Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let (status, stdout, stderr) = run(setup, &[&["probe"], arguments].concat());
    (status.code(), stdout + &stderr)
}

/// As [`probe`], of a gateway that responds eventually: on a busy machine the
/// first response may exceed the probe's timeout.
#[track_caller]
fn probe_until_response(url: &str) -> (Option<i32>, String) {
    wait::until("a response to a probe", || {
        let (code, output) = probe(&Setup::new(), &["--url", url]);
        (!output.contains("no response within")).then_some((code, output))
    })
}

/// Binds an address without listening, so that no process listens there.
fn occupy(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

#[test]
fn distinguishes_a_ready_gateway_from_a_draining_one() {
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        gate_of_upstream.acquire();
        exchange.send(response::completion("late"));
    });
    let mut gateway = Setup::with_upstream(&upstream).start();
    let url = |path: &str| format!("http://{}{path}", gateway.admin);
    let (ready, live) = (url("/readyz"), url("/livez"));
    let (code, output) = probe_until_response(&ready);
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(output, format!("{ready} responded 200 OK: ready"));
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    let (code, output) = probe_until_response(&ready);
    assert_eq!(code, Some(1), "{output}");
    assert_eq!(
        output,
        format!("{ready} responded 503 Service Unavailable: draining")
    );
    assert_eq!(probe_until_response(&live).0, Some(0));
    gate.release();
    assert_eq!(client.response().status, 200);
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    let _occupied = occupy(gateway.admin);
    let (code, output) = probe(&Setup::new(), &["--url", &live]);
    assert_eq!(code, Some(1));
    assert!(output.contains("no response"), "{output}");
}

#[test]
fn probes_the_admin_listener_of_the_configuration() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let admin = thread::spawn(move || {
        let mut received = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n")
                .unwrap();
            let head = String::from_utf8(head).unwrap();
            received.push(head.lines().next().unwrap().to_owned());
        }
        received
    });
    let listen = format!("0.0.0.0:{port}");
    let setup = || Setup::new().env("TRUNKLINE_ADMIN__LISTEN", &listen);
    for arguments in [&[][..], &["livez"]] {
        let (code, output) = probe(&setup(), arguments);
        assert_eq!(code, Some(0), "{output}");
        assert!(
            output.starts_with(&format!("http://127.0.0.1:{port}/")),
            "{output}"
        );
    }
    let received = admin.join().unwrap();
    assert_eq!(received, ["GET /readyz HTTP/1.1", "GET /livez HTTP/1.1"]);
}

#[test]
fn gives_up_on_a_listener_that_does_not_respond() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let (code, output) = probe(&Setup::new(), &["--url", &url]);
    assert_eq!(code, Some(1));
    assert_eq!(output, format!("{url}: no response within 2s"));
}

#[test]
fn explains_what_to_do_without_an_admin_listener() {
    let off = Setup::new().env("TRUNKLINE_ADMIN__LISTEN", "off");
    let (code, output) = probe(&off, &[]);
    assert_eq!(code, Some(1));
    assert!(output.contains("--url"), "{output}");
    let (code, output) = probe(&Setup::new(), &["--url", "https://127.0.0.1:1/"]);
    assert_eq!(code, Some(1));
    assert!(output.contains("http://HOST:PORT/PATH"), "{output}");
}

#[test]
fn a_file_with_errors_elsewhere_does_not_fail_a_probe() {
    let gateway = Setup::new().start();
    let listen = gateway.admin.to_string();
    for broken in ["[models.m]\nprovider = \"nowhere\"", "[half"] {
        let setup = Setup::new()
            .section(broken)
            .env("TRUNKLINE_ADMIN__LISTEN", &listen);
        let (code, output) = wait::until("a response to a probe", || {
            let (code, output) = probe(&setup, &[]);
            (!output.contains("no response within")).then_some((code, output))
        });
        assert_eq!(code, Some(0), "{output}");
    }
    let wrong = Setup::new().env("TRUNKLINE_ADMIN__LISTEN", "8081");
    let (code, output) = probe(&wrong, &[]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("not an IP address and port"), "{output}");
}
