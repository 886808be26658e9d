//! HTTP/2 upstreams that refuse, reset and go away (FAULTS, U-24).

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::Response;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::support::assert_response;
use crate::support::client::{Answer, Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::reply;
use crate::support::wait::{Gate, Watched};

/// What the upstream does with a stream.
#[derive(Clone, Copy)]
pub enum Act {
    Answer,
    /// Resets it before any answer.
    Reset(Reason),
    /// Answers with these bytes of an event stream, waits for the gate, resets.
    Cut(&'static str),
    /// Says that the connection takes no more, then answers.
    GoAway,
    /// Never answers, and sees how the gateway ends the stream.
    Silent,
}

pub struct Faulty {
    address: SocketAddr,
    streams: Arc<Watched<usize>>,
    connections: Arc<Watched<usize>>,
    /// How the gateway has ended streams.
    pub resets: Arc<Watched<Vec<Reason>>>,
    _stop: mpsc::Sender<()>,
}

/// What all connections share.
#[derive(Clone)]
struct Script {
    act: Arc<dyn Fn(usize) -> Act + Send + Sync>,
    gate: Arc<Gate>,
    most_streams: u32,
    streams: Arc<Watched<usize>>,
    resets: Arc<Watched<Vec<Reason>>>,
}

impl Faulty {
    pub fn start(
        gate: &Arc<Gate>,
        most_streams: u32,
        act: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = mpsc::channel::<()>(1);
        let (streams, connections) = (Arc::new(Watched::new(0)), Arc::new(Watched::new(0)));
        let resets = Arc::<Watched<Vec<Reason>>>::default();
        let script = Script {
            resets: Arc::clone(&resets),
            act: Arc::new(act),
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
        let act = (script.act)(index);
        if matches!(act, Act::GoAway) {
            connection.graceful_shutdown();
        }
        tokio::spawn(stream(request, respond, act, script.clone()));
    }
}

async fn stream(
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    act: Act,
    script: Script,
) {
    let head = |kind: &str| {
        Response::builder()
            .header("content-type", kind)
            .body(())
            .unwrap()
    };
    if let Act::Reset(reason) = act {
        return respond.send_reset(reason);
    }
    let mut body = request.into_body();
    while body.data().await.is_some() {}
    if matches!(act, Act::Silent) {
        let reason = poll_fn(|context| respond.poll_reset(context)).await;
        return script.resets.with(|resets| resets.extend(reason));
    }
    if let Act::Cut(bytes) = act {
        let mut sender = respond
            .send_response(head("text/event-stream"), false)
            .unwrap();
        let _ = sender.send_data(Bytes::from_static(bytes.as_bytes()), false);
        tokio::task::spawn_blocking(move || script.gate.pass())
            .await
            .unwrap();
        return sender.send_reset(Reason::INTERNAL_ERROR);
    }
    let Ok(mut sender) = respond.send_response(head("application/json"), false) else {
        return;
    };
    let _ = sender.send_data(Bytes::from_static(b"{\"a\":1}"), true);
}

pub fn open() -> Arc<Gate> {
    Arc::new(Gate::default())
}

#[test]
fn a_stream_that_was_refused_unprocessed_is_tried_again() {
    let upstream = Faulty::start(&open(), 100, |index| {
        if index == 0 {
            Act::Reset(Reason::REFUSED_STREAM)
        } else {
            Act::Answer
        }
    });
    let gateway = upstream.gateway();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"a\":1}"));
    assert_eq!(upstream.streams(), 2);
    gateway.settle();
}

#[test]
fn an_upstream_that_refuses_every_stream_is_not_asked_for_ever() {
    let upstream = Faulty::start(&open(), 100, |_| Act::Reset(Reason::REFUSED_STREAM));
    let gateway = upstream.gateway();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(
        upstream.streams() <= 5,
        "asked {} times",
        upstream.streams()
    );
    gateway.settle();
}

#[test]
fn a_stream_that_may_have_run_is_not_tried_again() {
    for reason in [
        Reason::CANCEL,
        Reason::INTERNAL_ERROR,
        Reason::ENHANCE_YOUR_CALM,
        Reason::PROTOCOL_ERROR,
    ] {
        let upstream = Faulty::start(&open(), 100, move |_| Act::Reset(reason));
        let gateway = upstream.gateway();
        let answer = gateway.ask(&Request::chat("m"));
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(
            ["upstream_disconnected", "upstream_protocol_error"].contains(&code.as_str()),
            "{code}"
        );
        assert_response::error(&answer, 502, &code, None);
        assert_eq!(upstream.streams(), 1, "{reason:?}");
        gateway.settle();
    }
}

/// What the client has of a stream that is reset once it has read all of it.
#[track_caller]
fn cut(sent: &'static str) -> Answer {
    let gate = open();
    let upstream = Faulty::start(&gate, 100, move |_| Act::Cut(sent));
    let gateway = upstream.gateway();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    let head = client.head();
    let mut body = client.take(sent.len());
    gate.open();
    let (rest, complete) = client.rest();
    body.extend(rest);
    gateway.settle();
    Answer {
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
        assert_response::stream_error(&cut(SENT), "upstream_disconnected"),
        SENT.as_bytes()
    );
}

#[test]
fn a_reset_inside_an_event_aborts() {
    let answer = cut("data: {\"choices\":[{\"ind");
    assert!(!answer.complete, "looks whole: {}", answer.text());
}

#[test]
fn a_reset_after_everything_was_said_is_a_success() {
    let answer = cut(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    assert!(answer.complete);
    assert!(answer.text().ends_with(reply::DONE));
}

#[test]
fn a_connection_that_goes_away_is_followed_by_another() {
    let upstream = Faulty::start(&open(), 100, |index| {
        if index % 3 == 2 {
            Act::GoAway
        } else {
            Act::Answer
        }
    });
    let gateway = upstream.gateway();
    let mut client = gateway.client();
    for n in 0..30 {
        client.send(&Request::chat("m").bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200, "request {n}: {}", answer.text());
    }
    assert_eq!(upstream.streams(), 30, "a request was sent twice");
    assert!(upstream.connections() >= 2);
    gateway.settle();
}

#[test]
fn an_upstream_that_takes_one_stream_at_a_time_serves_many_callers() {
    let upstream = Faulty::start(&open(), 1, |_| Act::Answer);
    let gateway = upstream.gateway();
    let mut clients: Vec<Client> = (0..60).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    gateway.settle();
}
