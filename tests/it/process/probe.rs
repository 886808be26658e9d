//! `trunkline probe`: the exit code is the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::gateway::{Setup, run};
use crate::support::request::Request;
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;

/// Exit code and all that was said.
#[track_caller]
fn probe(setup: &Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let (status, stdout, stderr) = run(setup, &[&["probe"], arguments].concat());
    (status.code(), stdout + &stderr)
}

/// As [`probe`], of a gateway that answers, however late: on a busy machine
/// the first time may take longer than a probe waits.
#[track_caller]
fn answered(url: &str) -> (Option<i32>, String) {
    wait::until("an answer to a probe", || {
        let (code, said) = probe(&Setup::new(), &["--url", url]);
        (!said.contains("gives no answer within")).then_some((code, said))
    })
}

/// Takes an address so that nobody else listens there, and nor do we.
fn occupy(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

#[test]
fn tells_a_ready_gateway_from_one_that_drains() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        held.pass();
        exchange.send(reply::completion("late"));
    });
    let mut gateway = Setup::over(&upstream).start();
    let url = |path: &str| format!("http://{}{path}", gateway.admin);
    let (ready, live) = (url("/readyz"), url("/livez"));
    let (code, said) = answered(&ready);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said, format!("{ready} answers 200 OK: ready"));
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.arrived(1);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.ask_admin("/readyz").status == 503).then_some(())
    });
    let (code, said) = answered(&ready);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(
        said,
        format!("{ready} answers 503 Service Unavailable: draining")
    );
    assert_eq!(answered(&live).0, Some(0));
    gate.open();
    assert_eq!(client.answer().status, 200);
    assert_eq!(gateway.ended().code(), Some(0));
    let _occupied = occupy(gateway.admin);
    let (code, said) = probe(&Setup::new(), &["--url", &live]);
    assert_eq!(code, Some(1));
    assert!(said.contains("gives no answer"), "{said}");
}

#[test]
fn asks_the_admin_listener_of_the_configuration() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let admin = thread::spawn(move || {
        let mut asked = Vec::new();
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
            asked.push(head.lines().next().unwrap().to_owned());
        }
        asked
    });
    let listen = format!("0.0.0.0:{port}");
    let setup = || Setup::new().variable("TRUNKLINE_ADMIN__LISTEN", &listen);
    for question in [&[][..], &["livez"]] {
        let (code, said) = probe(&setup(), question);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.starts_with(&format!("http://127.0.0.1:{port}/")),
            "{said}"
        );
    }
    let asked = admin.join().unwrap();
    assert_eq!(asked, ["GET /readyz HTTP/1.1", "GET /livez HTTP/1.1"]);
}

#[test]
fn gives_up_on_one_that_listens_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let (code, said) = probe(&Setup::new(), &["--url", &url]);
    assert_eq!(code, Some(1));
    assert_eq!(said, format!("{url} gives no answer within 2s"));
}

#[test]
fn says_what_to_do_where_there_is_nothing_to_ask() {
    let off = Setup::new().variable("TRUNKLINE_ADMIN__LISTEN", "off");
    let (code, said) = probe(&off, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("--url"), "{said}");
    let (code, said) = probe(&Setup::new(), &["--url", "https://127.0.0.1:1/"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("http://HOST:PORT/PATH"), "{said}");
}
