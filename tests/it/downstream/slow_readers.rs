//! Callers who read slowly, or nothing: they slow their own upstreams, and cost
//! little memory however their answers are cut (FAULTS, C-05 and U-18).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::downstream::zero_window;
use crate::support::client::{Client, Piece, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, endless};
use crate::support::wait;

const READERS: usize = 50;

/// A caller who asks for a stream and reads its head alone.
fn reader_of_nothing(gateway: &Gateway) -> Client {
    let mut client = gateway.client();
    socket2::SockRef::from(client.socket())
        .set_recv_buffer_size(4 * 1024)
        .unwrap();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client
}

fn over_http1(gateway: &Gateway, count: usize) -> Vec<Client> {
    (0..count).map(|_| reader_of_nothing(gateway)).collect()
}

/// Streams over HTTP/2, each on a connection of its own, that take what their
/// window allows and open it no further. They last as long as what is given.
fn over_http2(gateway: &Gateway, count: usize) -> mpsc::Sender<()> {
    const WINDOW: u32 = 20_000;
    let (stop, mut stopped) = mpsc::channel(1);
    let (tell, told) = std::sync::mpsc::channel();
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
                let body = zero_window::ask(&mut sender, true).await;
                readers.push((sender, body));
            }
            tell.send(()).unwrap();
            stopped.recv().await
        });
    });
    told.recv_timeout(wait::DEADLINE).unwrap();
    stop
}

/// What the gateway holds for each of many who read nothing, in KiB, when
/// events have so many bytes of content.
#[track_caller]
fn held_for_each<R>(content: usize, readers: impl Fn(&Gateway, usize) -> R) -> usize {
    let sent = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(endless(content, move |bytes| {
        count.fetch_add(bytes, Ordering::SeqCst);
    }));
    let gateway = Setup::over(&upstream)
        .server("write_timeout = \"10m\"")
        .start();
    // What is made once is not theirs.
    drop(readers(&gateway, 1));
    upstream.ended(1);
    gateway.settle();
    let before = gateway.resident_kib();
    let readers = readers(&gateway, READERS);
    // They stand still once all buffers on the way are full, those of the
    // system above all: megabytes for each, which on a busy machine take as
    // long as they take.
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
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    drop(readers);
    gateway.settle();
    each
}

#[test]
fn c05_slow_readers_cost_little_memory_whatever_the_size_of_events() {
    for content in [1000, 5000, 16 * 1024] {
        let each = held_for_each(content, over_http1);
        assert!(each <= 256, "{each} KiB for each");
    }
    // What has come of an event that is not whole is held once more.
    let each = held_for_each(64 * 1024, over_http1);
    assert!(each <= 256 + 64, "{each} KiB for each");
}

#[test]
fn c05_nor_do_those_over_http2_who_open_no_window() {
    for content in [1000, 16 * 1024] {
        let each = held_for_each(content, over_http2);
        assert!(each <= 192, "{each} KiB for each");
    }
    let each = held_for_each(64 * 1024, over_http2);
    assert!(each <= 192 + 64, "{each} KiB for each");
}

#[test]
#[cfg(target_os = "linux")]
fn a_caller_who_reads_nothing_is_ended_and_its_upstream_with_it() {
    let upstream = Upstream::start(endless(1000, |_| ()));
    let gateway = Setup::over(&upstream)
        .server("write_timeout = \"1s\"")
        .start();
    let mut reader = reader_of_nothing(&gateway);
    upstream.ended(1);
    gateway.settle();
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    assert_eq!(
        text(&gateway.access_lines(1)[0], "outcome"),
        "client_stalled"
    );
    assert!(!reader.rest().1, "a cut answer looks whole");
}

#[test]
fn a_caller_who_reads_a_little_now_and_then_is_not() {
    let upstream = Upstream::start(endless(1000, |_| ()));
    let gateway = Setup::over(&upstream)
        .server("write_timeout = \"1s\"")
        .start();
    let mut reader = reader_of_nothing(&gateway);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..4 {
            let piece = reader.piece();
            assert!(matches!(piece, Piece::Data(_)), "{piece:?}");
        }
    }
}
