//! HTTP/2 clients, by prior knowledge.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(crate::support::wait::DEADLINE, work)
            .await
            .unwrap()
    })
}

async fn connect(gateway: &Gateway) -> SendRequest<Body> {
    let tcp = TcpStream::connect(gateway.listen).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn chat(stream: bool) -> Request<Body> {
    let body = format!("{{\"model\":\"m\",\"stream\":{stream}}}");
    Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)).boxed())
        .unwrap()
}

async fn read_text(response: Response<Incoming>) -> Result<String, hyper::Error> {
    let body = response.into_body().collect().await?;
    Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

#[test]
fn many_requests_share_one_connection() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let responses: Vec<_> = (0..30).map(|_| sender.send_request(chat(false))).collect();
        for response in responses {
            let response = response.await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(response.headers().get("connection").is_none());
            assert!(read_text(response).await.unwrap().contains("hi"));
        }
    });
    assert_eq!(upstream.requests().len(), 30);
    gateway.wait_until_idle();
}

#[test]
fn wc01_a_compressed_body_is_decoded() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let body = br#"{"model":"m","stream":false}"#;
    let request = |body: Vec<u8>| {
        Request::post("http://localhost/v1/chat/completions")
            .header("content-encoding", "zstd")
            .body(Full::new(Bytes::from(body)).boxed())
            .unwrap()
    };
    block_on(async {
        let mut sender = connect(&gateway).await;
        let rubbish = sender.send_request(request(body.to_vec())).await.unwrap();
        assert_eq!(rubbish.status(), 400);
        let encoded = zstd::encode_all(&body[..], 3).unwrap();
        let response = sender.send_request(request(encoded)).await.unwrap();
        assert_eq!(response.status(), 200);
    });
    let seen = upstream.only_request();
    assert_eq!(seen.text(), r#"{"model":"real-model","stream":false}"#);
    assert_eq!(seen.header("content-encoding"), None);
}

#[test]
fn a_stream_arrives_complete() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = Setup::with_upstream(&upstream).start();
    let body = block_on(async {
        let response = connect(&gateway)
            .await
            .send_request(chat(true))
            .await
            .unwrap();
        read_text(response).await.unwrap()
    });
    assert!(body.ends_with(response::DONE), "{body}");
}

#[test]
fn a_stream_truncated_within_an_event_is_reset() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one") + "data: {\"ha"));
        exchange.close();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let body = block_on(async {
        let response = connect(&gateway)
            .await
            .send_request(chat(true))
            .await
            .unwrap();
        read_text(response).await
    });
    assert!(body.is_err(), "looks complete: {body:?}");
    gateway.wait_until_idle();
}

#[test]
fn a_stream_that_the_client_resets_ends_upstream_and_no_other() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"stream\":false") {
            exchange.send(response::completion("hi"));
            return;
        }
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        assert!(
            exchange.wait_for_disconnect(),
            "the stream outlived its client"
        );
    });
    let gateway = Setup::with_upstream(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let mut stream = sender.send_request(chat(true)).await.unwrap();
        stream.body_mut().frame().await.unwrap().unwrap();
        drop(stream);
        // The connection is driven by this very thread, so it must not block.
        while !gateway.output().contains("\"outcome\":\"cancelled\"") {
            tokio::time::sleep(crate::support::wait::POLL).await;
        }
        let other = sender.send_request(chat(false)).await.unwrap();
        assert_eq!(other.status(), 200);
    });
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
}

#[test]
fn an_authority_is_checked_like_a_host() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let mut foreign = chat(false);
        *foreign.uri_mut() = "http://attacker.example/v1/chat/completions"
            .parse()
            .unwrap();
        let response = sender.send_request(foreign).await.unwrap();
        assert!(
            matches!(response.status().as_u16(), 400 | 403),
            "{}",
            response.status()
        );
    });
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_host_that_differs_from_the_authority_is_refused() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    block_on(async {
        let mut torn = chat(false);
        torn.headers_mut()
            .insert("host", "attacker.example".parse().unwrap());
        let response = connect(&gateway).await.send_request(torn).await;
        if let Ok(response) = response {
            assert!(
                matches!(response.status().as_u16(), 400 | 403),
                "{}",
                response.status()
            );
        }
    });
    assert!(upstream.requests().is_empty());
}

#[test]
fn o01_a_drain_lets_streams_finish_and_accepts_no_new_ones() {
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        gate_of_upstream.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let mut gateway = Setup::with_upstream(&upstream).start();
    let accepted = block_on(async {
        let mut sender = connect(&gateway).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = sender.send_request(chat(true)).await.unwrap();
            stream.body_mut().frame().await.unwrap().unwrap();
            streams.push(stream);
        }
        gateway.signal("TERM");
        // A request sent before GOAWAY gets a response, or is refused as retryable;
        // after it the client sends none.
        while let Ok(response) = sender.send_request(chat(true)).await {
            if response.status() == 200 {
                streams.push(response);
                continue;
            }
            assert_eq!(response.status(), 503);
            assert!(!response.headers().contains_key("x-should-retry"));
        }
        let accepted = streams.len();
        gate.release_all();
        for stream in streams {
            let rest = read_text(stream).await.unwrap();
            assert!(rest.ends_with(response::DONE), "{rest}");
        }
        accepted
    });
    assert_eq!(upstream.requests().len(), accepted);
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn an_upload_uses_one_stream_of_several() {
    let upstream = Upstream::with_response(response::json("200 OK", r#"{"id":"file-1"}"#));
    let gateway = Setup::with_upstream(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x--\r\n";
        for (path, kind, body) in [
            (
                "/v1/files",
                "application/octet-stream",
                "y".repeat(3_000_000),
            ),
            (
                "/v1/audio/transcriptions",
                "multipart/form-data; boundary=x",
                form.to_owned(),
            ),
        ] {
            let request = Request::post(format!("http://localhost{path}"))
                .header("content-type", kind)
                .body(Full::new(Bytes::from(body.clone())).boxed())
                .unwrap();
            let (response, other) = (
                sender.send_request(request),
                sender.send_request(chat(false)),
            );
            assert_eq!(response.await.unwrap().status(), 200, "{path}");
            assert_eq!(other.await.unwrap().status(), 200);
            let seen = upstream.requests();
            let seen = seen.iter().find(|seen| seen.target == path).unwrap();
            let sent = body.replace("\r\nm\r\n", "\r\nreal-model\r\n");
            assert!(seen.body == sent.as_bytes(), "{} bytes", seen.body.len());
        }
    });
    gateway.wait_until_idle();
}
