//! Every form of a connection to the store, and what the gateway says of one that fails.

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::store_server::{StoreServer, StoreSetup};
use crate::support::upstream::tls::CertificateAuthority;
use crate::support::wait;

/// On a busy machine, a response takes its time.
const PATIENT: &str = "timeout = \"1s\"";

/// Four requests a day, over all gateways with this store.
fn setup(url: &str, lines: &str) -> Setup {
    Setup::new()
        .env("VALKEY_URL", url)
        .section(&format!(
            "[store]\nurl_env = \"VALKEY_URL\"\n{PATIENT}\n{lines}"
        ))
        .section("[limits.all]\nrequests = [\"4/day\"]")
}

fn passes(gateway: &Gateway) -> bool {
    match gateway.send(&Request::chat("demo")) {
        response if response.status == 200 => true,
        response => {
            assert_eq!(response.status, 429, "{}", response.text());
            false
        }
    }
}

/// A refusal may come while another gateway holds a lease, but not for long.
#[track_caller]
fn assert_shared(gateways: &[&Gateway]) {
    let mut passed = 0;
    wait::until("four requests to pass", || {
        passed += gateways.iter().filter(|it| passes(it)).count();
        (passed >= 4).then_some(())
    });
    assert_eq!(passed, 4);
    assert!(gateways.iter().all(|it| !passes(it)));
}

#[track_caller]
fn assert_works(url: &str, lines: &str) {
    let one = setup(url, lines).start();
    let other = setup(url, lines).start();
    for gateway in [&one, &other] {
        gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    }
    assert_shared(&[&one, &other]);
    for gateway in [one, other] {
        let output = gateway.finish();
        assert!(output.contains("\"store connected\""), "{output}");
        assert!(!output.contains("hush"), "a secret is printed: {output}");
    }
}

#[test]
fn by_tcp_and_by_a_socket() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    assert_works(&server.url(), "");
    let _: () = server.command(&["FLUSHALL"]);
    assert_works(&format!("unix:{}", server.socket().display()), "");
}

#[test]
fn with_a_password_or_as_a_user() {
    let Some(server) = StoreSetup::new().password("hush").start() else {
        return;
    };
    assert_works(&server.url(), "");
    let _: () = server.command(&["FLUSHALL"]);
    let user = ["ACL", "SETUSER", "gate", "on", ">hush2", "+@all", "~prod:*"];
    let _: () = server.command(&user);
    let url = format!("redis://gate:hush2@127.0.0.1:{}", server.port());
    assert_works(&url, "prefix = \"prod:\"");
}

#[test]
fn in_a_database_and_under_a_prefix() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    assert_works(&format!("{}/3", server.url()), "prefix = \"prod:\"");
    let in_first: u64 = server.command(&["DBSIZE"]);
    assert_eq!(in_first, 0);
    let client = redis::Client::open(format!("{}/3", server.url())).unwrap();
    let mut connection = client.get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(key.starts_with("prod:trunkline:1:"), "{key}");
    }
}

#[test]
fn by_tls_with_the_authority_of_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = CertificateAuthority::new();
    let setup = StoreSetup::new().tls(&authority, folder.path());
    let Some(server) = setup.password("hush").start() else {
        return;
    };
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    assert_works(&server.url(), &format!("ca_file = {path:?}"));
    let stranger = self::setup(&server.url(), "").start();
    let lines = stranger.await_log("WARN", &["the store is away"], 1);
    assert!(lines[0].contains("no trusted authority"), "{}", lines[0]);
    assert!(lines[0].contains("store.ca_file"), "{}", lines[0]);
}

#[test]
fn with_a_client_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = CertificateAuthority::new();
    let setup = StoreSetup::new().lines("tls-auth-clients yes");
    let Some(server) = setup.tls(&authority, folder.path()).start() else {
        return;
    };
    let issued = authority.issue("gateway", crate::support::upstream::tls::Flaw::None);
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ca, chain) = (
        write("ca.pem", authority.pem()),
        write("tls.pem", issued.pem()),
    );
    let key = write("tls.key", &issued.key_pem());
    let lines = format!("ca_file = {ca:?}\ncert_file = {chain:?}\nkey_file = {key:?}");
    assert_works(&server.url(), &lines);
    let without = self::setup(&server.url(), &format!("ca_file = {ca:?}")).start();
    without.await_log("WARN", &["the store is away", "store.cert_file"], 1);
}

#[test]
fn by_sentinels_that_name_another_master_when_one_is_gone() {
    let Some(mut master) = StoreServer::start() else {
        return;
    };
    let line = format!("replicaof 127.0.0.1 {}", master.port());
    let replica = StoreSetup::new().lines(&line).start().unwrap();
    wait::until("the replica to be in step", || {
        let info: String = replica.command(&["INFO", "replication"]);
        info.contains("master_link_status:up").then_some(())
    });
    let lines = format!(
        "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 300\n\
         sentinel failover-timeout main 2000",
        master.port()
    );
    let sentinel = StoreSetup::new().sentinel().lines(&lines).start().unwrap();
    wait::until("the sentinel to know the replica", || {
        let info: String = sentinel.try_command(&["INFO", "sentinel"]).ok()?;
        info.contains("slaves=1").then_some(())
    });
    // The first one cannot be reached.
    let url = format!(
        "redis+sentinel://127.0.0.1:1,127.0.0.1:{}/main",
        sentinel.port()
    );
    let gateway = setup(&url, "").start();
    gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    assert!(passes(&gateway));
    master.kill();
    gateway.await_log("WARN", &["the store is away"], 1);
    gateway.await_log("INFO", &["the store is back"], 1);
    gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    assert_eq!(
        replica.command::<Vec<redis::Value>>(&["ROLE"])[0],
        redis::Value::BulkString(b"master".to_vec())
    );
}

#[test]
fn a_wrong_password_is_named_and_not_printed() {
    let Some(server) = StoreSetup::new().password("hush").start() else {
        return;
    };
    let port = server.port();
    for (url, reason) in [
        (format!("redis://:hushhush@127.0.0.1:{port}"), "WRONGPASS"),
        (format!("redis://127.0.0.1:{port}"), "NOAUTH"),
    ] {
        let gateway = setup(&url, "").start();
        let lines = gateway.await_log("WARN", &["the store is away", reason], 1);
        assert!(
            lines[0].contains("set the user and password"),
            "{}",
            lines[0]
        );
        let output = gateway.finish();
        assert!(!output.contains("hush"), "{output}");
    }
}

#[test]
fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    let gateway = setup(&server.url(), "").start();
    gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    assert!(passes(&gateway));
    let _: () = server.command(&["SCRIPT", "FLUSH"]);
    let before = server.calls("eval").calls;
    assert!(passes(&gateway));
    wait::until("the scripts to be sent again", || {
        (server.calls("eval").calls > before).then_some(())
    });
    let metrics = gateway.metrics();
    assert_eq!(
        metrics.sum("trunkline_limit_store_errors_total", &[]),
        Some(0.0)
    );
    assert_shared_rest(&gateway, 2);
}

#[track_caller]
fn assert_shared_rest(gateway: &Gateway, left: usize) {
    for _ in 0..left {
        assert!(passes(gateway));
    }
    assert!(!passes(gateway));
}

#[test]
fn a_server_that_forgets_what_was_used_is_named() {
    let lines = "maxmemory 100mb\nmaxmemory-policy allkeys-lru";
    let Some(server) = StoreSetup::new().lines(lines).start() else {
        return;
    };
    let gateway = setup(&server.url(), "").start();
    let policy = gateway.await_log("WARN", &["maxmemory-policy is allkeys-lru"], 1);
    assert_eq!(policy.len(), 1);
    gateway.await_log("WARN", &["it keeps nothing over a restart"], 1);
}

#[test]
fn what_is_leased_is_handed_back_at_the_end() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    let setup = setup(&server.url(), "").section("[limits.many]\nrequests = [\"1000/day\"]");
    let gateway = setup.start();
    gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    assert!(passes(&gateway));
    let output = gateway.finish();
    assert!(!output.contains("the store is away"), "{output}");
    let keys: Vec<String> = server.command(&["KEYS", "trunkline:1:b:*many*"]);
    let fields: Vec<String> = server.command(&["HGETALL", &keys[0]]);
    let value = |kind: &str| -> u64 {
        let at = fields.iter().position(|it| it.starts_with(kind)).unwrap();
        fields[at + 1].parse().unwrap()
    };
    assert_eq!((value("u:"), value("g:"), value("r:")), (1, 1, 0));
    let replicas: u64 = server.command(&["ZCARD", "trunkline:1:replicas"]);
    assert_eq!(replicas, 0);
}

#[test]
fn a_reload_changes_the_password_and_keeps_what_was_used() {
    let Some(server) = StoreServer::start() else {
        return;
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), server.url()).unwrap();
    let section = format!("[store]\nurl_file = {:?}\n{PATIENT}", file.path());
    let setup = Setup::new().section(&section);
    let gateway = setup
        .section("[limits.all]\nrequests = [\"4/day\"]")
        .start();
    gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    assert!(passes(&gateway));
    let _: () = server.command(&["ACL", "SETUSER", "gate", "on", ">hush", "+@all", "~*"]);
    let url = format!("redis://gate:hush@127.0.0.1:{}", server.port());
    std::fs::write(file.path(), url).unwrap();
    gateway.signal("HUP");
    gateway.await_log("INFO", &["reload applied"], 1);
    wait::until("a connection as that user", || {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        let mut lines = clients.lines();
        lines.any(|it| it.contains("user=gate")).then_some(())
    });
    assert_shared_rest(&gateway, 3);
}
