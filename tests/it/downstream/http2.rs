//! Callers that speak HTTP/2 (by prior knowledge; TLS ends before us).

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
use crate::support::upstream::{Upstream, reply};
use crate::support::wait::Gate;

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

async fn read(response: Response<Incoming>) -> Result<String, hyper::Error> {
    let body = response.into_body().collect().await?;
    Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

#[test]
fn many_requests_share_one_connection() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let answers: Vec<_> = (0..30).map(|_| sender.send_request(chat(false))).collect();
        for answer in answers {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.headers().get("connection").is_none());
            assert!(read(answer).await.unwrap().contains("hi"));
        }
    });
    assert_eq!(upstream.requests().len(), 30);
    gateway.settle();
}

#[test]
fn a_stream_comes_whole() {
    let upstream = Upstream::answering(reply::good_stream());
    let gateway = Setup::over(&upstream).start();
    let body = block_on(async {
        let answer = connect(&gateway)
            .await
            .send_request(chat(true))
            .await
            .unwrap();
        read(answer).await.unwrap()
    });
    assert!(body.ends_with(reply::DONE), "{body}");
}

#[test]
fn a_stream_cut_inside_an_event_is_reset() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one") + "data: {\"ha"));
        exchange.close();
    });
    let gateway = Setup::over(&upstream).start();
    let body = block_on(async {
        let answer = connect(&gateway)
            .await
            .send_request(chat(true))
            .await
            .unwrap();
        read(answer).await
    });
    assert!(body.is_err(), "looks whole: {body:?}");
    gateway.settle();
}

#[test]
fn a_stream_that_the_caller_resets_ends_upstream_and_no_other() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"stream\":false") {
            exchange.send(reply::completion("hi"));
            return;
        }
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        assert!(exchange.gateway_left(), "the stream outlived its caller");
    });
    let gateway = Setup::over(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let mut stream = sender.send_request(chat(true)).await.unwrap();
        stream.body_mut().frame().await.unwrap().unwrap();
        drop(stream);
        // The connection is driven by this very thread, so it must not block.
        while !gateway.said().contains("\"outcome\":\"cancelled\"") {
            tokio::time::sleep(crate::support::wait::POLL).await;
        }
        let other = sender.send_request(chat(false)).await.unwrap();
        assert_eq!(other.status(), 200);
    });
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn an_authority_is_checked_like_a_host() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    block_on(async {
        let mut sender = connect(&gateway).await;
        let mut foreign = chat(false);
        *foreign.uri_mut() = "http://attacker.example/v1/chat/completions"
            .parse()
            .unwrap();
        let answer = sender.send_request(foreign).await.unwrap();
        assert!(
            matches!(answer.status().as_u16(), 400 | 403),
            "{}",
            answer.status()
        );
    });
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_host_that_differs_from_the_authority_is_refused() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    block_on(async {
        let mut torn = chat(false);
        torn.headers_mut()
            .insert("host", "attacker.example".parse().unwrap());
        let answer = connect(&gateway).await.send_request(torn).await;
        if let Ok(answer) = answer {
            assert!(
                matches!(answer.status().as_u16(), 400 | 403),
                "{}",
                answer.status()
            );
        }
    });
    assert!(upstream.requests().is_empty());
}

#[test]
fn o01_a_drain_lets_streams_finish_and_takes_no_new_ones() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        held.pass();
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let mut gateway = Setup::over(&upstream).start();
    let taken = block_on(async {
        let mut sender = connect(&gateway).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = sender.send_request(chat(true)).await.unwrap();
            stream.body_mut().frame().await.unwrap().unwrap();
            streams.push(stream);
        }
        gateway.signal("TERM");
        // A request that comes before GOAWAY is answered, or refused so that
        // it can be sent again; from there on none leaves the caller.
        while let Ok(answer) = sender.send_request(chat(true)).await {
            if answer.status() == 200 {
                streams.push(answer);
                continue;
            }
            assert_eq!(answer.status(), 503);
            assert!(!answer.headers().contains_key("x-should-retry"));
        }
        let taken = streams.len();
        gate.open_for_good();
        for stream in streams {
            let rest = read(stream).await.unwrap();
            assert!(rest.ends_with(reply::DONE), "{rest}");
        }
        taken
    });
    assert_eq!(upstream.requests().len(), taken);
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn uploads_come_by_one_stream_of_several() {
    let upstream = Upstream::answering(reply::json("200 OK", r#"{"id":"file-1"}"#));
    let gateway = Setup::over(&upstream).start();
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
            let (answer, other) = (
                sender.send_request(request),
                sender.send_request(chat(false)),
            );
            assert_eq!(answer.await.unwrap().status(), 200, "{path}");
            assert_eq!(other.await.unwrap().status(), 200);
            let seen = upstream.requests();
            let seen = seen.iter().find(|seen| seen.target == path).unwrap();
            let sent = body.replace("\r\nm\r\n", "\r\nreal-model\r\n");
            assert!(seen.body == sent.as_bytes(), "{} bytes", seen.body.len());
        }
    });
    gateway.settle();
}
