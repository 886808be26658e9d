//! A listener at a path: programs of this machine call it, who may is said by
//! its permission bits, and neither a start nor an end leaves anybody hanging.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;

use crate::routing::failover::good;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, run, text};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::{DEADLINE, Gate};

const SERVER: &str = "TRUNKLINE_SERVER__LISTEN";
const ADMIN: &str = "TRUNKLINE_ADMIN__LISTEN";

/// A directory with room for sockets, and their paths.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is in it.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |it: std::io::Result<fs::DirEntry>| it.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|it| name(it).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// As the configuration has it.
fn listen(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn at(setup: Setup, path: &Path) -> Setup {
    setup.variable(SERVER, &listen(path))
}

#[track_caller]
fn ask(path: &Path, request: &Request) -> crate::support::client::Answer {
    let mut client = Client::connect_unix(path);
    client.send(&request.bytes());
    client.answer()
}

#[track_caller]
fn mode(path: &Path) -> u32 {
    let file = fs::symlink_metadata(path).unwrap();
    assert!(file.file_type().is_socket());
    file.permissions().mode() & 0o777
}

#[test]
fn a_socket_is_served_as_an_address_is() {
    let (place, upstream) = (
        Place::new(),
        Upstream::start(|exchange| {
            let body = String::from_utf8(exchange.read_body()).unwrap();
            exchange.send(if body.contains("\"stream\":true") {
                reply::good_stream()
            } else {
                reply::completion("hi")
            });
        }),
    );
    let path = place.path("api");
    let gateway = at(Setup::over(&upstream), &path).start();
    assert!(
        gateway.said().contains(&listen(&path)),
        "{}",
        gateway.said()
    );
    assert_eq!(mode(&path), 0o660);
    assert_eq!(place.names(), ["api"]);
    let mut client = Client::connect_unix(&path);
    for request in [Request::chat("m"), Request::stream("m"), Request::chat("m")] {
        client.send(&request.bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(answer.complete);
    }
    for line in gateway.access_lines(3) {
        assert_eq!(text(&line, "outcome"), "ok");
    }
    gateway.await_metric("trunkline_connections", &[], 1.0);
    drop(client);
    gateway.await_metric("trunkline_connections", &[], 0.0);
}

#[test]
fn http2_is_spoken_there_too() {
    let (place, upstream) = (Place::new(), good());
    let path = place.path("api");
    let _gateway = at(Setup::over(&upstream), &path).start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let exchange = async {
        let socket = tokio::net::UnixStream::connect(&path).await.unwrap();
        let io = TokioIo::new(socket);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = http::Request::post("http://localhost/v1/chat/completions")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from("{\"model\":\"m\"}")))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap()
    };
    runtime.block_on(async { tokio::time::timeout(DEADLINE, exchange).await.unwrap() });
}

#[test]
fn pieces_of_a_stream_leave_as_they_come() {
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
    let place = Place::new();
    let path = place.path("api");
    let mut gateway = at(Setup::over(&upstream), &path).start();
    let mut stream = Client::connect_unix(&path);
    stream.send(&Request::stream("m").bytes());
    assert_eq!(stream.head().status, 200);
    assert_eq!(
        stream.take(reply::delta("one").len()),
        reply::delta("one").into_bytes()
    );
    // Nobody is let in any more; who is in gets the rest.
    gateway.signal("TERM");
    wait::until("the path to be gone", || {
        place.names().is_empty().then_some(())
    });
    assert!(gateway.is_alive());
    gate.open();
    let (rest, complete) = stream.rest();
    assert!(complete);
    assert_eq!(rest, (reply::finish() + reply::DONE).into_bytes());
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn what_was_left_behind_is_replaced_and_what_is_alive_is_not() {
    let (place, upstream) = (Place::new(), good());
    let path = place.path("api");
    // Closing a socket leaves its name.
    drop(UnixListener::bind(&path).unwrap());
    let mut killed = at(Setup::over(&upstream), &path).start();
    assert_eq!(ask(&path, &Request::chat("m")).status, 200);
    killed.signal("KILL");
    killed.ended();
    assert_eq!(place.names(), ["api"]);
    let _gateway = at(Setup::over(&upstream), &path).start();
    assert_eq!(ask(&path, &Request::chat("m")).status, 200);
    let (status, stdout, stderr) = run(&at(Setup::over(&upstream), &path), &[]);
    assert_ne!(status.code(), Some(0));
    let said = stdout + &stderr;
    assert!(said.contains("Is it in use?"), "{said}");
    assert!(said.contains(&listen(&path)), "{said}");
    assert_eq!(ask(&path, &Request::chat("m")).status, 200);
    assert_eq!(place.names(), ["api"]);
}

#[test]
fn what_is_no_socket_stays_as_it_is() {
    let place = Place::new();
    let file = place.path("file");
    fs::write(&file, "precious").unwrap();
    let link = place.path("link");
    std::os::unix::fs::symlink(place.path("nowhere"), &link).unwrap();
    let directory = place.path("directory");
    fs::create_dir(&directory).unwrap();
    for path in [&file, &link, &directory] {
        let (status, stdout, stderr) = run(&at(Setup::new(), path), &[]);
        assert_ne!(status.code(), Some(0));
        let said = stdout + &stderr;
        assert!(said.contains("a file that is no socket"), "{said}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(place.names(), ["directory", "file", "link"]);
    let (status, stdout, stderr) = run(&at(Setup::new(), &place.path("no/api")), &[]);
    assert_ne!(status.code(), Some(0));
    let said = stdout + &stderr;
    assert!(said.contains("No such file or directory"), "{said}");
}

#[test]
fn its_names_and_pages_are_those_of_this_machine() {
    let (place, upstream) = (Place::new(), good());
    let path = place.path("api");
    let _gateway = at(Setup::over(&upstream), &path).start();
    for (name, value, status) in [
        ("host", "localhost", 200),
        ("host", "chat.example.com", 403),
        ("origin", "https://evil.example", 403),
    ] {
        let request = Request::chat("m").without(name).header(name, value);
        assert_eq!(ask(&path, &request).status, status, "{name}: {value}");
    }
}

#[test]
fn a_reload_leads_from_an_address_to_a_path_and_on() {
    let (place, upstream) = (Place::new(), good());
    let gateway = Setup::over(&upstream).start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    assert_eq!(first.answer().status, 200);
    let (one, other) = (place.path("one"), place.path("other"));
    let old = "[server]\nlisten = \"127.0.0.1:0\"";
    let server = |path: &Path, mode: &str| {
        format!(
            "[server]\nlisten = \"{}\"\nsocket_mode = \"{mode}\"",
            listen(path)
        )
    };
    gateway.reload(|text| text.replace(old, &server(&one, "0600")));
    assert_eq!(mode(&one), 0o600);
    let mut second = Client::connect_unix(&one);
    second.send(&Request::chat("m").bytes());
    assert_eq!(second.answer().status, 200);
    gateway.reload(|text| text.replace("0600", "0666"));
    assert_eq!(mode(&one), 0o666);
    gateway.reload(|text| text.replace(&server(&one, "0666"), &server(&other, "0660")));
    assert_eq!(mode(&other), 0o660);
    assert_eq!(place.names(), ["other"]);
    // Whoever was connected stays, and is served.
    for client in [&mut first, &mut second] {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(ask(&other, &Request::chat("m")).status, 200);
    // What cannot be listened at changes nothing.
    fs::write(&one, "").unwrap();
    gateway.edit(|text| text.replace(&server(&other, "0660"), &server(&one, "0660")));
    gateway.signal("HUP");
    let rejected = [("result", "rejected")];
    gateway.await_metric("trunkline_config_reloads_total", &rejected, 1.0);
    assert_eq!(ask(&other, &Request::chat("m")).status, 200);
    gateway.reload(|text| text.replace(&server(&one, "0660"), old));
    assert_eq!(place.names(), ["one"]);
}

/// Callers who take a new connection for each request, until they are told
/// to stop. None may be refused.
struct Callers {
    enough: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Callers {
    fn at(path: &Path) -> Self {
        let (enough, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = (0..4).map(|_| {
            let (enough, answered) = (Arc::clone(&enough), Arc::clone(&answered));
            let path = path.to_owned();
            thread::spawn(move || {
                while !enough.load(Ordering::SeqCst) {
                    let answer = ask(&path, &Request::chat("m"));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        let threads = threads.collect();
        Self {
            enough,
            answered,
            threads,
        }
    }

    #[track_caller]
    fn go_on(&self, count: usize) {
        let before = self.answered.load(Ordering::SeqCst);
        wait::until("more answers", || {
            (self.answered.load(Ordering::SeqCst) >= before + count).then_some(())
        });
    }

    fn end(self) {
        self.enough.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a caller noticed");
        }
    }
}

#[test]
fn a_process_takes_a_path_over_and_no_caller_notices() {
    let (place, upstream) = (Place::new(), good());
    let (path, admin) = (place.path("api"), place.path("admin"));
    let sharing = || {
        at(Setup::over(&upstream), &path)
            .variable(ADMIN, &listen(&admin))
            .server("reuse_port = true")
    };
    let mut serving = sharing().start();
    let callers = Callers::at(&path);
    for _ in 0..3 {
        callers.go_on(50);
        let next = sharing().start();
        callers.go_on(50);
        let mut old: Gateway = std::mem::replace(&mut serving, next);
        old.signal("TERM");
        assert_eq!(old.ended().code(), Some(0));
        assert_eq!(ask(&admin, &Request::get("/readyz")).status, 200);
        assert_eq!(place.names(), ["admin", "api"]);
    }
    // One that cannot start leaves all as it is.
    fs::write(place.path("file"), "").unwrap();
    let broken = sharing().variable(ADMIN, &listen(&place.path("file")));
    assert_ne!(run(&broken, &[]).0.code(), Some(0));
    callers.go_on(50);
    callers.end();
    serving.signal("TERM");
    assert_eq!(serving.ended().code(), Some(0));
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn operators_are_answered_at_a_path() {
    let place = Place::new();
    let (path, admin) = (place.path("api"), place.path("admin"));
    let setup = || at(Setup::new(), &path).variable(ADMIN, &listen(&admin));
    let _gateway = setup().start();
    assert!(
        ask(&admin, &Request::get("/metrics"))
            .text()
            .contains("trunkline_")
    );
    let foreign = Request::get("/config").without("host");
    let foreign = foreign.header("host", "evil.example");
    assert_eq!(ask(&admin, &foreign).status, 403);
    let socket = admin.to_str().unwrap();
    let own = format!("http://localhost/readyz at {socket} answers 200 OK: ready");
    let api = format!("http://localhost/health at {}", path.display());
    for (setup, arguments, said) in [
        (setup(), &["probe"][..], own.as_str()),
        (Setup::new(), &["probe", "--unix-socket", socket], &own),
        (
            Setup::new(),
            &["probe", "livez", "--unix-socket", socket],
            "answers 200 OK: ok",
        ),
        (
            Setup::new(),
            &[
                "probe",
                "--unix-socket",
                path.to_str().unwrap(),
                "--url",
                "http://localhost/health",
            ],
            &api,
        ),
    ] {
        // On a busy machine the first time may take longer than a probe waits.
        wait::until("an answer to a probe", || {
            let (status, stdout, stderr) = run(&setup, arguments);
            let all = stdout + &stderr;
            (!all.contains("gives no answer within")).then(|| {
                assert_eq!(status.code(), Some(0), "{all}");
                assert!(all.contains(said), "{all}");
            })
        });
    }
    let (status, _, stderr) = run(&Setup::new(), &["probe", "--unix-socket", "/nowhere/api"]);
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("gives no answer: No such file"), "{stderr}");
}

#[test]
fn a_caller_who_reads_nothing_is_taken_for_gone() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        let event = reply::chunk(reply::delta(&"x".repeat(10_000)));
        while exchange.send(&event) {}
    });
    let place = Place::new();
    let path = place.path("api");
    let gateway = at(Setup::over(&upstream), &path)
        .server("write_timeout = \"500ms\"")
        .start();
    let mut client = Client::connect_unix(&path);
    client.send(&Request::stream("m").bytes());
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    upstream.ended(1);
    gateway.settle();
    assert_eq!(
        text(&gateway.access_lines(1)[0], "outcome"),
        "client_stalled"
    );
}

#[test]
fn check_says_where_and_who_may() {
    let setup = || at(Setup::new(), Path::new("/run/trunkline/api"));
    let (status, stdout, _) = run(&setup().server("socket_mode = \"0600\""), &["check"]);
    assert_eq!(status.code(), Some(0));
    let said = "Listening for callers on unix:/run/trunkline/api (0600)";
    assert!(stdout.contains(said), "{stdout}");
}
