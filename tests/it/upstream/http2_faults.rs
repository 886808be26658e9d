//! HTTP/2 upstreams that refuse, reset and go away (docs/faults.md#u-24).

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::support::assert_response;
use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::response;
use crate::support::wait::{Semaphore, Watched};

#[derive(Clone, Copy)]
pub enum StreamAction {
    Respond,
    /// Resets the stream before any response.
    Reset(Reason),
    /// Sends these bytes of an event stream, waits for the gate, then resets.
    ResetAfter(&'static str),
    /// Sends GOAWAY, then responds.
    GoAway,
    /// Never responds, and records how the gateway ends the stream.
    Silent,
}

pub struct FaultyHttp2Upstream {
    address: SocketAddr,
    streams: Arc<Watched<usize>>,
    connections: Arc<Watched<usize>>,
    /// The reasons of the resets by the gateway.
    pub resets: Arc<Watched<Vec<Reason>>>,
    _stop: mpsc::Sender<()>,
}

/// State shared by all connections.
#[derive(Clone)]
struct Script {
    action: Arc<dyn Fn(usize) -> StreamAction + Send + Sync>,
    gate: Arc<Semaphore>,
    most_streams: u32,
    streams: Arc<Watched<usize>>,
    resets: Arc<Watched<Vec<Reason>>>,
}

impl FaultyHttp2Upstream {
    pub fn start(
        gate: &Arc<Semaphore>,
        most_streams: u32,
        action: impl Fn(usize) -> StreamAction + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = mpsc::channel::<()>(1);
        let (streams, connections) = (Arc::new(Watched::new(0)), Arc::new(Watched::new(0)));
        let resets = Arc::<Watched<Vec<Reason>>>::default();
        let script = Script {
            resets: Arc::clone(&resets),
            action: Arc::new(action),
            gate: Arc::clone(gate),
            most_streams,
            streams: Arc::clone(&streams),
        };
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    loop {
                        let (socket, _) = listener.accept().await.unwrap();
                        count.with(|count| *count += 1);
                        tokio::spawn(connection(socket, script.clone()));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped.recv() => {}
                }
            });
        });
        Self {
            address,
            streams,
            connections,
            resets,
            _stop: stop,
        }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    fn gateway(&self) -> Gateway {
        Setup::new()
            .provider("up", &self.base_url(), "http = \"http2\"")
            .model("m", "up", "real-model")
            .start()
    }

    pub fn streams(&self) -> usize {
        self.streams.with(|streams| *streams)
    }

    pub fn connections(&self) -> usize {
        self.connections.with(|connections| *connections)
    }
}

async fn connection(socket: TcpStream, script: Script) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(script.most_streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let index = script.streams.with(|streams| {
            *streams += 1;
            *streams - 1
        });
        let action = (script.action)(index);
        if matches!(action, StreamAction::GoAway) {
            connection.graceful_shutdown();
        }
        tokio::spawn(stream(request, respond, action, script.clone()));
    }
}

async fn stream(
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    action: StreamAction,
    script: Script,
) {
    let head = |kind: &str| {
        http::Response::builder()
            .header("content-type", kind)
            .body(())
            .unwrap()
    };
    if let StreamAction::Reset(reason) = action {
        return respond.send_reset(reason);
    }
    let mut body = request.into_body();
    while body.data().await.is_some() {}
    if matches!(action, StreamAction::Silent) {
        let reason = poll_fn(|context| respond.poll_reset(context)).await;
        return script.resets.with(|resets| resets.extend(reason));
    }
    if let StreamAction::ResetAfter(bytes) = action {
        let mut sender = respond
            .send_response(head("text/event-stream"), false)
            .unwrap();
        let _ = sender.send_data(Bytes::from_static(bytes.as_bytes()), false);
        tokio::task::spawn_blocking(move || script.gate.acquire())
            .await
            .unwrap();
        return sender.send_reset(Reason::INTERNAL_ERROR);
    }
    let Ok(mut sender) = respond.send_response(head("application/json"), false) else {
        return;
    };
    let _ = sender.send_data(Bytes::from_static(b"{\"a\":1}"), true);
}

pub fn open_gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::default())
}

#[test]
fn a_stream_refused_unprocessed_is_retried() {
    let upstream = FaultyHttp2Upstream::start(&open_gate(), 100, |index| {
        if index == 0 {
            StreamAction::Reset(Reason::REFUSED_STREAM)
        } else {
            StreamAction::Respond
        }
    });
    let gateway = upstream.gateway();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "{\"a\":1}")
    );
    assert_eq!(upstream.streams(), 2);
    gateway.wait_until_idle();
}

#[test]
fn an_upstream_that_refuses_every_stream_is_not_retried_forever() {
    let upstream = FaultyHttp2Upstream::start(&open_gate(), 100, |_| {
        StreamAction::Reset(Reason::REFUSED_STREAM)
    });
    let gateway = upstream.gateway();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(upstream.streams() <= 5, "{} attempts", upstream.streams());
    gateway.wait_until_idle();
}

#[test]
fn a_stream_that_may_have_been_processed_is_not_retried() {
    for reason in [
        Reason::CANCEL,
        Reason::INTERNAL_ERROR,
        Reason::ENHANCE_YOUR_CALM,
        Reason::PROTOCOL_ERROR,
    ] {
        let upstream =
            FaultyHttp2Upstream::start(&open_gate(), 100, move |_| StreamAction::Reset(reason));
        let gateway = upstream.gateway();
        let response = gateway.send(&Request::chat("m"));
        let code = response.json()["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            ["upstream_disconnected", "upstream_protocol_error"].contains(&code.as_str()),
            "{code}"
        );
        assert_response::error(&response, 502, &code, None);
        assert_eq!(upstream.streams(), 1, "{reason:?}");
        gateway.wait_until_idle();
    }
}

/// The client's response when the stream is reset after it has read `sent`.
#[track_caller]
fn response_reset_after(sent: &'static str) -> Response {
    let gate = open_gate();
    let upstream = FaultyHttp2Upstream::start(&gate, 100, move |_| StreamAction::ResetAfter(sent));
    let gateway = upstream.gateway();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    let head = client.head();
    let mut body = client.read_exact(sent.len());
    gate.release();
    let (rest, complete) = client.read_body();
    body.extend(rest);
    gateway.wait_until_idle();
    Response {
        status: head.status,
        head,
        interim: Vec::new(),
        body,
        complete,
    }
}

#[test]
fn a_reset_between_events_becomes_an_error_event() {
    const SENT: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null}]}\n\n";
    assert_eq!(
        assert_response::stream_error(&response_reset_after(SENT), "upstream_disconnected"),
        SENT.as_bytes()
    );
}

#[test]
fn a_reset_inside_an_event_aborts() {
    let response = response_reset_after("data: {\"choices\":[{\"ind");
    assert!(!response.complete, "looks complete: {}", response.text());
}

#[test]
fn a_reset_after_the_last_event_is_a_success() {
    let response = response_reset_after(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    assert!(response.complete);
    assert!(response.text().ends_with(response::DONE));
}

#[test]
fn a_connection_with_goaway_is_replaced() {
    let upstream = FaultyHttp2Upstream::start(&open_gate(), 100, |index| {
        if index % 3 == 2 {
            StreamAction::GoAway
        } else {
            StreamAction::Respond
        }
    });
    let gateway = upstream.gateway();
    let mut client = gateway.client();
    for n in 0..30 {
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        assert_eq!(response.status, 200, "request {n}: {}", response.text());
    }
    assert_eq!(upstream.streams(), 30, "a request was sent twice");
    assert!(upstream.connections() >= 2);
    gateway.wait_until_idle();
}

#[test]
fn an_upstream_with_one_stream_at_a_time_serves_many_clients() {
    let upstream = FaultyHttp2Upstream::start(&open_gate(), 1, |_| StreamAction::Respond);
    let gateway = upstream.gateway();
    let mut clients: Vec<Client> = (0..60).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    for client in &mut clients {
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
    }
    gateway.wait_until_idle();
}
