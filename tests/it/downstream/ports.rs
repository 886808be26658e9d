//! Exhausted ports for upstream connections (docs/faults.md#l-06). The test needs a
//! network namespace with few ports, which Linux grants to users that may create a
//! user namespace; elsewhere it is skipped.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use socket2::{Domain, SockRef, Socket, Type};

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, response};

/// A network namespace with a loopback address and twenty ports.
const FEW_PORTS: &str =
    "ip link set lo up && echo '40000 40019' >/proc/sys/net/ipv4/ip_local_port_range";
const MOST_PORTS: usize = 20;

fn in_network_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c"]);
    command.arg(format!("{FEW_PORTS} && {script}"));
    command
}

#[test]
fn l06_a_request_without_a_port_gets_an_error_and_the_next_one_succeeds() {
    let probe = in_network_namespace("true").output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no network namespace available");
        return;
    }
    let output = in_network_namespace(
        "exec \"$0\" --ignored --exact --nocapture downstream::ports::l06_with_few_ports",
    )
    .arg(std::env::current_exe().unwrap())
    .output()
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Connects until no port is left. None of these connections leaves one behind in
/// `TIME_WAIT`.
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
    let occupied: Vec<_> = (0..=MOST_PORTS).map_while(connect).collect();
    assert!(occupied.len() < MOST_PORTS, "the ports are not limited");
    occupied
}

#[test]
#[ignore = "run by another test, in a network namespace with few ports"]
fn l06_with_few_ports() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .section("[models.two]\ntargets = [{ provider = \"up\" }, { provider = \"spare\" }]")
        .provider("spare", &upstream.base_url(), "")
        .start();
    let address = SocketAddr::from(([127, 0, 0, 1], upstream.port()));
    // Sequential requests need one port, however many they are.
    let mut client = gateway.client();
    for _ in 0..10 * MOST_PORTS {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    // A slow request occupies the idle connection, and the others find no port.
    gateway.reload(|text| text.replace("upstream-secret-5f3a", "upstream-secret-5f3b"));
    let occupied = take_all_ports(address);
    for model in ["m", "two"] {
        let response = gateway.send(&Request::chat(model));
        assert_response::error(&response, 503, "overloaded", None);
        assert!(response.header("retry-after").is_some());
        let line = gateway.access_line(&response.request_id());
        assert_eq!(text(&line, "outcome"), "shed");
    }
    gateway.await_log("WARN", &["attempt failed", "LocalResources"], 1);
    // The failure does not count against the target.
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("trunkline_ejections_total", &[]), Some(0.0));
    drop(occupied);
    for model in ["m", "two"] {
        assert_eq!(gateway.send(&Request::chat(model)).status, 200);
    }
    gateway.wait_until_idle();
}
