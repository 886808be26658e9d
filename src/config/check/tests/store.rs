use std::path::PathBuf;
use std::time::Duration;

use crate::config::tests::Trial;
use crate::config::{StoreAddress, StoreConfig, StoreHost, WithoutStore};

fn store(url: &str) -> StoreConfig {
    let file = "[store]\nurl_env = \"VALKEY_URL\"";
    let config = Trial::file(file).variable("VALKEY_URL", url).config();
    assert_eq!(config.warnings, Vec::<String>::new(), "{url}");
    config.store.unwrap()
}

fn host(name: &str, port: u16) -> StoreHost {
    StoreHost {
        name: name.to_owned(),
        port,
    }
}

/// The text of the only error of this table.
fn error(table: &str) -> String {
    let error = Trial::file(&format!("[store]\n{table}")).error();
    let (_, text) = error.split_once(": ").unwrap();
    text.to_owned()
}

#[test]
fn there_is_no_store_without_a_url() {
    assert!(Trial::file("").config().store.is_none());
    let file = "[store]\ntimeout = \"5ms\"\nreplicas = 3";
    assert!(Trial::file(file).config().store.is_none());
    assert_eq!(
        error("prefix = \"prod:\""),
        "store: has no URL, so that there is no store; set url_env, url_file or url"
    );
}

#[test]
fn a_url_names_a_server() {
    for (url, name, port, database, is_tls) in [
        ("redis://127.0.0.1", "127.0.0.1", 6379, 0, false),
        ("redis://localhost:6380/", "localhost", 6380, 0, false),
        ("valkey://cache:80/3", "cache", 80, 3, false),
        (
            "rediss://cache.example.com/12",
            "cache.example.com",
            6379,
            12,
            true,
        ),
        ("valkeys://[::1]:7000", "::1", 7000, 0, true),
        (" redis://cache\n", "cache", 6379, 0, false),
    ] {
        let server = store(url).server;
        assert_eq!(server.address, StoreAddress::Tcp(host(name, port)), "{url}");
        assert_eq!(server.database, database, "{url}");
        assert_eq!(server.tls.is_some(), is_tls, "{url}");
        assert_eq!(server.login.user, None);
    }
}

#[test]
fn user_and_password_are_decoded() {
    let login = store("redis://gate%40way:p%2Fa%3As%23s@cache").server.login;
    assert_eq!(login.user.as_deref(), Some("gate@way"));
    assert_eq!(login.password.unwrap().expose(), "p/a:s#s");
    let login = store("rediss://:secret@cache.example.com").server.login;
    assert_eq!(login.user, None);
    assert_eq!(login.password.unwrap().expose(), "secret");
}

#[test]
fn a_url_names_a_socket() {
    for url in [
        "unix:/run/valkey/a b.sock?db=2&user=gate&password=p%26w",
        "unix:///run/valkey/a%20b.sock?db=2&user=gate&password=p%26w",
        "redis+unix:///run/valkey/a%20b.sock?password=p%26w&user=gate&db=2",
    ] {
        if url.contains(' ') {
            let trial = Trial::file(&format!("[store]\nurl = {url:?}"));
            let error = trial.error();
            assert!(error.contains("contains a space"), "{error}");
            continue;
        }
        let server = store(url).server;
        let path = PathBuf::from("/run/valkey/a b.sock");
        assert_eq!(server.address, StoreAddress::Unix(path));
        assert_eq!(server.database, 2);
        assert_eq!(server.login.user.as_deref(), Some("gate"));
        assert_eq!(server.login.password.unwrap().expose(), "p&w");
    }
}

#[test]
fn a_url_names_sentinels() {
    let url = "rediss+sentinel://gate:pw@one,two:26380,[::1]:1/my%20master/4\
               ?sentinel_user=watch&sentinel_password=spw";
    let server = store(url).server;
    let StoreAddress::Sentinel {
        master,
        sentinels,
        login,
    } = server.address
    else {
        panic!("{:?}", server.address);
    };
    assert_eq!(master, "my master");
    let expected = [host("one", 26379), host("two", 26380), host("::1", 1)];
    assert_eq!(sentinels, expected);
    assert_eq!(login.user.as_deref(), Some("watch"));
    assert_eq!(login.password.unwrap().expose(), "spw");
    assert_eq!(server.login.password.unwrap().expose(), "pw");
    assert_eq!(server.database, 4);
    assert!(server.tls.is_some());
}

#[test]
fn a_damaged_url_is_an_error_that_does_not_quote_it() {
    for (url, expected) in [
        ("", "not a URL; write one such as"),
        ("Canary7Qx9", "not a URL; write one such as"),
        ("https://:Canary7Qx9@cache", "must begin with redis://"),
        ("redis:Canary7Qx9", "must have // after its scheme"),
        ("redis://", "not a URL (empty host)"),
        ("redis://:Canary7Qx9@", "not a URL"),
        ("redis://:Canary#7Qx9@cache", "not a URL"),
        ("redis://cache/Canary7Qx9", "its database is not a number"),
        ("redis://cache/0?key=Canary7Qx9", "must not have a query"),
        ("redis://cache#Canary7Qx9", "has a # that begins a fragment"),
        ("redis://Canary7Qx9@cache", "has a user without a password"),
        ("unix:Canary7Qx9", "names no socket"),
        ("unix:/a?key=Canary7Qx9", "has an unknown parameter"),
        ("redis+sentinel://one,two", "does not name the master"),
        (
            "redis+sentinel://one/m/0/Canary7Qx9",
            "has a path that is too long",
        ),
        ("redis+sentinel:one/m", "write it as \"redis+sentinel://"),
        ("redis+sentinel://one,,two/m", "has no host"),
        ("redis:///3", "has no host"),
    ] {
        let trial = Trial::file("[store]\nurl_env = \"VALKEY_URL\"");
        let trial = trial.variable("VALKEY_URL", url);
        let error = if url.is_empty() {
            error("url = \"\"")
        } else {
            trial.error()
        };
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains("Canary"), "{url}: {error}");
    }
}

#[test]
fn the_url_has_one_source() {
    let text = "store: more than one of url, url_env and url_file; keep one";
    assert_eq!(error("url = \"redis://a\"\nurl_file = \"b\""), text);
    let text = "store.url_env: the variable VALKEY_URL is not set; set it, or remove this line";
    assert_eq!(error("url_env = \"VALKEY_URL\""), text);
    let shown = error("url_env = \"redis://:secret@cache\"");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("such as \"VALKEY_URL\""), "{shown}");
    let missing = error("url_file = \"missing\"");
    assert!(missing.starts_with("store.url_file: the file cannot be read"));
    let trial = Trial::file("[store]\nurl_file = \"url\"").with("url", "redis://:pw@cache\n");
    let store = trial.config().store.unwrap();
    assert_eq!(store.server.login.password.unwrap().expose(), "pw");
}

#[test]
fn a_password_in_the_file_or_in_clear_text_is_a_warning() {
    let warnings = Trial::file("[store]\nurl = \"redis://:pw@cache\"").warnings();
    let expected =
        "trunkline.toml:2: store.url: a password in the file; prefer url_env or url_file";
    assert_eq!(warnings, [expected]);
    let trial = Trial::empty().variable("TRUNKLINE_STORE__URL", "redis://:pw@cache");
    assert_eq!(trial.warnings(), Vec::<String>::new());
    let trial = Trial::file("[store]\nurl_env = \"VALKEY_URL\"");
    let trial = trial.variable("VALKEY_URL", "redis://:pw@cache.example.com");
    let expected = "VALKEY_URL: sends its password in clear text to a public host; \
                    write it with rediss://";
    assert_eq!(trial.warnings(), [expected]);
}

#[test]
fn tls_has_authorities_and_a_client_certificate() {
    let file = "[store]\nurl = \"rediss://cache\"\nca_file = \"ca.crt\"\n\
                cert_file = \"tls.crt\"\nkey_file = \"tls.key\"";
    let trial = Trial::file(file).with_certificates();
    let tls = trial.config().store.unwrap().server.tls.unwrap();
    assert_eq!(tls.authorities.len(), 1);
    assert!(tls.certificate.is_some());
    let file = "[store]\nurl = \"redis://cache\"\nca_file = \"ca.crt\"";
    let error = Trial::file(file).with_certificates().error();
    assert!(
        error.ends_with(
            "store.ca_file: has no effect without TLS; write the URL with rediss://, or remove it"
        ),
        "{error}"
    );
    let file = "[store]\nurl = \"rediss://cache\"\ncert_file = \"tls.crt\"";
    let error = Trial::file(file).with_certificates().error();
    assert!(
        error.contains("needs both cert_file and key_file"),
        "{error}"
    );
}

#[test]
fn numbers_and_names_have_bounds() {
    let url = "url = \"redis://cache\"";
    for (line, expected) in [
        (
            "timeout = \"2s\"",
            "store.timeout: must be from \"1ms\" to \"1s\"",
        ),
        (
            "timeout = \"10us\"",
            "store.timeout: must be from \"1ms\" to \"1s\"",
        ),
        ("replicas = 0", "store.replicas: "),
        (
            "prefix = \"a b\"",
            "store.prefix: must be of at most 128 letters",
        ),
        (
            "prefix = \"a*\"",
            "store.prefix: must be of at most 128 letters",
        ),
    ] {
        let error = error(&format!("{url}\n{line}"));
        assert!(error.starts_with(expected), "{line}: {error}");
    }
    let file = format!("[store]\n{url}\nprefix = \"prod:\"\ntimeout = \"10ms\"\nreplicas = 3");
    let store = Trial::file(&file).config().store.unwrap();
    assert_eq!((&*store.prefix, store.replicas), ("prod:", 3));
    assert_eq!(store.timeout, Duration::from_millis(10));
}

#[test]
fn the_same_data_may_be_reached_in_another_way() {
    let one = store("redis://:a@cache/1").server;
    let password = store("redis://:b@cache/1").server;
    assert!(one.has_same_data(&password) && !one.is_same(&password));
    assert!(one.is_same(&store("redis://:a@cache:6379/1").server));
    let database = store("redis://:a@cache/2").server;
    assert!(!one.has_same_data(&database));
    let sentinels = store("redis+sentinel://one,two/m").server;
    let moved = store("redis+sentinel://three/m").server;
    assert!(sentinels.has_same_data(&moved) && !sentinels.is_same(&moved));
}

#[test]
fn a_limit_says_what_holds_without_the_store() {
    let limit = "[limits.a]\nconcurrent = 1\nwithout = \"refuse\"";
    let store = "[store]\nurl = \"redis://cache\"";
    let config = Trial::file(&format!("{store}\n{limit}")).config();
    assert_eq!(config.limits[0].without, WithoutStore::Refuse);
    let config = Trial::file(&format!("{store}\n[limits.a]\nconcurrent = 1")).config();
    assert_eq!(config.limits[0].without, WithoutStore::Share);
    let error = Trial::file(limit).error();
    assert!(
        error.ends_with("limits.a.without: has no effect without a [store]; add one, or remove it"),
        "{error}"
    );
    let error = Trial::file(&format!("{store}\n{limit}\nat_limit = \"observe\"")).error();
    assert!(
        error.ends_with(
            "limits.a.without: a limit that only observes lets every request pass; remove it"
        ),
        "{error}"
    );
    // One error, and none that follows from it.
    let error = Trial::file(&format!("[store]\nurl = \"x\"\n{limit}")).error();
    assert!(error.contains("store.url: not a URL"), "{error}");
}
