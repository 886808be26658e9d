//! The demo model over a real socket.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::super::serve;
use super::chat_about;
use crate::secret::Secret;

const KEY: &str = "Bearer demo-key";

async fn connect(address: std::net::SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    spawn_local(connection);
    sender
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    path: &str,
    key: &str,
    body: &str,
) -> (StatusCode, String, Vec<Bytes>) {
    let request = Request::post(path)
        .header("host", "demo")
        .header("authorization", key)
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let media_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let mut chunks = Vec::new();
    while let Some(frame) = response.body_mut().frame().await {
        chunks.extend(frame.unwrap().into_data());
    }
    (status, media_type, chunks)
}

/// Starts a demo model with the key `demo-key` and connects to it.
async fn start() -> SendRequest<Full<Bytes>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn_local(serve(listener, Secret::new("demo-key")));
    connect(address).await
}

async fn rejects_requests_without_the_key() {
    let mut sender = start().await;
    for wrong in ["Bearer other", "demo-key", "Bearer ", "Basic demo-key"] {
        let (status, _, chunks) = post(&mut sender, "/v1/completions", wrong, "{}").await;
        assert_eq!(status, 401, "{wrong}");
        assert!(chunks.concat().starts_with(br#"{"error":{"#));
    }
}

async fn serves_each_route() {
    let mut sender = start().await;
    let chat = chat_about("hello").to_string();
    for (path, body, expected) in [
        ("/v1/chat/completions", &*chat, 200),
        ("/chat/completions", &*chat, 200),
        ("/v1/completions", r#"{"model":"demo","prompt":"x"}"#, 200),
        ("/v1/embeddings", r#"{"model":"demo","input":"x"}"#, 200),
        ("/v1/responses", r#"{"model":"demo","input":"x"}"#, 200),
        ("/v1/moderations", "{}", 404),
        ("/v1", "{}", 404),
        ("/v1/chat/completions", "{", 400),
        ("/v1/chat/completions", r#"{"model":"demo"}"#, 400),
    ] {
        let (status, media_type, chunks) = post(&mut sender, path, KEY, body).await;
        assert_eq!(
            (status.as_u16(), &*media_type),
            (expected, "application/json"),
            "{path} {body}"
        );
        assert!(
            serde_json::from_slice::<Value>(&chunks.concat())
                .unwrap()
                .is_object()
        );
    }
}

async fn streams_at_reading_speed() {
    let mut sender = start().await;
    let mut body = chat_about("hello");
    body["max_tokens"] = 4.into();
    body["stream"] = true.into();
    let started = tokio::time::Instant::now();
    let (status, media_type, chunks) =
        post(&mut sender, "/v1/chat/completions", KEY, &body.to_string()).await;
    assert_eq!((status.as_u16(), &*media_type), (200, "text/event-stream"));
    // Four words take at least their intervals, however busy the machine is.
    assert!(started.elapsed().as_millis() >= 4 * 33);
    assert!(chunks.concat().ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn serves_over_a_socket() {
    let all = async {
        rejects_requests_without_the_key().await;
        serves_each_route().await;
        streams_at_reading_speed().await;
    };
    LocalSet::new().run_until(all).await;
}
