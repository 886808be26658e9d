//! Callers over HTTP/2 who take no more of one stream (FAULTS, H2-11).

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;

use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, endless, reply};
use crate::support::wait::DEADLINE;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, work).await.unwrap() })
}

/// A connection whose streams get a window of so many bytes.
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

pub async fn ask(sender: &mut SendRequest<Bytes>, stream: bool) -> h2::RecvStream {
    let request = Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let (answer, mut body) = sender.send_request(request, false).unwrap();
    let text = format!("{{\"model\":\"m\",\"stream\":{stream}}}");
    body.send_data(text.into(), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// Takes what comes and opens no window for more, until the stream ends.
async fn never_taken(mut body: h2::RecvStream) -> (usize, Option<h2::Error>) {
    let mut came = 0;
    loop {
        match body.data().await {
            Some(Ok(data)) => came += data.len(),
            Some(Err(error)) => return (came, Some(error)),
            None => return (came, None),
        }
    }
}

fn impatient(upstream: &Upstream) -> Gateway {
    Setup::over(upstream)
        .server("write_timeout = \"700ms\"")
        .start()
}

#[test]
fn h2_11_a_stream_that_is_not_read_is_reset_and_its_neighbours_are_not() {
    let upstream = Upstream::start(endless(1000, |_| ()));
    let gateway = impatient(&upstream);
    block_on(async {
        let mut sender = connect(gateway.listen, 20_000).await;
        let stuck = ask(&mut sender, true).await;
        let mut read = ask(&mut sender, true).await;
        let stuck = tokio::spawn(never_taken(stuck));
        // The neighbour is read all the time, and beyond the other one's end.
        let mut left = None;
        while left != Some(0) {
            let data = read.data().await.unwrap().unwrap();
            read.flow_control().release_capacity(data.len()).unwrap();
            left = match left {
                None => stuck.is_finished().then_some(100),
                Some(left) => Some(left - 1),
            };
        }
        let (came, error) = stuck.await.unwrap();
        let error = error.expect("a reset");
        assert!(error.is_reset(), "{error}");
        assert_eq!(came, 20_000);
    });
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    upstream.ended(2);
    gateway.settle();
    let lines = gateway.access_lines(2);
    let outcomes: Vec<_> = lines.iter().map(|line| text(line, "outcome")).collect();
    assert_eq!(outcomes, ["client_stalled", "cancelled"]);
}

#[test]
fn h2_11_a_window_that_was_never_open_is_no_way_to_stay() {
    let upstream = Upstream::start(endless(1000, |_| ()));
    let gateway = impatient(&upstream);
    block_on(async {
        let mut sender = connect(gateway.listen, 0).await;
        for stream in [true, false] {
            let body = ask(&mut sender, stream).await;
            let (came, error) = never_taken(body).await;
            assert_eq!(came, 0);
            assert!(error.expect("a reset").is_reset());
        }
    });
    gateway.settle();
    // The other one's answer was out of our hands as a whole.
    assert_eq!(
        text(&gateway.access_lines(2)[0], "outcome"),
        "client_stalled"
    );
}

#[test]
fn a_stream_that_waits_for_its_upstream_is_not_reset() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for event in [reply::delta("one"), reply::finish() + reply::DONE] {
            exchange.send(reply::chunk(event));
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        exchange.send(reply::LAST_CHUNK);
    });
    let gateway = impatient(&upstream);
    block_on(async {
        let mut sender = connect(gateway.listen, 20_000).await;
        let body = ask(&mut sender, true).await;
        let (came, error) = never_taken(body).await;
        assert!(error.is_none(), "{error:?}");
        assert!(came > 100, "{came}");
    });
    gateway.settle();
}
