//! What the tests need of the server that they start.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::store_server::{StoreData, StoreServer, StoreSetup};
use crate::support::upstream::tls::CertificateAuthority;
use crate::support::wait;

fn set(server: &StoreServer) {
    let _: () = server.command(&["SET", "a", "1"]);
}

fn get(server: &StoreServer) -> Option<String> {
    server.command(&["GET", "a"])
}

#[test]
fn a_kill_keeps_the_data_of_a_persistent_server_only() {
    for is_persistent in [false, true] {
        let setup = StoreSetup::new();
        let setup = if is_persistent {
            setup.persistent()
        } else {
            setup
        };
        let Some(mut server) = setup.start() else {
            return;
        };
        set(&server);
        assert_eq!(server.calls("set").calls, 1);
        server.kill();
        assert!(TcpStream::connect(server.address()).is_err());
        // Not even by chance does another socket get the port.
        let others: Vec<_> = (0..64).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
        server.restart(StoreData::Kept);
        assert_eq!(get(&server).is_some(), is_persistent);
        drop(others);
        set(&server);
        server.restart(StoreData::Lost);
        assert_eq!(get(&server), None);
    }
}

#[test]
fn a_suspended_or_paused_server_does_not_respond_until_it_goes_on() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    set(&server);
    server.suspend();
    std::thread::scope(|scope| {
        let response = scope.spawn(|| get(&server));
        // Connects all the same.
        drop(TcpStream::connect(server.address()).unwrap());
        assert!(!response.is_finished());
        server.resume();
        assert_eq!(response.join().unwrap().as_deref(), Some("1"));
    });
    let pause = Duration::from_millis(200);
    let start = Instant::now();
    server.pause_clients(pause);
    assert_eq!(get(&server).as_deref(), Some("1"));
    assert!(start.elapsed() >= pause);
}

#[test]
fn a_server_with_tls_and_a_password_takes_neither_less() {
    let folder = tempfile::tempdir().unwrap();
    let authority = CertificateAuthority::new();
    let setup = StoreSetup::new().tls(&authority, folder.path());
    let Some(server) = setup.password("hush").start() else {
        return;
    };
    set(&server);
    let port = server.port();
    assert_eq!(server.url(), format!("rediss://:hush@127.0.0.1:{port}"));
    let path = server.socket().display().to_string();
    let client = redis::Client::open(format!("redis+unix://{path}")).unwrap();
    let refused = redis::cmd("GET")
        .arg("a")
        .query::<String>(&mut client.get_connection().unwrap());
    assert_eq!(refused.unwrap_err().code(), Some("NOAUTH"));
}

#[test]
fn a_sentinel_knows_its_master() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    let line = format!("sentinel monitor main 127.0.0.1 {} 1", server.port());
    let sentinel = StoreSetup::new().sentinel().lines(&line).start().unwrap();
    let address: Vec<String> = wait::until("the sentinel to know the master", || {
        let words = ["SENTINEL", "get-master-addr-by-name", "main"];
        sentinel.try_command(&words).ok()
    });
    assert_eq!(address, ["127.0.0.1", &server.port().to_string()]);
}
