//! A listener at a Unix-domain socket: permissions, cleanup at start and end, and
//! handover.

mod handover;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;

use crate::routing::failover::healthy_upstream;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Setup, run, text};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::{DEADLINE, Semaphore};

const SERVER: &str = "TRUNKLINE_SERVER__LISTEN";
const ADMIN: &str = "TRUNKLINE_ADMIN__LISTEN";

/// A directory for sockets.
struct SocketDirectory(TempDir);

impl SocketDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |it: std::io::Result<fs::DirEntry>| it.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|it| name(it).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The address as configured.
fn listen(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn listening_at(setup: Setup, path: &Path) -> Setup {
    setup.env(SERVER, &listen(path))
}

#[track_caller]
fn send(path: &Path, request: &Request) -> crate::support::client::Response {
    let mut client = Client::connect_unix(path);
    client.send(&request.bytes());
    client.response()
}

#[track_caller]
fn mode(path: &Path) -> u32 {
    let file = fs::symlink_metadata(path).unwrap();
    assert!(file.file_type().is_socket());
    file.permissions().mode() & 0o777
}

#[test]
fn a_socket_is_served_like_an_address() {
    let (directory, upstream) = (
        SocketDirectory::new(),
        Upstream::start(|exchange| {
            let body = String::from_utf8(exchange.read_body()).unwrap();
            exchange.send(if body.contains("\"stream\":true") {
                response::good_stream()
            } else {
                response::completion("hi")
            });
        }),
    );
    let path = directory.path("api");
    let gateway = listening_at(Setup::with_upstream(&upstream), &path).start();
    gateway.await_log("INFO", &[&listen(&path)], 1);
    assert_eq!(mode(&path), 0o660);
    assert_eq!(directory.names(), ["api"]);
    let mut client = Client::connect_unix(&path);
    for request in [Request::chat("m"), Request::stream("m"), Request::chat("m")] {
        client.send(&request.bytes());
        let response = client.response();
        assert_eq!(response.status, 200);
        assert!(response.complete);
    }
    for line in gateway.access_lines(3) {
        assert_eq!(text(&line, "outcome"), "ok");
    }
    gateway.await_metric("trunkline_connections", &[], 1.0);
    drop(client);
    gateway.await_metric("trunkline_connections", &[], 0.0);
}

#[test]
fn http2_works_over_a_socket() {
    let (directory, upstream) = (SocketDirectory::new(), healthy_upstream());
    let path = directory.path("api");
    let _gateway = listening_at(Setup::with_upstream(&upstream), &path).start();
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
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap()
    };
    runtime.block_on(async { tokio::time::timeout(DEADLINE, exchange).await.unwrap() });
}

#[test]
fn chunks_of_a_stream_are_forwarded_at_once() {
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
    let directory = SocketDirectory::new();
    let path = directory.path("api");
    let mut gateway = listening_at(Setup::with_upstream(&upstream), &path).start();
    let mut stream = Client::connect_unix(&path);
    stream.send(&Request::stream("m").bytes());
    assert_eq!(stream.head().status, 200);
    assert_eq!(
        stream.read_exact(response::delta("one").len()),
        response::delta("one").into_bytes()
    );
    // New connections are rejected; open ones are served to the end.
    gateway.signal("TERM");
    wait::until("the path to be removed", || {
        directory.names().is_empty().then_some(())
    });
    assert!(gateway.is_running());
    gate.release();
    let (rest, complete) = stream.read_body();
    assert!(complete);
    assert_eq!(rest, (response::finish() + response::DONE).into_bytes());
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let (directory, upstream) = (SocketDirectory::new(), healthy_upstream());
    let path = directory.path("api");
    // Closing a socket leaves its file.
    drop(UnixListener::bind(&path).unwrap());
    let mut killed = listening_at(Setup::with_upstream(&upstream), &path).start();
    assert_eq!(send(&path, &Request::chat("m")).status, 200);
    killed.signal("KILL");
    killed.wait_for_exit();
    assert_eq!(directory.names(), ["api"]);
    let _gateway = listening_at(Setup::with_upstream(&upstream), &path).start();
    assert_eq!(send(&path, &Request::chat("m")).status, 200);
    let (status, stdout, stderr) = run(&listening_at(Setup::with_upstream(&upstream), &path), &[]);
    assert_ne!(status.code(), Some(0));
    let output = stdout + &stderr;
    assert!(
        output.contains("Another process listens there."),
        "{output}"
    );
    assert!(output.contains(&listen(&path)), "{output}");
    assert_eq!(send(&path, &Request::chat("m")).status, 200);
    assert_eq!(directory.names(), ["api"]);
}

#[test]
fn a_file_that_is_not_a_socket_is_kept() {
    let directory = SocketDirectory::new();
    let file = directory.path("file");
    fs::write(&file, "precious").unwrap();
    let link = directory.path("link");
    std::os::unix::fs::symlink(directory.path("nowhere"), &link).unwrap();
    let subdirectory = directory.path("directory");
    fs::create_dir(&subdirectory).unwrap();
    for path in [&file, &link, &subdirectory] {
        let (status, stdout, stderr) = run(&listening_at(Setup::new(), path), &[]);
        assert_ne!(status.code(), Some(0));
        let output = stdout + &stderr;
        assert!(output.contains("a file that is not a socket"), "{output}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(directory.names(), ["directory", "file", "link"]);
    let (status, stdout, stderr) = run(&listening_at(Setup::new(), &directory.path("no/api")), &[]);
    assert_ne!(status.code(), Some(0));
    let output = stdout + &stderr;
    assert!(output.contains("No such file or directory"), "{output}");
}

#[test]
fn only_local_hosts_and_origins_are_accepted() {
    let (directory, upstream) = (SocketDirectory::new(), healthy_upstream());
    let path = directory.path("api");
    let _gateway = listening_at(Setup::with_upstream(&upstream), &path).start();
    for (name, value, status) in [
        ("host", "localhost", 200),
        ("host", "chat.example.com", 403),
        ("origin", "https://evil.example", 403),
    ] {
        let request = Request::chat("m").without(name).header(name, value);
        assert_eq!(send(&path, &request).status, status, "{name}: {value}");
    }
}

#[test]
fn a_reload_can_move_the_listener_between_addresses_and_paths() {
    let (directory, upstream) = (SocketDirectory::new(), healthy_upstream());
    let gateway = Setup::with_upstream(&upstream).start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    assert_eq!(first.response().status, 200);
    let (one, other) = (directory.path("one"), directory.path("other"));
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
    assert_eq!(second.response().status, 200);
    gateway.reload(|text| text.replace("0600", "0666"));
    assert_eq!(mode(&one), 0o666);
    gateway.reload(|text| text.replace(&server(&one, "0666"), &server(&other, "0660")));
    assert_eq!(mode(&other), 0o660);
    assert_eq!(directory.names(), ["other"]);
    // Open connections stay and are served.
    for client in [&mut first, &mut second] {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(send(&other, &Request::chat("m")).status, 200);
    // An address that cannot be bound changes nothing.
    fs::write(&one, "").unwrap();
    gateway.edit(|text| text.replace(&server(&other, "0660"), &server(&one, "0660")));
    gateway.signal("HUP");
    let rejected = [("result", "rejected")];
    gateway.await_metric("trunkline_config_reloads_total", &rejected, 1.0);
    assert_eq!(send(&other, &Request::chat("m")).status, 200);
    gateway.reload(|text| text.replace(&server(&one, "0660"), old));
    assert_eq!(directory.names(), ["one"]);
}

#[test]
fn the_admin_listener_can_be_a_path() {
    let directory = SocketDirectory::new();
    let (path, admin) = (directory.path("api"), directory.path("admin"));
    let setup = || listening_at(Setup::new(), &path).env(ADMIN, &listen(&admin));
    let _gateway = setup().start();
    assert!(
        send(&admin, &Request::get("/metrics"))
            .text()
            .contains("trunkline_")
    );
    let foreign = Request::get("/config").without("host");
    let foreign = foreign.header("host", "evil.example");
    assert_eq!(send(&admin, &foreign).status, 403);
    let socket = admin.to_str().unwrap();
    let own = format!("http://localhost/readyz at {socket} responded 200 OK: ready");
    let api = format!("http://localhost/health at {}", path.display());
    for (setup, arguments, output) in [
        (setup(), &["probe"][..], own.as_str()),
        (Setup::new(), &["probe", "--unix-socket", socket], &own),
        (
            Setup::new(),
            &["probe", "livez", "--unix-socket", socket],
            "responded 200 OK: ok",
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
        // On a busy machine the first response may exceed the probe's timeout.
        wait::until("a response to a probe", || {
            let (status, stdout, stderr) = run(&setup, arguments);
            let all = stdout + &stderr;
            (!all.contains("no response within")).then(|| {
                assert_eq!(status.code(), Some(0), "{all}");
                assert!(all.contains(output), "{all}");
            })
        });
    }
    let (status, _, stderr) = run(&Setup::new(), &["probe", "--unix-socket", "/nowhere/api"]);
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("no response: No such file"), "{stderr}");
}

#[test]
fn a_client_that_reads_nothing_is_disconnected() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        let event = response::chunk(response::delta(&"x".repeat(10_000)));
        while exchange.send(&event) {}
    });
    let directory = SocketDirectory::new();
    let path = directory.path("api");
    let gateway = listening_at(Setup::with_upstream(&upstream), &path)
        .server("write_timeout = \"500ms\"")
        .start();
    let mut client = Client::connect_unix(&path);
    client.send(&Request::stream("m").bytes());
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
    assert_eq!(
        text(&gateway.access_lines(1)[0], "outcome"),
        "client_stalled"
    );
}

#[test]
fn check_shows_the_path_and_its_permissions() {
    let setup = || listening_at(Setup::new(), Path::new("/run/trunkline/api"));
    let (status, stdout, _) = run(&setup().server("socket_mode = \"0600\""), &["check"]);
    assert_eq!(status.code(), Some(0));
    let expected = "Listening for clients on unix:/run/trunkline/api (0600)";
    assert!(stdout.contains(expected), "{stdout}");
}
