use std::time::Duration;

use crate::config::Listen;
use crate::config::tests::Trial;

fn error_of(section: &str, key: &str, value: &str) -> String {
    let error = Trial::file(&format!("[{section}]\n{key} = {value}")).error();
    let prefix = format!("trunkline.toml:2: {section}.{key}");
    assert!(error.starts_with(&prefix), "{value}: {error}");
    error
}

#[test]
fn addresses_are_an_ip_address_and_a_port() {
    for value in [
        "\"\"",
        "\"8080\"",
        "\":8080\"",
        "\"localhost\"",
        "\"localhost:x\"",
        "\"127.0.0.1\"",
        "\"127.0.0.1:99999\"",
    ] {
        assert!(error_of("server", "listen", value).contains("127.0.0.1:8080"));
    }
    let config = Trial::file("[server]\nlisten = \"[::1]:9000\"").config();
    assert_eq!(config.server.listen.to_string(), "[::1]:9000");
    let config = Trial::file("[server]\nlisten = \"localhost:9000\"").config();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:9000");
    assert!(error_of("admin", "listen", "\"8081\"").contains("\"127.0.0.1:8081\""));
}

#[test]
fn the_admin_listener_can_be_switched_off() {
    for value in ["off", ""] {
        let config = Trial::file(&format!("[admin]\nlisten = \"{value}\"")).config();
        assert_eq!(config.admin.listen, None);
    }
    assert!(error_of("admin", "listen", "\"none\"").contains("or \"off\""));
    assert!(error_of("admin", "listen", "\"127.0.0.1:8080\"").contains("same address"));
}

#[test]
fn a_listener_can_be_at_a_path() {
    let file = "[server]\nlisten = \"unix:/run/a.sock\"\n\
                [admin]\nlisten = \"unix:/run/b.sock\"\nsocket_mode = \"600\"";
    let config = Trial::file(file).config();
    let at = |path: &str, mode| Listen::Unix {
        path: path.into(),
        mode,
    };
    assert_eq!(config.server.listen, at("/run/a.sock", 0o660));
    assert_eq!(config.server.listen.to_string(), "unix:/run/a.sock");
    // Only programs on this machine can reach it, as on loopback.
    assert!(config.server.listen.is_local());
    assert_eq!(config.admin.listen, Some(at("/run/b.sock", 0o600)));
    for path in ["", "a.sock", "@a", "/run/", "//run/a/\\u0000"] {
        let error = error_of("server", "listen", &format!("\"unix:{path}\""));
        assert!(error.contains("an absolute path"), "{error}");
    }
    let long = format!("\"unix:/{}\"", "a".repeat(90));
    assert!(error_of("admin", "listen", &long).contains("at most 90 bytes"));
    let same = file.replace("b.sock", "a.sock");
    assert!(Trial::file(&same).error().contains("same address"));
}

#[test]
fn socket_modes_are_permission_bits() {
    for mode in [
        "", "66", "0460", "00660", "0680", "1660", "rw-", "+660", "0o660",
    ] {
        for section in ["server", "admin"] {
            let error = error_of(section, "socket_mode", &format!("\"{mode}\""));
            assert!(error.contains("write \"0660\""), "{error}");
        }
    }
}

#[test]
fn a_public_listener_needs_keys_or_an_explicit_setting() {
    for address in [
        "0.0.0.0:8080",
        "[::]:8080",
        "192.168.1.2:8080",
        "[::ffff:10.0.0.1]:80",
    ] {
        let listen = format!("[server]\nlisten = \"{address}\"\n");
        let error = Trial::file(&listen).error();
        assert!(
            error.starts_with("trunkline.toml:2: server.listen: reachable"),
            "{error}"
        );
        assert!(
            Trial::file(&format!("{listen}[access]\nopen = true"))
                .load()
                .is_ok()
        );
        let hash = "0".repeat(64);
        let key = format!("{listen}[access.keys.a]\nsha256 = \"{hash}\"");
        assert!(Trial::file(&key).load().is_ok());
    }
    for address in [
        "127.0.0.1:1",
        "127.9.9.9:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(
            Trial::file("").listen_flag(address).load().is_ok(),
            "{address}"
        );
    }
}

#[test]
fn root_paths_begin_with_a_slash_and_end_without() {
    let root_path = |text: &str| {
        let file = format!("[server]\nroot_path = \"{text}\"");
        Trial::file(&file).config().server.root_path
    };
    assert_eq!(root_path("/"), "");
    assert_eq!(root_path("/api"), "/api");
    assert_eq!(root_path("/api/v2/"), "/api/v2");
    for value in [
        "\"api\"",
        "\"//api\"",
        "\"/a b\"",
        "\"/a?b\"",
        "\"/../a\"",
        "\"/a%2f\"",
        "\"/ä\"",
        "\"/a\\n\"",
    ] {
        error_of("server", "root_path", value);
    }
}

#[test]
fn durations_have_units_and_bounds() {
    for value in [
        "\"\"",
        "\"10\"",
        "\"-1s\"",
        "\"ten seconds\"",
        "\"0s\"",
        "\"off\"",
        "\"100000000000y\"",
        "\"1e400s\"",
        "\"2y\"",
    ] {
        error_of("server", "header_timeout", value);
    }
    let config =
        Trial::file("[server]\nidle_timeout = \"1h 30m\"\ndrain_timeout = \"0s\"").config();
    assert_eq!(config.server.idle_timeout, Duration::from_secs(5400));
    assert_eq!(config.server.drain_timeout, Duration::ZERO);
}

#[test]
fn sizes_have_units_and_bounds() {
    let max_body = |text: &str| {
        let file = format!("[server]\nmax_body = \"{text}\"");
        Trial::file(&file).config().server.max_body
    };
    assert_eq!(max_body("1KiB"), 1024);
    assert_eq!(max_body("1kB"), 1000);
    assert_eq!(max_body("4096"), 4096);
    for value in [
        "\"\"",
        "\"0\"",
        "\"-1MiB\"",
        "\"big\"",
        "\"9999999999TiB\"",
        "\"NaN\"",
        "\"1 parsec\"",
    ] {
        error_of("server", "max_body", value);
    }
    assert!(error_of("server", "max_header_size", "\"1KiB\"").contains("at least \"8KiB\""));
}

#[test]
fn the_buffer_holds_the_largest_body() {
    let config = Trial::file("[server]\nmax_body = \"2GiB\"\n").config();
    assert_eq!(config.server.max_buffered, 2 << 30);
    let error = Trial::file("[server]\nmax_body = \"2GiB\"\nmax_buffered = \"1GiB\"\n").error();
    assert!(
        error.contains("server.max_buffered: less than server.max_body"),
        "{error}"
    );
}

#[test]
fn counts_have_bounds() {
    error_of("server", "max_connections", "0");
    error_of("server", "max_in_flight", "0");
    error_of("server", "max_in_flight", "99999999999");
    error_of("server", "workers", "100000");
    error_of("pool", "max_idle", "99999999999");
    let config = Trial::file("[server]\nworkers = 7").config();
    assert_eq!(config.server.workers, 7);
}

#[test]
fn allowed_hosts_are_names_alone() {
    let config =
        Trial::file("[server]\nallowed_hosts = [\"LLM.Example.com\", \"10.0.0.1\"]").config();
    assert_eq!(config.server.allowed_hosts, ["llm.example.com", "10.0.0.1"]);
    for host in ["http://a", "a:80", "a/b", "*.a", "", "a b"] {
        error_of("server", "allowed_hosts", &format!("[{host:?}]"));
    }
}

#[test]
fn origins_are_exact() {
    let origins = |list: &str| {
        let file = format!("[cors]\nallow_origins = {list}");
        Trial::file(&file).config().cors.allow_origins
    };
    assert_eq!(
        origins(
            r#"["HTTPS://Chat.Example.com:443", "http://localhost:3000", "tauri://localhost", "https://chat.example.com"]"#
        ),
        [
            "https://chat.example.com",
            "http://localhost:3000",
            "tauri://localhost"
        ]
    );
    for origin in [
        "*",
        "https://*.a",
        "null",
        "a.example",
        "https://a/b",
        "https://u@a",
        "https://",
        "https://a?b",
        "x://a b",
        "https://a:99999",
    ] {
        error_of("cors", "allow_origins", &format!("[{origin:?}]"));
    }
    assert_eq!(origins("[\"https://a/\", \"https://a\"]"), ["https://a"]);
}

#[test]
fn a_port_is_shared_only_on_request() {
    assert!(!Trial::empty().config().server.reuse_port);
    let text = "[server]\nreuse_port = true";
    assert!(Trial::file(text).config().server.reuse_port);
}

#[test]
fn limits_on_slow_clients_are_durations() {
    let text = "[server]\nbody_idle_timeout = \"2s\"\nwrite_timeout = \"3s\"\nkeepalive_comments = \"15s\"\nserver_timing = false";
    let server = Trial::file(text).config().server;
    let seconds = Duration::from_secs;
    assert_eq!(
        (server.body_idle_timeout, server.write_timeout),
        (seconds(2), seconds(3))
    );
    assert_eq!(server.keepalive_comments, Some(seconds(15)));
    assert!(!server.server_timing);
    let server = Trial::empty().config().server;
    assert_eq!(
        (server.body_idle_timeout, server.write_timeout),
        (seconds(30), seconds(60))
    );
    assert_eq!(server.keepalive_comments, None);
    for line in [
        "body_idle_timeout = \"0s\"",
        "write_timeout = \"off\"",
        "keepalive_comments = \"0s\"",
    ] {
        let (key, _) = line.split_once(' ').unwrap();
        let error = Trial::file(&format!("[server]\n{line}")).error();
        assert!(error.contains(&format!("server.{key}: ")), "{error}");
    }
}
