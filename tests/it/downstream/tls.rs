//! TLS on the listener: ALPN, no buffering, and certificate replacement without
//! loss of connections.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use crate::routing::failover::healthy_upstream;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::upstream::tls::{CertificateAuthority, Flaw, IssuedCertificate};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::{DEADLINE, Watched};

const ERRORS: &str = "trunkline_connection_errors_total";
const FAILED: [(&str, &str); 1] = [("kind", "tls_handshake")];

/// Writes a certificate and its key to where [`with_tls`] configures them.
fn install(directory: &std::path::Path, issued: &IssuedCertificate) {
    std::fs::write(directory.join("key.pem"), issued.key_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), issued.pem()).unwrap();
}

/// A gateway with TLS and this certificate.
pub fn with_tls(setup: Setup, issued: &IssuedCertificate, lines: &str) -> Setup {
    install(setup.directory(), issued);
    let files = "cert_file = \"cert.pem\"\nkey_file = \"key.pem\"";
    setup.section(&format!("[server.tls]\n{files}\n{lines}"))
}

fn start(authority: &CertificateAuthority, upstream: &Upstream) -> Gateway {
    let issued = authority.issue("127.0.0.1", Flaw::None);
    with_tls(Setup::with_upstream(upstream), &issued, "").start()
}

#[track_caller]
fn send(gateway: &Gateway, config: &Arc<ClientConfig>) -> u16 {
    let mut client = Client::connect_tls(gateway.listen, config);
    client.send(&Request::chat("m").bytes());
    client.response().status
}

#[test]
fn http1_is_used_with_alpn_and_without() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = start(&authority, &upstream);
    for protocols in [&[][..], &["http/1.1"], &["http/1.1", "h2c"]] {
        let config = authority.client(protocols, None);
        let mut client = Client::connect_tls(gateway.listen, &config);
        for _ in 0..3 {
            client.send(&Request::chat("m").bytes());
            assert_eq!(client.response().status, 200);
        }
    }
    assert_eq!(upstream.requests().len(), 9);
    assert_eq!(gateway.metrics().sum(ERRORS, &FAILED), Some(0.0));
    gateway.wait_until_idle();
}

#[test]
fn a_session_is_resumed() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = start(&authority, &upstream);
    let config = authority.client(&[], None);
    let kind = |_| {
        let mut client = Client::connect_tls(gateway.listen, &config);
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
        client.tls().handshake_kind().unwrap()
    };
    let kinds: Vec<_> = (0..3).map(kind).collect();
    assert_eq!(kinds[0], rustls::HandshakeKind::Full);
    assert_eq!(kinds[1..], [rustls::HandshakeKind::Resumed; 2]);
    // Also after a reload that does not affect TLS, but not after one that does.
    gateway.reload(|text| text + "\n[breaker]\nfailures = 6");
    assert_eq!(kind(3), rustls::HandshakeKind::Resumed);
    install(
        gateway.directory(),
        &authority.issue("127.0.0.1", Flaw::None),
    );
    gateway.signal("HUP");
    gateway.await_metric("trunkline_config_generation", &[], 3.0);
    assert_eq!(kind(4), rustls::HandshakeKind::Full);
}

#[test]
fn http2_is_used_where_the_client_offers_it() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = start(&authority, &upstream);
    let config = authority.client(&["h2", "http/1.1"], None);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(async {
            let tcp = tokio::net::TcpStream::connect(gateway.listen)
                .await
                .unwrap();
            let name = gateway.listen.ip().into();
            let tls = TlsConnector::from(config).connect(name, tcp).await.unwrap();
            assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let handshake = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
                TokioExecutor::new(),
                TokioIo::new(tls),
            );
            let (mut sender, connection) = handshake.await.unwrap();
            tokio::spawn(connection);
            let responses = (0..20).map(|_| {
                let request = http::Request::post("https://localhost/v1/chat/completions")
                    .header("content-type", "application/json")
                    // The origin of the gateway's own page.
                    .header("origin", "https://localhost")
                    .body(Full::new(Bytes::from_static(b"{\"model\":\"m\"}")))
                    .unwrap();
                sender.send_request(request)
            });
            for response in responses.collect::<Vec<_>>() {
                let response = tokio::time::timeout(DEADLINE, response).await.unwrap();
                let response = response.unwrap();
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.unwrap();
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
    assert_eq!(upstream.requests().len(), 20);
    gateway.wait_until_idle();
}

/// An upstream that sends one event for each increment of `steps`, and the end
/// with the increment after the last.
fn paced(steps: &Arc<Watched<usize>>, last: usize) -> Upstream {
    let steps = Arc::clone(steps);
    Upstream::start(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if !body.contains("\"stream\":true") {
            exchange.send(response::completion("hi"));
            return;
        }
        exchange.send(response::stream_head());
        for step in 0..=last {
            steps.try_wait(|steps| (*steps >= step).then_some(()));
            exchange.send(response::chunk(event(step)));
        }
        steps.try_wait(|steps| (*steps > last).then_some(()));
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    })
}

fn event(step: usize) -> String {
    response::delta(&format!("step {step}"))
}

/// Reads the event of a step; the next one is sent only afterwards.
#[track_caller]
fn read_step(client: &mut Client, step: usize) {
    let event = event(step);
    assert_eq!(client.read_exact(event.len()), event.as_bytes());
}

#[test]
fn each_event_of_a_stream_is_sent_at_once() {
    let steps = Arc::new(Watched::new(0));
    let (authority, upstream) = (CertificateAuthority::new(), paced(&steps, 20));
    let gateway = start(&authority, &upstream);
    let config = authority.client(&["http/1.1"], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    for step in 0..=20 {
        steps.with(|steps| *steps = step);
        read_step(&mut client, step);
    }
    steps.with(|steps| *steps = 21);
    let (rest, complete) = client.read_body();
    assert!(complete && rest.ends_with(response::DONE.as_bytes()));
    gateway.wait_until_idle();
}

#[test]
fn a_client_that_disconnects_ends_the_request() {
    let steps = Arc::new(Watched::new(0));
    let (authority, upstream) = (CertificateAuthority::new(), paced(&steps, 1));
    let gateway = start(&authority, &upstream);
    let config = authority.client(&[], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    read_step(&mut client, 0);
    drop(client);
    assert_eq!(gateway.access_lines(1)[0]["outcome"], "cancelled");
    gateway.wait_until_idle();
    steps.with(|steps| *steps = 2);
    upstream.wait_for_closed(1);
}

#[test]
fn plain_http_gets_an_error_and_nothing_is_logged() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = start(&authority, &upstream);
    for _ in 0..3 {
        let response = gateway.send(&Request::chat("m"));
        assert_eq!(response.status, 400);
        assert!(response.text().contains("https://"), "{}", response.text());
        assert!(response.complete);
    }
    gateway.await_metric(ERRORS, &FAILED, 3.0);
    // A connection that sends nothing, as of a port check, is not an error.
    drop(TcpStream::connect(gateway.listen).unwrap());
    gateway.await_metric("trunkline_connections", &[], 0.0);
    assert_eq!(gateway.metrics().sum(ERRORS, &FAILED), Some(3.0));
    assert!(upstream.requests().is_empty());
    let output = gateway.finish();
    // Between the lines of the start and those of the exit.
    let (_, after) = output.split_once("\"listening\"").unwrap();
    let (between, _) = after.split_once("\"draining\"").unwrap();
    assert_eq!(between.lines().count(), 2, "{output}");
}

#[test]
fn no_protocol_in_common_ends_in_an_alert() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = start(&authority, &upstream);
    let config = authority.client(&["spdy/3"], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    let refused = client.try_send(&Request::chat("m").bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
    gateway.await_metric(ERRORS, &FAILED, 1.0);
}

#[test]
fn h1_26_a_stalled_handshake_has_the_header_timeout() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let setup = Setup::with_upstream(&upstream).server("header_timeout = \"500ms\"");
    let gateway = with_tls(setup, &issued, "").start();
    let mut stalled: Vec<TcpStream> = [&b""[..], &[22, 3, 1, 2, 0, 1, 0], &[22]]
        .into_iter()
        .map(|begun| {
            let mut socket = TcpStream::connect(gateway.listen).unwrap();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            socket.write_all(begun).unwrap();
            socket
        })
        .collect();
    assert_eq!(send(&gateway, &authority.client(&[], None)), 200);
    for socket in &mut stalled {
        assert_eq!(socket.read(&mut [0; 64]).unwrap_or(0), 0);
    }
    gateway.await_metric(ERRORS, &FAILED, 3.0);
    gateway.await_metric("trunkline_connections", &[], 0.0);
}

/// The certificate presented to a new client.
#[track_caller]
fn presented_certificate(gateway: &Gateway, authority: &CertificateAuthority) -> Vec<u8> {
    let config = authority.client(&[], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&Request::get("/health").bytes());
    assert_eq!(client.response().status, 200);
    let chain = client.tls().peer_certificates().unwrap();
    chain[0].to_vec()
}

#[test]
fn a_new_certificate_is_presented_to_new_clients_and_no_connection_is_cut() {
    let steps = Arc::new(Watched::new(0));
    let (authority, upstream) = (CertificateAuthority::new(), paced(&steps, 1));
    let gateway = start(&authority, &upstream);
    let config = authority.client(&[], None);
    let mut streams: Vec<Client> = (0..20)
        .map(|_| Client::connect_tls(gateway.listen, &config))
        .collect();
    for stream in &mut streams {
        stream.send(&Request::stream("m").bytes());
        assert_eq!(stream.head().status, 200);
        read_step(stream, 0);
    }
    let mut idle = Client::connect_tls(gateway.listen, &config);
    idle.send(&Request::chat("m").bytes());
    assert_eq!(idle.response().status, 200);

    let second = authority.issue("127.0.0.1", Flaw::None);
    assert_ne!(
        presented_certificate(&gateway, &authority),
        second.der().to_vec()
    );
    install(gateway.directory(), &second);
    wait::until("the second certificate", || {
        (presented_certificate(&gateway, &authority) == second.der().to_vec()).then_some(())
    });
    steps.with(|steps| *steps = 1);
    for stream in &mut streams {
        read_step(stream, 1);
    }
    steps.with(|steps| *steps = 2);
    for stream in &mut streams {
        assert!(stream.read_body().1);
    }
    idle.send(&Request::chat("m").bytes());
    assert_eq!(idle.response().status, 200);

    // A key of another certificate changes nothing.
    let stray = authority.issue("127.0.0.1", Flaw::None);
    std::fs::write(gateway.directory().join("key.pem"), stray.key_pem()).unwrap();
    let rejected = [("result", "rejected")];
    wait::until("a rejected reload", || {
        let count = gateway
            .metrics()
            .sum("trunkline_config_reloads_total", &rejected)?;
        (count >= 1.0).then_some(())
    });
    assert_eq!(
        presented_certificate(&gateway, &authority),
        second.der().to_vec()
    );
    assert_eq!(gateway.metrics().sum(ERRORS, &FAILED), Some(0.0));
}

#[test]
fn tls_is_switched_on_and_off_by_a_reload() {
    let (authority, upstream) = (CertificateAuthority::new(), healthy_upstream());
    let gateway = Setup::with_upstream(&upstream).start();
    let issued = authority.issue("127.0.0.1", Flaw::None);
    install(gateway.directory(), &issued);
    let mut before = gateway.client();
    before.send(&Request::chat("m").bytes());
    assert_eq!(before.response().status, 200);
    let section = "\n[server.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    gateway.reload(|text| text + section);
    assert_eq!(send(&gateway, &authority.client(&[], None)), 200);
    before.send(&Request::chat("m").bytes());
    assert_eq!(before.response().status, 200);
    gateway.reload(|text| text.replace(section, ""));
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn check_reports_invalid_certificate_files() {
    let authority = CertificateAuthority::new();
    let issued = authority.issue("127.0.0.1", Flaw::Expired);
    let setup = with_tls(Setup::new(), &issued, "");
    let (status, stdout, _) = run(&setup, &["check"]);
    assert!(status.success());
    assert!(
        stdout.contains("server.tls.cert_file: the certificate expired at 2020-01-01"),
        "{stdout}"
    );
    assert!(stdout.contains("TLS"), "{stdout}");
    setup.file(
        "key.pem",
        authority
            .issue("127.0.0.1", Flaw::None)
            .key_pem()
            .as_bytes(),
    );
    let (status, _, stderr) = run(&setup, &["check"]);
    assert!(!status.success());
    assert!(
        stderr.contains("server.tls.key_file: does not match the first certificate"),
        "{stderr}"
    );
}
