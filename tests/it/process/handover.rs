//! A process takes over from another one on the same address, without a failed
//! request (docs/faults.md#o-14).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, run, text};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

fn sharing(upstream: &Upstream) -> Setup {
    Setup::with_upstream(upstream).server("reuse_port = true")
}

/// A second process on the addresses of the first.
fn second_process(first: &Gateway, upstream: &Upstream) -> Gateway {
    sharing(upstream)
        .env("TRUNKLINE_SERVER__LISTEN", &first.listen.to_string())
        .env("TRUNKLINE_ADMIN__LISTEN", &first.admin.to_string())
        .start()
}

/// Clients that send requests without a pause.
struct Load {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Half of them open a new connection for each request, the others only after
    /// `Connection: close`.
    fn start(gateway: &Gateway, clients: usize) -> Self {
        let (stop, requests) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = (0..clients).map(|number| {
            let (stop, requests) = (Arc::clone(&stop), Arc::clone(&requests));
            let (address, keeps) = (gateway.listen, number % 2 == 0);
            thread::spawn(move || {
                let mut connection = None;
                while !stop.load(Ordering::SeqCst) {
                    let mut client = connection
                        .take()
                        .unwrap_or_else(|| Client::connect(address));
                    let is_stream = requests.fetch_add(1, Ordering::SeqCst) % 2 == 0;
                    let request = if is_stream {
                        Request::stream("m")
                    } else {
                        Request::chat("m")
                    };
                    client.send(&request.bytes());
                    let response = client.response();
                    assert_eq!(response.status, 200, "{}", response.text());
                    assert!(response.complete);
                    if response.header("connection") == Some("close") {
                        client.assert_closed();
                    } else if keeps {
                        connection = Some(client);
                    }
                }
            })
        });
        let clients = clients.collect();
        Self {
            stop,
            requests,
            clients,
        }
    }

    #[track_caller]
    fn wait_for_more(&self, count: usize) {
        let before = self.requests.load(Ordering::SeqCst);
        wait::until("more responses", || {
            (self.requests.load(Ordering::SeqCst) >= before + count).then_some(())
        });
    }

    /// Stops the clients; every request must have succeeded.
    fn finish(self) {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().expect("a client failed");
        }
    }
}

/// An upstream for streams and unary requests.
fn upstream() -> Upstream {
    Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("\"stream\":true") {
            response::good_stream()
        } else {
            response::completion("hi")
        });
    })
}

#[test]
#[cfg(target_os = "linux")]
fn o14_a_process_takes_over_from_another_without_a_failed_request() {
    let upstream = upstream();
    let mut serving = sharing(&upstream).start();
    let load = Load::start(&serving, 8);
    for _ in 0..4 {
        load.wait_for_more(200);
        let next = second_process(&serving, &upstream);
        load.wait_for_more(200);
        let mut old = std::mem::replace(&mut serving, next);
        old.signal("TERM");
        assert_eq!(old.wait_for_exit().code(), Some(0));
        let output = old.output();
        assert!(output.contains("\"end\":\"empty\""), "{output}");
        assert!(!output.contains("may drop new connections"), "{output}");
    }
    load.wait_for_more(200);
    load.finish();
    serving.wait_until_idle();
}

#[test]
fn a_stream_finishes_in_the_old_process_while_the_next_one_serves() {
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        if !exchange.start_stream_if_requested() {
            return;
        }
        exchange.send(response::chunk(response::delta("one")));
        gate_of_upstream.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let mut old = sharing(&upstream).start();
    let mut stream = old.client();
    stream.send(&Request::stream("m").bytes());
    assert_eq!(stream.head().status, 200);
    stream.read_exact(response::delta("one").len());
    let mut idle = old.client();
    idle.send(&Request::chat("m").bytes());
    assert_eq!(idle.response().status, 200);
    let next = second_process(&old, &upstream);
    old.signal("TERM");
    old.await_log("INFO", &["\"draining\""], 1);
    idle.assert_closed();
    // The admin port reaches the process that serves.
    assert_eq!(next.get_admin("/readyz").status, 200);
    assert_eq!(next.send(&Request::chat("m")).status, 200);
    assert_eq!(text(&next.access_lines(1)[0], "outcome"), "ok");
    assert!(old.is_running());
    gate.release_all();
    let (rest, complete) = stream.read_body();
    assert!(complete);
    assert_eq!(rest, (response::finish() + response::DONE).into_bytes());
    assert_eq!(old.wait_for_exit().code(), Some(0));
}

#[test]
fn two_processes_share_no_port_by_mistake() {
    let upstream = upstream();
    let shared = sharing(&upstream).start();
    let alone = Setup::with_upstream(&upstream).start();
    for (occupied, setup) in [
        (shared.listen, Setup::new()),
        (alone.listen, sharing(&upstream)),
        (alone.listen, Setup::new()),
    ] {
        let setup = setup.env("TRUNKLINE_SERVER__LISTEN", &occupied.to_string());
        let (status, stdout, stderr) = run(&setup, &[]);
        assert_ne!(status.code(), Some(0));
        let output = stdout + &stderr;
        assert!(output.contains("server.listen"), "{output}");
    }
}
