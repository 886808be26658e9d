//! No port is left for a connection to the upstream (FAULTS, L-06). That takes a
//! network of its own with few ports, which Linux gives to whoever may have a
//! user namespace; elsewhere there is nothing to test.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use socket2::{Domain, SockRef, Socket, Type};

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, reply};

/// A network with a loopback address and twenty ports.
const FEW_PORTS: &str =
    "ip link set lo up && echo '40000 40019' >/proc/sys/net/ipv4/ip_local_port_range";
const MOST_PORTS: usize = 20;

fn in_a_network(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c"]);
    command.arg(format!("{FEW_PORTS} && {script}"));
    command
}

#[test]
fn l06_a_request_without_a_port_is_told_so_and_the_next_one_works() {
    let may = in_a_network("true").output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: no network of its own can be had here");
        return;
    }
    let output =
        in_a_network("exec \"$0\" --ignored --exact --nocapture ports::l06_with_few_ports")
            .arg(std::env::current_exe().unwrap())
            .output()
            .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Connects until there is no port left. None of these connections leaves one
/// behind that has to rest (`TIME_WAIT`).
fn take_all_ports(address: SocketAddr) -> Vec<TcpStream> {
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.connect(&address.into()).ok()?;
        let stream = TcpStream::from(socket);
        SockRef::from(&stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
        Some(stream)
    };
    let taken: Vec<_> = (0..=MOST_PORTS).map_while(connect).collect();
    assert!(taken.len() < MOST_PORTS, "there is no end to the ports");
    taken
}

#[test]
#[ignore = "another test runs it, in a network with few ports"]
fn l06_with_few_ports() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .section("[models.two]\ntargets = [{ provider = \"up\" }, { provider = \"spare\" }]")
        .provider("spare", &upstream.base_url(), "")
        .start();
    let address = SocketAddr::from(([127, 0, 0, 1], upstream.port()));
    // Requests one after the other need one port, however many they are.
    let mut client = gateway.client();
    for _ in 0..10 * MOST_PORTS {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    // The connection that rests is used up by a request that takes its time,
    // and the others find no port.
    gateway.reload(|text| text.replace("upstream-secret-5f3a", "upstream-secret-5f3b"));
    let taken = take_all_ports(address);
    for model in ["m", "two"] {
        let answer = gateway.ask(&Request::chat(model));
        assert_response::error(&answer, 503, "overloaded", None);
        assert!(answer.header("retry-after").is_some());
        let line = gateway.access_line(&answer.request_id());
        assert_eq!(text(&line, "outcome"), "shed");
    }
    let said = gateway.lines_at("WARN").join("\n");
    assert!(
        said.contains("attempt failed") && said.contains("Exhausted"),
        "{said}"
    );
    // It is held against no target.
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("trunkline_ejections_total", &[]), None);
    drop(taken);
    for model in ["m", "two"] {
        assert_eq!(gateway.ask(&Request::chat(model)).status, 200);
    }
    gateway.settle();
}
