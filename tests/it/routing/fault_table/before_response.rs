//! Faults before a response: connect, TLS, silence, invalid heads.

use std::io::{Read as _, Write as _};

use crate::support::fault_case::Expected::{Failover, GatewayError};
use crate::support::fault_case::{FaultyTarget, check_case};
use crate::support::upstream::tls::Flaw;
use crate::support::upstream::{Exchange, Upstream, refused_base_url};
use crate::upstream::faults::full_listener;

#[test]
fn u01_u02_connections_that_are_refused_or_dropped() {
    check_case(
        "U-01 refused",
        || FaultyTarget::new(refused_base_url(), "", ()),
        Failover,
        Failover,
    );
    let dropping = || {
        let (listener, queue) = full_listener();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let limit = "timeouts = { connect = \"150ms\" }";
        FaultyTarget::new(format!("http://{address}/v1"), limit, (listener, queue))
    };
    check_case("U-02 dropped", dropping, Failover, Failover);
}

#[test]
fn u04_tls_that_fails() {
    for flaw in [Flaw::Expired, Flaw::WrongName, Flaw::SelfSigned] {
        check_case(
            &format!("U-04 {flaw:?}"),
            || FaultyTarget::tls(flaw),
            Failover,
            Failover,
        );
    }
    let plain = || {
        let upstream = Upstream::raw("https", |mut socket| {
            let _ = socket.read(&mut [0; 64]);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        });
        FaultyTarget::new(upstream.base_url(), "", upstream)
    };
    check_case("U-04 plain HTTP", plain, Failover, Failover);
    let stalling = || {
        let upstream = Upstream::raw("https", |mut socket| {
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        });
        let limit = "timeouts = { connect = \"150ms\" }";
        FaultyTarget::new(upstream.base_url(), limit, upstream)
    };
    check_case("U-04 stalled handshake", stalling, Failover, Failover);
}

#[test]
fn u05_silence_and_a_connection_that_ends() {
    let error = GatewayError(504, "upstream_timeout");
    let silent: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    };
    check_case("U-05 silent", || FaultyTarget::script(silent), error, error);
    let half: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: app");
        exchange.wait_for_disconnect();
    };
    check_case(
        "U-05 half a head",
        || FaultyTarget::script(half),
        error,
        error,
    );
    let error = GatewayError(502, "upstream_disconnected");
    let disconnecting: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.close();
    };
    check_case(
        "closed",
        || FaultyTarget::script(disconnecting),
        error,
        error,
    );
    let resetting: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.reset();
    };
    check_case("reset", || FaultyTarget::script(resetting), error, error);
}

#[test]
fn u12_u17_invalid_heads() {
    let error = GatewayError(502, "upstream_protocol_error");
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        check_case(
            &format!("U-12, U-17 {head:?}"),
            || FaultyTarget::response(head),
            error,
            error,
        );
    }
    let headers: String = (0..2000).map(|n| format!("X-{n}: x\r\n")).collect();
    let large = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
    check_case(
        "U-17 many headers",
        || FaultyTarget::response(&large),
        error,
        error,
    );
}
