//! O-14: a process takes over from another one on the same address, and no
//! caller notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, run, text};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;

fn sharing(upstream: &Upstream) -> Setup {
    Setup::over(upstream).server("reuse_port = true")
}

/// A process on the addresses of another one.
fn beside(first: &Gateway, upstream: &Upstream) -> Gateway {
    sharing(upstream)
        .variable("TRUNKLINE_SERVER__LISTEN", &first.listen.to_string())
        .variable("TRUNKLINE_ADMIN__LISTEN", &first.admin.to_string())
        .start()
}

/// Callers who never pause.
struct Load {
    enough: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Half of them take a new connection for each request, the others a new
    /// one only when they were told to.
    fn on(gateway: &Gateway, callers: usize) -> Self {
        let (enough, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let callers = (0..callers).map(|number| {
            let (enough, answered) = (Arc::clone(&enough), Arc::clone(&answered));
            let (address, keeps) = (gateway.listen, number % 2 == 0);
            thread::spawn(move || {
                let mut kept = None;
                while !enough.load(Ordering::SeqCst) {
                    let mut client = kept.take().unwrap_or_else(|| Client::connect(address));
                    let is_stream = answered.fetch_add(1, Ordering::SeqCst) % 2 == 0;
                    let request = if is_stream {
                        Request::stream("m")
                    } else {
                        Request::chat("m")
                    };
                    client.send(&request.bytes());
                    let answer = client.answer();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(answer.complete);
                    if answer.header("connection") == Some("close") {
                        client.assert_closed();
                    } else if keeps {
                        kept = Some(client);
                    }
                }
            })
        });
        let callers = callers.collect();
        Self {
            enough,
            answered,
            callers,
        }
    }

    /// Waits until so many more requests have been begun.
    #[track_caller]
    fn goes_on(&self, count: usize) {
        let before = self.answered.load(Ordering::SeqCst);
        wait::until("more answers", || {
            (self.answered.load(Ordering::SeqCst) >= before + count).then_some(())
        });
    }

    /// Every caller must have got every answer.
    fn end(self) {
        self.enough.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.join().expect("a caller noticed");
        }
    }
}

/// Answers streams and whole answers.
fn upstream() -> Upstream {
    Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("\"stream\":true") {
            reply::good_stream()
        } else {
            reply::completion("hi")
        });
    })
}

#[test]
#[cfg(target_os = "linux")]
fn o14_no_caller_notices_that_one_process_takes_over_from_another() {
    let upstream = upstream();
    let mut serving = sharing(&upstream).start();
    let load = Load::on(&serving, 8);
    for _ in 0..4 {
        load.goes_on(200);
        let next = beside(&serving, &upstream);
        load.goes_on(200);
        let mut old = std::mem::replace(&mut serving, next);
        old.signal("TERM");
        assert_eq!(old.ended().code(), Some(0));
        let said = old.said();
        assert!(said.contains("\"end\":\"empty\""), "{said}");
        assert!(!said.contains("may be lost"), "{said}");
    }
    load.goes_on(200);
    load.end();
    serving.settle();
}

#[test]
fn a_stream_ends_where_it_began_while_the_next_process_serves() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        if !exchange.begins_stream() {
            return;
        }
        exchange.send(reply::chunk(reply::delta("one")));
        held.pass();
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let mut old = sharing(&upstream).start();
    let mut stream = old.client();
    stream.send(&Request::stream("m").bytes());
    assert_eq!(stream.head().status, 200);
    stream.take(reply::delta("one").len());
    let mut resting = old.client();
    resting.send(&Request::chat("m").bytes());
    assert_eq!(resting.answer().status, 200);
    let next = beside(&old, &upstream);
    old.signal("TERM");
    wait::until("the old process to drain", || {
        old.said().contains("\"draining\"").then_some(())
    });
    resting.assert_closed();
    // Operators meet the one that serves.
    assert_eq!(next.ask_admin("/readyz").status, 200);
    assert_eq!(next.ask(&Request::chat("m")).status, 200);
    assert_eq!(text(&next.access_lines(1)[0], "outcome"), "ok");
    assert!(old.is_alive());
    gate.open_for_good();
    let (rest, complete) = stream.rest();
    assert!(complete);
    assert_eq!(rest, (reply::finish() + reply::DONE).into_bytes());
    assert_eq!(old.ended().code(), Some(0));
}

#[test]
fn two_processes_share_no_port_by_mistake() {
    let upstream = upstream();
    let shared = sharing(&upstream).start();
    let alone = Setup::over(&upstream).start();
    for (taken, setup) in [
        (shared.listen, Setup::new()),
        (alone.listen, sharing(&upstream)),
        (alone.listen, Setup::new()),
    ] {
        let setup = setup.variable("TRUNKLINE_SERVER__LISTEN", &taken.to_string());
        let (status, stdout, stderr) = run(&setup, &[]);
        assert_ne!(status.code(), Some(0));
        let said = stdout + &stderr;
        assert!(said.contains("server.listen"), "{said}");
    }
}
