//! For tests: a worker, and the upstream that it calls, on one thread.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tracing::subscriber::{DefaultGuard, set_default};

use crate::config::{self, Sources};
use crate::proxy::{Answer, Worker};
use crate::snapshot;
use crate::telemetry::metric::Registry;

/// The two parts of the stream that every request is answered with. The second
/// one comes when it is let.
pub const BEGINNING: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
pub const REST: &str = "data: [DONE]\n\n";

/// An upstream that streams.
pub struct Stub {
    pub base_url: String,
    /// How many more answers may go on.
    pub leave: Rc<Semaphore>,
    /// Answers that the gateway has left.
    pub left: Rc<Cell<usize>>,
}

impl Stub {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (leave, left) = (Rc::new(Semaphore::new(0)), Rc::default());
        let shared = (Rc::clone(&leave), Rc::clone(&left));
        spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (leave, left) = (Rc::clone(&shared.0), Rc::clone(&shared.1));
                spawn_local(stream(socket, leave, left));
            }
        });
        Self {
            base_url,
            leave,
            left,
        }
    }
}

async fn stream(mut socket: TcpStream, leave: Rc<Semaphore>, left: Rc<Cell<usize>>) {
    let mut asked = [0; 4096];
    while let Ok(1..) = socket.read(&mut asked).await {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let answer = format!("{head}{}", chunk(BEGINNING));
        socket.write_all(answer.as_bytes()).await.unwrap();
        let mut byte = [0];
        tokio::select! {
            permit = leave.acquire() => permit.unwrap().forget(),
            _ = socket.read(&mut byte) => {
                left.set(left.get() + 1);
                return;
            }
        }
        let rest = format!("{}0\r\n\r\n", chunk(REST));
        socket.write_all(rest.as_bytes()).await.unwrap();
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A worker that serves from this configuration.
pub fn worker(registry: &Registry, text: &str) -> Worker {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trunkline.toml"), text).unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    Worker::new(snapshot::build(&config, registry, None).unwrap())
}

/// All of an answer as JSON.
pub async fn json(response: Response<Answer>) -> serde_json::Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// A call of the model `m`.
pub fn call() -> http::request::Builder {
    http::Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
}

pub fn call_body() -> Full<Bytes> {
    Full::new(Bytes::from_static(br#"{"model":"m","stream":true}"#))
}

/// What was logged.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what is logged on this thread while the guard lives.
    pub fn keep() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, set_default(subscriber))
    }

    /// The lines that hold these words.
    pub fn lines(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
