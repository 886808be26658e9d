//! HTTP/2 clients that stop reading one stream (docs/faults.md#h2-11).

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;

use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, endless_stream, response};
use crate::support::wait::DEADLINE;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, work).await.unwrap() })
}

/// A connection whose streams have this initial window.
pub async fn connect(gateway: SocketAddr, window: u32) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(gateway).await.unwrap();
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1024 * 1024)
        .handshake(tcp)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

pub async fn send(sender: &mut SendRequest<Bytes>, stream: bool) -> h2::RecvStream {
    let request = Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    let text = format!("{{\"model\":\"m\",\"stream\":{stream}}}");
    body.send_data(text.into(), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// Receives data without extending the window, until the stream ends.
async fn read_without_window(mut body: h2::RecvStream) -> (usize, Option<h2::Error>) {
    let mut received = 0;
    loop {
        match body.data().await {
            Some(Ok(data)) => received += data.len(),
            Some(Err(error)) => return (received, Some(error)),
            None => return (received, None),
        }
    }
}

fn short_write_timeout(upstream: &Upstream) -> Gateway {
    Setup::with_upstream(upstream)
        .server("write_timeout = \"700ms\"")
        .start()
}

#[test]
fn h2_11_a_stream_that_is_not_read_is_reset_and_its_neighbours_are_not() {
    let upstream = Upstream::start(endless_stream(1000, |_| ()));
    let gateway = short_write_timeout(&upstream);
    block_on(async {
        let mut sender = connect(gateway.listen, 20_000).await;
        let unread = send(&mut sender, true).await;
        let mut read = send(&mut sender, true).await;
        let unread = tokio::spawn(read_without_window(unread));
        // The other stream is read all the time, even after the first one has ended.
        let mut remaining = None;
        while remaining != Some(0) {
            let data = read.data().await.unwrap().unwrap();
            read.flow_control().release_capacity(data.len()).unwrap();
            remaining = match remaining {
                None => unread.is_finished().then_some(100),
                Some(remaining) => Some(remaining - 1),
            };
        }
        let (received, error) = unread.await.unwrap();
        let error = error.expect("a reset");
        assert!(error.is_reset(), "{error}");
        assert_eq!(received, 20_000);
    });
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    upstream.wait_for_closed(2);
    gateway.wait_until_idle();
    let lines = gateway.access_lines(2);
    let outcomes: Vec<_> = lines.iter().map(|line| text(line, "outcome")).collect();
    assert_eq!(outcomes, ["client_stalled", "cancelled"]);
}

#[test]
fn h2_11_a_stream_whose_window_never_opens_is_reset() {
    let upstream = Upstream::start(endless_stream(1000, |_| ()));
    let gateway = short_write_timeout(&upstream);
    block_on(async {
        let mut sender = connect(gateway.listen, 0).await;
        for stream in [true, false] {
            let body = send(&mut sender, stream).await;
            let (received, error) = read_without_window(body).await;
            assert_eq!(received, 0);
            assert!(error.expect("a reset").is_reset());
        }
    });
    gateway.wait_until_idle();
    // The other response had been sent completely.
    assert_eq!(
        text(&gateway.access_lines(2)[0], "outcome"),
        "client_stalled"
    );
}

#[test]
fn a_stream_that_waits_for_its_upstream_is_not_reset() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for event in [response::delta("one"), response::finish() + response::DONE] {
            exchange.send(response::chunk(event));
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = short_write_timeout(&upstream);
    block_on(async {
        let mut sender = connect(gateway.listen, 20_000).await;
        let body = send(&mut sender, true).await;
        let (received, error) = read_without_window(body).await;
        assert!(error.is_none(), "{error:?}");
        assert!(received > 100, "{received}");
    });
    gateway.wait_until_idle();
}
