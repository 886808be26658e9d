//! Test support: a worker and its upstream on one thread.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, set_default};

use crate::config::{self, Sources};
use crate::proxy::{ResponseBody, Worker};
use crate::snapshot;
use crate::telemetry::metric::Registry;

/// The two chunks of every response. The second needs a permit of
/// [`StubUpstream::releases`].
pub const FIRST_EVENT: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
pub const LAST_EVENT: &str = "data: [DONE]\n\n";

/// An upstream that streams.
pub struct StubUpstream {
    pub base_url: String,
    /// Permits to complete a response.
    pub releases: Rc<Semaphore>,
    /// Number of responses that the gateway cancelled.
    pub cancelled: Rc<Cell<usize>>,
}

impl StubUpstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (releases, cancelled) = (Rc::new(Semaphore::new(0)), Rc::default());
        let shared = (Rc::clone(&releases), Rc::clone(&cancelled));
        spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (releases, cancelled) = (Rc::clone(&shared.0), Rc::clone(&shared.1));
                spawn_local(stream(socket, releases, cancelled));
            }
        });
        Self {
            base_url,
            releases,
            cancelled,
        }
    }
}

async fn stream(mut socket: TcpStream, releases: Rc<Semaphore>, cancelled: Rc<Cell<usize>>) {
    let mut request = [0; 4096];
    while let Ok(1..) = socket.read(&mut request).await {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let first = format!("{head}{}", chunk(FIRST_EVENT));
        socket.write_all(first.as_bytes()).await.unwrap();
        let mut byte = [0];
        tokio::select! {
            permit = releases.acquire() => permit.unwrap().forget(),
            _ = socket.read(&mut byte) => {
                cancelled.set(cancelled.get() + 1);
                return;
            }
        }
        let last = format!("{}0\r\n\r\n", chunk(LAST_EVENT));
        socket.write_all(last.as_bytes()).await.unwrap();
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A worker with this configuration.
pub fn worker(registry: &Registry, text: &str) -> Worker {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trunkline.toml"), text).unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    Worker::new(snapshot::build(&config, registry, None, None, None).unwrap())
}

pub async fn json(response: Response<ResponseBody>) -> serde_json::Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// A request for the model `m`, without its body.
pub fn request() -> http::request::Builder {
    http::Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
}

pub fn request_body() -> Full<Bytes> {
    Full::new(Bytes::from_static(br#"{"model":"m","stream":true}"#))
}

#[derive(Debug, Clone, Default)]
pub struct CapturedLog(Arc<Mutex<Vec<u8>>>);

/// With a single subscriber in the process, tracing decides by the subscriber of the
/// thread that reaches a line first whether anyone wants it (`has_just_one` in
/// `tracing-core`): if that thread captures nothing, no thread gets it. These are never
/// dropped, so that there are always several.
static OTHER_SUBSCRIBERS: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Dispatch::new(tracing_subscriber::registry())));

impl CapturedLog {
    /// Captures what is logged on this thread until the guard is dropped.
    pub fn capture() -> (Self, DefaultGuard) {
        LazyLock::force(&OTHER_SUBSCRIBERS);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, set_default(subscriber))
    }

    /// The lines that contain `text`.
    pub fn lines(&self, text: &str) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_is_captured_although_another_thread_reaches_it_first() {
    fn line() {
        tracing::info!("listening");
    }
    let (log, _guard) = CapturedLog::capture();
    std::thread::spawn(line).join().unwrap();
    line();
    assert_eq!(log.lines("listening").len(), 1);
}
