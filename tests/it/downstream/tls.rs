//! TLS on the listener: the protocol is agreed on by ALPN, nothing is held
//! back, and a certificate that is replaced costs no connection.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use crate::routing::failover::good;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::upstream::tls::{Authority, Flaw, Issued};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::{DEADLINE, Watched};

const ERRORS: &str = "trunkline_connection_errors_total";
const FAILED: [(&str, &str); 1] = [("kind", "tls_handshake")];

/// Puts a certificate and its key where [`with_tls`] has them read.
fn install(directory: &std::path::Path, issued: &Issued) {
    std::fs::write(directory.join("key.pem"), issued.key_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), issued.pem()).unwrap();
}

/// A gateway that speaks TLS with this certificate.
pub fn with_tls(setup: Setup, issued: &Issued, lines: &str) -> Setup {
    install(setup.directory(), issued);
    let files = "cert_file = \"cert.pem\"\nkey_file = \"key.pem\"";
    setup.section(&format!("[server.tls]\n{files}\n{lines}"))
}

fn start(authority: &Authority, upstream: &Upstream) -> Gateway {
    let issued = authority.issue("127.0.0.1", Flaw::None);
    with_tls(Setup::over(upstream), &issued, "").start()
}

#[track_caller]
fn ask(gateway: &Gateway, config: &Arc<ClientConfig>) -> u16 {
    let mut client = Client::connect_tls(gateway.listen, config);
    client.send(&Request::chat("m").bytes());
    client.answer().status
}

#[test]
fn http1_is_spoken_by_agreement_and_without_one() {
    let (authority, upstream) = (Authority::new(), good());
    let gateway = start(&authority, &upstream);
    for protocols in [&[][..], &["http/1.1"], &["http/1.1", "h2c"]] {
        let config = authority.client(protocols, None);
        let mut client = Client::connect_tls(gateway.listen, &config);
        for _ in 0..3 {
            client.send(&Request::chat("m").bytes());
            assert_eq!(client.answer().status, 200);
        }
    }
    assert_eq!(upstream.requests().len(), 9);
    assert_eq!(gateway.metrics().sum(ERRORS, &FAILED), Some(0.0));
    gateway.settle();
}

#[test]
fn a_session_is_resumed() {
    let (authority, upstream) = (Authority::new(), good());
    let gateway = start(&authority, &upstream);
    let config = authority.client(&[], None);
    let kind = |_| {
        let mut client = Client::connect_tls(gateway.listen, &config);
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.answer().status, 200);
        client.tls().handshake_kind().unwrap()
    };
    let kinds: Vec<_> = (0..3).map(kind).collect();
    assert_eq!(kinds[0], rustls::HandshakeKind::Full);
    assert_eq!(kinds[1..], [rustls::HandshakeKind::Resumed; 2]);
    // Also after a reload that does not touch TLS, and not after one that does.
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
fn http2_is_spoken_where_the_caller_offers_it() {
    let (authority, upstream) = (Authority::new(), good());
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
            let answers = (0..20).map(|_| {
                let request = http::Request::post("https://localhost/v1/chat/completions")
                    .header("content-type", "application/json")
                    // The page of this gateway, in a browser.
                    .header("origin", "https://localhost")
                    .body(Full::new(Bytes::from_static(b"{\"model\":\"m\"}")))
                    .unwrap();
                sender.send_request(request)
            });
            for answer in answers.collect::<Vec<_>>() {
                let answer = tokio::time::timeout(DEADLINE, answer).await.unwrap();
                let answer = answer.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap();
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
    assert_eq!(upstream.requests().len(), 20);
    gateway.settle();
}

/// One event as often as `steps` goes up, and the end with the one after the
/// last.
fn paced(steps: &Arc<Watched<usize>>, last: usize) -> Upstream {
    let steps = Arc::clone(steps);
    Upstream::start(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if !body.contains("\"stream\":true") {
            exchange.send(reply::completion("hi"));
            return;
        }
        exchange.send(reply::stream_head());
        for step in 0..=last {
            steps.try_wait(|steps| (*steps >= step).then_some(()));
            exchange.send(reply::chunk(event(step)));
        }
        steps.try_wait(|steps| (*steps > last).then_some(()));
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    })
}

fn event(step: usize) -> String {
    reply::delta(&format!("step {step}"))
}

/// Reads a step's event; the next one is not sent before.
#[track_caller]
fn read_step(client: &mut Client, step: usize) {
    let event = event(step);
    assert_eq!(client.take(event.len()), event.as_bytes());
}

#[test]
fn each_piece_of_a_stream_comes_at_once() {
    let steps = Arc::new(Watched::new(0));
    let (authority, upstream) = (Authority::new(), paced(&steps, 20));
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
    let (rest, complete) = client.rest();
    assert!(complete && rest.ends_with(reply::DONE.as_bytes()));
    gateway.settle();
}

#[test]
fn a_caller_who_leaves_ends_the_request() {
    let steps = Arc::new(Watched::new(0));
    let (authority, upstream) = (Authority::new(), paced(&steps, 1));
    let gateway = start(&authority, &upstream);
    let config = authority.client(&[], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    read_step(&mut client, 0);
    drop(client);
    assert_eq!(gateway.access_lines(1)[0]["outcome"], "cancelled");
    gateway.settle();
    steps.with(|steps| *steps = 2);
    upstream.ended(1);
}

#[test]
fn plain_http_is_told_so_and_nothing_is_logged() {
    let (authority, upstream) = (Authority::new(), good());
    let gateway = start(&authority, &upstream);
    let said = gateway.said().lines().count();
    for _ in 0..3 {
        let answer = gateway.ask(&Request::chat("m"));
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("https://"), "{}", answer.text());
        assert!(answer.complete);
    }
    gateway.await_metric(ERRORS, &FAILED, 3.0);
    // Whoever only looks whether somebody listens is no fault.
    drop(TcpStream::connect(gateway.listen).unwrap());
    gateway.await_metric("trunkline_connections", &[], 0.0);
    assert_eq!(gateway.metrics().sum(ERRORS, &FAILED), Some(3.0));
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.said().lines().count(), said, "{}", gateway.said());
}

#[test]
fn no_protocol_in_common_ends_in_an_alert() {
    let (authority, upstream) = (Authority::new(), good());
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
fn h1_26_a_handshake_that_stalls_has_the_time_of_a_head() {
    let (authority, upstream) = (Authority::new(), good());
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let setup = Setup::over(&upstream).server("head_timeout = \"500ms\"");
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
    assert_eq!(ask(&gateway, &authority.client(&[], None)), 200);
    for socket in &mut stalled {
        assert_eq!(socket.read(&mut [0; 64]).unwrap_or(0), 0);
    }
    gateway.await_metric(ERRORS, &FAILED, 3.0);
    gateway.await_metric("trunkline_connections", &[], 0.0);
}

/// The certificate that a new caller is shown.
#[track_caller]
fn shown(gateway: &Gateway, authority: &Authority) -> Vec<u8> {
    let config = authority.client(&[], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&Request::get("/health").bytes());
    assert_eq!(client.answer().status, 200);
    let chain = client.tls().peer_certificates().unwrap();
    chain[0].to_vec()
}

#[test]
fn a_new_certificate_is_shown_to_new_callers_and_nobody_is_cut_off() {
    let steps = Arc::new(Watched::new(0));
    let (authority, upstream) = (Authority::new(), paced(&steps, 1));
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
    let mut resting = Client::connect_tls(gateway.listen, &config);
    resting.send(&Request::chat("m").bytes());
    assert_eq!(resting.answer().status, 200);

    let second = authority.issue("127.0.0.1", Flaw::None);
    assert_ne!(shown(&gateway, &authority), second.der().to_vec());
    install(gateway.directory(), &second);
    wait::until("the second certificate", || {
        (shown(&gateway, &authority) == second.der().to_vec()).then_some(())
    });
    steps.with(|steps| *steps = 1);
    for stream in &mut streams {
        read_step(stream, 1);
    }
    steps.with(|steps| *steps = 2);
    for stream in &mut streams {
        assert!(stream.rest().1);
    }
    resting.send(&Request::chat("m").bytes());
    assert_eq!(resting.answer().status, 200);

    // A key that does not belong to it changes nothing.
    let stray = authority.issue("127.0.0.1", Flaw::None);
    std::fs::write(gateway.directory().join("key.pem"), stray.key_pem()).unwrap();
    let rejected = [("result", "rejected")];
    wait::until("a rejected reload", || {
        let count = gateway
            .metrics()
            .sum("trunkline_config_reloads_total", &rejected)?;
        (count >= 1.0).then_some(())
    });
    assert_eq!(shown(&gateway, &authority), second.der().to_vec());
    assert_eq!(gateway.metrics().sum(ERRORS, &FAILED), Some(0.0));
}

#[test]
fn tls_is_switched_on_and_off_by_a_reload() {
    let (authority, upstream) = (Authority::new(), good());
    let gateway = Setup::over(&upstream).start();
    let issued = authority.issue("127.0.0.1", Flaw::None);
    install(gateway.directory(), &issued);
    let mut before = gateway.client();
    before.send(&Request::chat("m").bytes());
    assert_eq!(before.answer().status, 200);
    let section = "\n[server.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    gateway.reload(|text| text + section);
    assert_eq!(ask(&gateway, &authority.client(&[], None)), 200);
    before.send(&Request::chat("m").bytes());
    assert_eq!(before.answer().status, 200);
    gateway.reload(|text| text.replace(section, ""));
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
}

#[test]
fn check_says_what_is_wrong_with_the_files() {
    let authority = Authority::new();
    let issued = authority.issue("127.0.0.1", Flaw::Expired);
    let setup = with_tls(Setup::new(), &issued, "");
    let (status, said, _) = run(&setup, &["check"]);
    assert!(status.success());
    assert!(
        said.contains("server.tls.cert_file: the certificate expired at 2020-01-01"),
        "{said}"
    );
    assert!(said.contains("TLS"), "{said}");
    setup.file(
        "key.pem",
        authority
            .issue("127.0.0.1", Flaw::None)
            .key_pem()
            .as_bytes(),
    );
    let (status, _, said) = run(&setup, &["check"]);
    assert!(!status.success());
    assert!(
        said.contains("server.tls.key_file: not the key of the first certificate"),
        "{said}"
    );
}
