//! Clients that read slowly or not at all: they slow their own upstreams and cost
//! little memory, whatever the size of events (docs/faults.md#c-05, #u-18).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::downstream::zero_window;
use crate::support::client::{BodyFrame, Client, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, endless_stream};
use crate::support::wait;

const READERS: usize = 50;

/// A client that requests a stream and reads only its head.
fn non_reading_client(gateway: &Gateway) -> Client {
    let mut client = gateway.client();
    socket2::SockRef::from(client.socket())
        .set_recv_buffer_size(4 * 1024)
        .unwrap();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client
}

fn over_http1(gateway: &Gateway, count: usize) -> Vec<Client> {
    (0..count).map(|_| non_reading_client(gateway)).collect()
}

/// HTTP/2 streams, one per connection, that use up their initial window and never
/// extend it. They last as long as the returned sender.
fn over_http2(gateway: &Gateway, count: usize) -> mpsc::Sender<()> {
    const WINDOW: u32 = 20_000;
    let (stop, mut stopped) = mpsc::channel(1);
    let (started, all_started) = std::sync::mpsc::channel();
    let listen = gateway.listen;
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut readers = Vec::new();
            for _ in 0..count {
                let mut sender = zero_window::connect(listen, WINDOW).await;
                let body = zero_window::send(&mut sender, true).await;
                readers.push((sender, body));
            }
            started.send(()).unwrap();
            stopped.recv().await
        });
    });
    all_started.recv_timeout(wait::DEADLINE).unwrap();
    stop
}

/// The gateway's memory in KiB for each of many clients that read nothing, with
/// events of `content` bytes.
#[track_caller]
fn memory_per_client<R>(content: usize, readers: impl Fn(&Gateway, usize) -> R) -> usize {
    let sent = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(endless_stream(content, move |bytes| {
        count.fetch_add(bytes, Ordering::SeqCst);
    }));
    let gateway = Setup::with_upstream(&upstream)
        .server("write_timeout = \"10m\"")
        .start();
    // Lazily created state is not counted.
    drop(readers(&gateway, 1));
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
    let before = gateway.resident_kib();
    let readers = readers(&gateway, READERS);
    // They stop once all buffers on the way are full, mostly those of the kernel:
    // megabytes for each, which on a busy machine can take long.
    let mut last = (0, 0);
    while last.1 < 50 {
        std::thread::sleep(wait::POLL);
        let now = sent.load(Ordering::SeqCst);
        assert!(now < READERS * (64 << 20), "the upstreams are not slowed");
        last = (now, if now == last.0 { last.1 + 1 } else { 0 });
    }
    let streams = gateway.metrics();
    let streams = streams.sum("trunkline_streams_in_flight", &[]);
    assert_eq!(streams, Some(READERS as f64));
    let each = gateway.resident_kib().saturating_sub(before) / READERS;
    eprintln!("{content} bytes in an event: {each} KiB for each reader");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    drop(readers);
    gateway.wait_until_idle();
    each
}

#[test]
fn c05_slow_readers_cost_little_memory_for_any_event_size() {
    for content in [1000, 5000, 16 * 1024] {
        let each = memory_per_client(content, over_http1);
        assert!(each <= 144, "{each} KiB for each");
    }
    // An incomplete event is buffered once more.
    let each = memory_per_client(64 * 1024, over_http1);
    assert!(each <= 144 + 64, "{each} KiB for each");
}

#[test]
fn c05_http2_clients_with_a_closed_window_cost_little_memory() {
    for content in [1000, 16 * 1024] {
        let each = memory_per_client(content, over_http2);
        assert!(each <= 192, "{each} KiB for each");
    }
    let each = memory_per_client(64 * 1024, over_http2);
    assert!(each <= 192 + 64, "{each} KiB for each");
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_that_reads_nothing_is_disconnected_and_its_upstream_request_ended() {
    let upstream = Upstream::start(endless_stream(1000, |_| ()));
    let gateway = Setup::with_upstream(&upstream)
        .server("write_timeout = \"1s\"")
        .start();
    let mut reader = non_reading_client(&gateway);
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    assert_eq!(
        text(&gateway.access_lines(1)[0], "outcome"),
        "client_stalled"
    );
    assert!(!reader.read_body().1, "a truncated response looks complete");
}

#[test]
fn a_client_that_reads_a_little_now_and_then_is_not_disconnected() {
    let upstream = Upstream::start(endless_stream(1000, |_| ()));
    let gateway = Setup::with_upstream(&upstream)
        .server("write_timeout = \"1s\"")
        .start();
    let mut reader = non_reading_client(&gateway);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..4 {
            let frame = reader.next_frame();
            assert!(matches!(frame, BodyFrame::Data(_)), "{frame:?}");
        }
    }
}
