//! A process that is halted for longer than its timeouts (SIGSTOP, a suspended machine)
//! takes its own silence for nobody else's (docs/faults.md#o-15).

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::Response;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

/// More than the timeouts of [`with_short_timeouts`].
const HALT: Duration = Duration::from_millis(2500);
const CLIENTS: usize = 20;

fn with_short_timeouts(base_url: &str, lines: &str) -> Setup {
    let timeouts = "timeouts = { idle = \"1500ms\", response_header = \"1500ms\" }";
    Setup::new()
        .provider("up", base_url, &format!("{timeouts}\n{lines}"))
        .model("m", "up", "real-model")
}

/// Halts the gateway for longer than its timeouts; others act in the meantime.
fn halt(gateway: &Gateway, act: impl FnOnce()) {
    gateway.signal("STOP");
    wait::until("the process to be halted", || {
        let stat = fs::read_to_string(gateway.proc_dir().join("stat")).unwrap();
        let state = stat.rsplit(") ").next().unwrap().to_owned();
        state.starts_with('T').then_some(())
    });
    act();
    std::thread::sleep(HALT);
    gateway.signal("CONT");
}

fn rest() -> String {
    response::delta("two") + &response::finish() + response::DONE
}

/// Half of the clients get the first event of a stream; the others wait for a response.
fn clients_in_flight(gateway: &Gateway) -> Vec<(bool, Client)> {
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let is_stream = number % 2 == 0;
        let mut client = gateway.client();
        if is_stream {
            client.send(&Request::stream("m").bytes());
            assert_eq!(client.head().status, 200);
            client.read_exact(response::delta("one").len());
        } else {
            client.send(&Request::chat("m").bytes());
        }
        clients.push((is_stream, client));
    }
    clients
}

fn assert_served(gateway: &Gateway, clients: Vec<(bool, Client)>) {
    for (is_stream, mut client) in clients {
        if is_stream {
            let (body, complete) = client.read_body();
            assert!(complete);
            assert_eq!(String::from_utf8(body).unwrap(), rest());
        } else {
            let response = client.response();
            assert_eq!(response.status, 200, "{}", response.text());
        }
    }
    for line in gateway.access_lines(CLIENTS) {
        assert_eq!(text(&line, "outcome"), "ok", "{line}");
    }
}

#[test]
fn o15_a_halt_is_not_the_silence_of_an_http1_upstream() {
    let gate = Arc::new(Semaphore::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if !body.contains("\"stream\":true") {
            held.acquire();
            exchange.send(response::completion("hi"));
            return;
        }
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        held.acquire();
        exchange.send(response::chunk(rest()));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = with_short_timeouts(&upstream.base_url(), "").start();
    let clients = clients_in_flight(&gateway);
    upstream.wait_for_requests(CLIENTS);
    halt(&gateway, || gate.release_all());
    assert_served(&gateway, clients);
}

/// An upstream that speaks HTTP/2; what it does is as over HTTP/1.
struct Http2Upstream {
    address: SocketAddr,
    received: Arc<wait::Watched<usize>>,
    _stop: mpsc::Sender<()>,
}

impl Http2Upstream {
    fn start(gate: &Arc<Semaphore>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = mpsc::channel(1);
        let received = Arc::<wait::Watched<usize>>::default();
        let (gate, counter) = (Arc::clone(gate), Arc::clone(&received));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, gate, counter) => {}
                    _ = stopped.recv() => {}
                }
            });
        });
        Self {
            address,
            received,
            _stop: stop,
        }
    }
}

async fn accept(listener: TcpListener, gate: Arc<Semaphore>, received: Arc<wait::Watched<usize>>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (gate, received) = (Arc::clone(&gate), Arc::clone(&received));
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(socket).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                received.with(|count| *count += 1);
                tokio::spawn(respond_at_gate(
                    request.into_body(),
                    respond,
                    Arc::clone(&gate),
                ));
            }
        });
    }
}

async fn respond_at_gate(
    mut body: h2::RecvStream,
    mut respond: SendResponse<Bytes>,
    gate: Arc<Semaphore>,
) {
    let mut request = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        request.extend(data);
    }
    let is_stream = String::from_utf8(request)
        .unwrap()
        .contains("\"stream\":true");
    let with_type = |content_type| {
        let response = Response::builder().header("content-type", content_type);
        response.body(()).unwrap()
    };
    let mut stream = None;
    if is_stream {
        let mut sender = respond
            .send_response(with_type("text/event-stream"), false)
            .unwrap();
        sender
            .send_data(response::delta("one").into(), false)
            .unwrap();
        stream = Some(sender);
    }
    while !gate.try_acquire() {
        tokio::time::sleep(wait::POLL).await;
    }
    let (mut sender, body) = if let Some(sender) = stream {
        (sender, rest())
    } else {
        let head = with_type("application/json");
        let body = r#"{"choices":[]}"#.to_owned();
        (respond.send_response(head, false).unwrap(), body)
    };
    sender.send_data(body.into(), true).unwrap();
}

#[test]
fn o15_a_halt_is_not_the_silence_of_an_http2_upstream() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Http2Upstream::start(&gate);
    let base_url = format!("http://{}/v1", upstream.address);
    let gateway = with_short_timeouts(&base_url, "http = \"http2\"").start();
    let clients = clients_in_flight(&gateway);
    upstream
        .received
        .wait("all requests", |count| (*count == CLIENTS).then_some(()));
    halt(&gateway, || gate.release_all());
    assert_served(&gateway, clients);
}

#[test]
fn o15_a_halt_is_not_the_silence_of_clients() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("header_timeout = \"1500ms\"\nbody_timeout = \"1500ms\"\nbody_idle_timeout = \"1500ms\"\nidle_timeout = \"1500ms\"")
        .start();
    let bytes = Request::chat("m").bytes();
    let body_at = bytes.len() - 10;
    // Nothing; half a method; half a head; half a body; and between two requests.
    let mut clients = Vec::new();
    for sent in [0, 2, 20, body_at, bytes.len()] {
        let mut client = gateway.client();
        client.send(&bytes[..sent]);
        if sent == bytes.len() {
            assert_eq!(client.response().status, 200);
        }
        clients.push((sent % bytes.len(), client));
    }
    gateway.await_metric("trunkline_connections", &[], clients.len() as f64);
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    halt(&gateway, || {
        for (sent, client) in &mut clients {
            client.send(&bytes[*sent..]);
        }
    });
    for (sent, mut client) in clients {
        assert_eq!(client.response().status, 200, "{sent} of {}", bytes.len());
    }
    gateway.await_metric("trunkline_connection_errors_total", &[], 0.0);
}

#[test]
fn o15_a_halt_is_not_the_silence_of_health_checks() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        // Nearly always under way.
        std::thread::sleep(Duration::from_millis(400));
        exchange.send(response::json("200 OK", "{\"data\":[]}"));
    });
    let health = "health = { interval = \"100ms\", timeout = \"1500ms\", failures = 1 }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), health)
        .model("m", "up", "real-model")
        .start();
    upstream.wait_for_requests(2);
    halt(&gateway, || ());
    let before = upstream.requests().len();
    upstream.wait_for_requests(before + 2);
    let failed = [("result", "failed")];
    assert!(matches!(
        gateway
            .metrics()
            .sum("trunkline_health_checks_total", &failed),
        None | Some(0.0)
    ));
}
