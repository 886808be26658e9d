//! A process takes over the path of another one (docs/faults.md#o-14).

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{ADMIN, SocketDirectory, listen, listening_at, send};
use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::wait;

/// Clients that open a new connection for each request until they are stopped.
/// None may fail.
struct BackgroundClients {
    stop: Arc<AtomicBool>,
    responses: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl BackgroundClients {
    fn start(path: &Path) -> Self {
        let (stop, responses) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = (0..4).map(|_| {
            let (stop, responses) = (Arc::clone(&stop), Arc::clone(&responses));
            let path = path.to_owned();
            thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let response = send(&path, &Request::chat("m"));
                    assert_eq!(response.status, 200, "{}", response.text());
                    responses.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        let threads = threads.collect();
        Self {
            stop,
            responses,
            threads,
        }
    }

    #[track_caller]
    fn wait_for_more(&self, count: usize) {
        let before = self.responses.load(Ordering::SeqCst);
        wait::until("more responses", || {
            (self.responses.load(Ordering::SeqCst) >= before + count).then_some(())
        });
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a client failed");
        }
    }
}

#[test]
fn a_process_takes_over_a_path_without_a_failed_request() {
    let (directory, upstream) = (SocketDirectory::new(), healthy_upstream());
    let (path, admin) = (directory.path("api"), directory.path("admin"));
    let sharing = || {
        listening_at(Setup::with_upstream(&upstream), &path)
            .env(ADMIN, &listen(&admin))
            .server("reuse_port = true")
    };
    let mut serving = sharing().start();
    let clients = BackgroundClients::start(&path);
    for _ in 0..3 {
        clients.wait_for_more(50);
        let next = sharing().start();
        clients.wait_for_more(50);
        let mut old: Gateway = std::mem::replace(&mut serving, next);
        old.signal("TERM");
        assert_eq!(old.wait_for_exit().code(), Some(0));
        assert_eq!(send(&admin, &Request::get("/readyz")).status, 200);
        assert_eq!(directory.names(), ["admin", "api"]);
    }
    // A process that cannot start changes nothing.
    fs::write(directory.path("file"), "").unwrap();
    let broken = sharing().env(ADMIN, &listen(&directory.path("file")));
    assert_ne!(run(&broken, &[]).0.code(), Some(0));
    clients.wait_for_more(50);
    clients.end();
    serving.signal("TERM");
    assert_eq!(serving.wait_for_exit().code(), Some(0));
    assert_eq!(directory.names(), ["file"]);
}
