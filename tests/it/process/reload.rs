//! Reload: a new configuration is applied completely or not at all, by signal or
//! by watch, without the loss of a connection (docs/faults.md#o-04, #o-05, #o-07).

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::routing::failover::healthy_upstream;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

pub const RELOADS: &str = "trunkline_config_reloads_total";

/// Lines for one more alias.
pub fn alias(name: &str) -> String {
    format!("\n[models.{name}]\nprovider = \"up\"\nmodel = \"real-{name}\"\n")
}

fn models(gateway: &Gateway) -> Vec<String> {
    let response = gateway.send(&Request::get("/v1/models")).json();
    let models = response["data"].as_array().unwrap().iter();
    models
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
pub fn wait_for_model(gateway: &Gateway, name: &str) {
    wait::until(&format!("the model {name}"), || {
        models(gateway).iter().any(|it| it == name).then_some(())
    });
}

/// The key of each request at the upstream.
pub fn keys(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.requests();
    let key = |it: &crate::support::upstream::RecordedRequest| {
        it.header("authorization").unwrap().to_owned()
    };
    requests.iter().map(key).collect()
}

#[test]
fn a_changed_file_is_applied_without_a_signal() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut idle = gateway.client();
    idle.send(&Request::chat("late").bytes());
    assert_eq!(idle.response().status, 404);
    gateway.edit(|text| text + &alias("late"));
    wait_for_model(&gateway, "late");
    // The same connection, with the new configuration.
    idle.send(&Request::chat("late").bytes());
    assert_eq!(idle.response().status, 200);
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    gateway.await_metric(RELOADS, &[("result", "applied")], 1.0);
    let shown = gateway.get_admin("/config").json();
    assert_eq!(shown["models"]["late"]["targets"][0]["model"], "real-late");
}

#[test]
fn dotenv_is_reread() {
    let upstream = healthy_upstream();
    let setup = Setup::new().section(&format!(
        "[providers.up]\nbase_url = \"{}\"\napi_key_env = \"UP_KEY\"\n{}",
        upstream.base_url(),
        alias("m")
    ));
    let gateway = setup.start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 503);
    std::fs::write(gateway.directory().join(".env"), "UP_KEY=from-dotenv\n").unwrap();
    wait_for_model(&gateway, "m");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(keys(&upstream), ["Bearer from-dotenv"]);
}

/// Replaces the target of `..data`, as Kubernetes does.
fn mount(directory: &Path, version: &str, files: &[(&str, &str)]) {
    std::fs::create_dir(directory.join(version)).unwrap();
    for (name, text) in files {
        std::fs::write(directory.join(version).join(name), text).unwrap();
    }
    symlink(version, directory.join("..data_tmp")).unwrap();
    std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
}

#[test]
fn o07_a_mounted_config_map_and_secret_are_followed() {
    let upstream = healthy_upstream();
    let setup = Setup::new();
    let [secrets, config] = ["secrets", "config"].map(|name| {
        let path = setup.directory().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    });
    mount(&secrets, "..1", &[("key", "first-key\n")]);
    symlink("..data/key", secrets.join("key")).unwrap();
    let gateway = setup
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_key_file = \"secrets/key\"\n{}",
            upstream.base_url(),
            alias("m")
        ))
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    mount(&secrets, "..2", &[("key", "second-key\n")]);
    std::fs::remove_dir_all(secrets.join("..1")).unwrap();
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(keys(&upstream), ["Bearer first-key", "Bearer second-key"]);

    // The file itself becomes a link into a mount, with the same content.
    let file = gateway.directory().join("test.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    mount(&config, "..1", &[("test.toml", &text)]);
    symlink("config/..data/test.toml", gateway.directory().join("link")).unwrap();
    std::fs::rename(gateway.directory().join("link"), &file).unwrap();
    gateway.signal("HUP");
    gateway.await_metric(RELOADS, &[("result", "unchanged")], 1.0);
    for version in ["..2", "..3"] {
        let name = version.replace("..", "v");
        mount(
            &config,
            version,
            &[("test.toml", &(text.clone() + &alias(&name)))],
        );
        wait_for_model(&gateway, &name);
    }
}

#[test]
fn o05_an_invalid_file_changes_nothing_and_every_error_is_logged() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let before = std::fs::read_to_string(gateway.directory().join("test.toml")).unwrap();
    gateway.edit(|text| {
        text.replace(
            "[models.\"m\"]\nprovider = \"up\"",
            "[models.\"m\"]\nprovider = \"upp\"",
        ) + "\n[cors]\nallow_origin = [\"https://a.example\"]\n"
    });
    gateway.await_metric(RELOADS, &[("result", "rejected")], 1.0);
    let metrics = gateway.metrics();
    let now = |name: &str| metrics.sum(name, &[]);
    assert_eq!(now("trunkline_config_last_reload_successful"), Some(0.0));
    assert_eq!(now("trunkline_config_generation"), Some(1.0));
    let log = wait::until("the rejection in the log", || {
        let lines = gateway.log_lines_at("ERROR");
        (lines.len() >= 3).then(|| lines.join("\n"))
    });
    for part in [
        "models.m.provider: unknown provider",
        "did you mean \\\"up\\\"?",
        "cors.allow_origin: unknown key; did you mean \\\"allow_origins\\\"?",
        "test.toml:",
        "reload rejected",
    ] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.edit(|_| "this is not TOML".to_owned());
    gateway.await_metric(RELOADS, &[("result", "rejected")], 2.0);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    // Reverted, the file equals the active configuration again.
    gateway.edit(|_| before);
    gateway.await_metric("trunkline_config_last_reload_successful", &[], 1.0);
    gateway.await_metric("trunkline_config_generation", &[], 1.0);
}

#[test]
fn a_signal_without_a_change_changes_nothing() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.signal("HUP");
    gateway.await_metric(RELOADS, &[("result", "unchanged")], 1.0);
    assert!((gateway.generation() - 1.0).abs() < 1e-9);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn the_watch_can_be_disabled_and_enabled() {
    let watches = |gateway: &Gateway| {
        let open = std::fs::read_dir(gateway.proc_dir().join("fd")).unwrap();
        let mut links = open.filter_map(|it| it.ok()?.path().read_link().ok());
        links.any(|link| link.to_string_lossy().contains("inotify"))
    };
    let gateway = Setup::new().section("[reload]\nwatch = false").start();
    assert!(!watches(&gateway));
    gateway.reload(|text| text.replace("watch = false", "watch = true"));
    wait::until("a watch", || watches(&gateway).then_some(()));
    gateway.edit(|text| text.replace("watch = true", "watch = false"));
    gateway.await_metric("trunkline_config_generation", &[], 3.0);
    wait::until("the end of the watch", || {
        (!watches(&gateway)).then_some(())
    });
}

#[test]
fn o07_a_rotated_key_file_causes_no_error() {
    let upstream = healthy_upstream();
    let setup = Setup::new();
    setup.file("key", b"old-key");
    let gateway = setup
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_key_file = \"key\"\n{}",
            upstream.base_url(),
            alias("m")
        ))
        .start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.client();
                while !done.load(Ordering::Relaxed) {
                    client.send(&Request::chat("m").bytes());
                    let response = client.response();
                    assert_eq!(response.status, 200, "{}", response.text());
                }
            });
        }
        upstream.wait_for_requests(20);
        std::fs::write(gateway.directory().join("key.new"), "new-key").unwrap();
        std::fs::rename(
            gateway.directory().join("key.new"),
            gateway.directory().join("key"),
        )
        .unwrap();
        wait::until("the new key at the upstream", || {
            keys(&upstream)
                .last()
                .filter(|it| it.contains("new"))
                .cloned()
        });
        let count = upstream.requests().len();
        upstream.wait_for_requests(count + 20);
        done.store(true, Ordering::Relaxed);
    });
    // At the swap, requests of one worker may overtake those of another.
    let keys = keys(&upstream);
    let first = keys.iter().position(|it| it == "Bearer new-key").unwrap();
    let late = keys.iter().skip(first).filter(|it| *it == "Bearer old-key");
    assert!(late.count() <= 4, "the old key is still used");
    assert_eq!(
        gateway.metrics().sum(RELOADS, &[("result", "applied")]),
        Some(1.0)
    );
}

#[test]
fn http_settings_and_client_keys_are_reloaded() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .key("a", "sk-a", "")
        .key("b", "sk-b", "")
        .start();
    let mut client = gateway.client();
    let mut status = |request: Request| {
        client.send(&request.header("Origin", "https://a.example").bytes());
        let response = client.response();
        let allowed = response
            .header("access-control-allow-origin")
            .map(str::to_owned);
        (response.status, allowed)
    };
    assert_eq!(status(Request::get("/v1/models").key("sk-a")), (200, None));
    assert_eq!(status(Request::get("/new/health")).0, 404);
    gateway.reload(|text| {
        text.replace("[access.keys.a]", "[access.keys.c]")
            .replace(
                &crate::support::gateway::sha256_hex("sk-a"),
                &crate::support::gateway::sha256_hex("sk-c"),
            )
            .replace("[server]\n", "[server]\nroot_path = \"/new\"\n")
            + "\n[cors]\nallow_origins = [\"https://a.example\"]\n"
    });
    let page = Some("https://a.example".to_owned());
    assert_eq!(status(Request::get("/v1/models").key("sk-a")).0, 401);
    assert_eq!(
        status(Request::get("/v1/models").key("sk-b")),
        (200, page.clone())
    );
    assert_eq!(status(Request::get("/v1/models").key("sk-c")), (200, page));
    assert_eq!(status(Request::get("/new/health")).0, 200);
}

#[test]
fn listeners_move_and_an_occupied_address_fails_the_whole_reload() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut idle = gateway.client();
    idle.send(&Request::get("/health").bytes());
    assert_eq!(idle.response().status, 200);

    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = |address: std::net::SocketAddr| {
        move |text: String| {
            text.replace(
                "[server]\nlisten = \"127.0.0.1:0\"",
                &format!("[server]\nlisten = \"{address}\""),
            ) + &alias("moved")
        }
    };
    let before = std::fs::read_to_string(gateway.directory().join("test.toml")).unwrap();
    gateway.edit(listen(occupied.local_addr().unwrap()));
    gateway.await_metric(RELOADS, &[("result", "rejected")], 1.0);
    assert_eq!(models(&gateway), ["m"]);
    wait::until("the rejected reload in the log", || {
        let log = gateway.log_lines_at("ERROR").join("\n");
        log.contains("cannot listen on").then_some(())
    });

    // Free again, although another process may take it for a moment.
    let free = occupied.local_addr().unwrap();
    drop(occupied);
    gateway.edit(|_| before);
    gateway.reload(listen(free));
    let mut moved = Client::connect(free);
    moved.send(&Request::chat("moved").bytes());
    assert_eq!(moved.response().status, 200);
    idle.send(&Request::chat("moved").bytes());
    assert_eq!(idle.response().status, 200, "an open connection stays");
    wait::until("the old listener to be closed", || {
        std::net::TcpStream::connect(gateway.listen).err()
    });
}

#[test]
fn keys_that_need_a_restart_are_logged_and_all_others_applied() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    gateway.reload(|text| text.replace("workers = 1", "workers = 2") + &alias("other"));
    assert_eq!(gateway.send(&Request::chat("other")).status, 200);
    let log = wait::until("a warning", || {
        let lines = gateway.log_lines_at("WARN").join("\n");
        lines.contains("take effect at a restart").then_some(lines)
    });
    assert!(log.contains("server.workers"), "{log}");
}

#[test]
fn the_demo_model_is_added_and_removed() {
    let upstream = healthy_upstream();
    let gateway = Setup::new().start();
    assert_eq!(models(&gateway), ["demo"]);
    let mut client = gateway.client();
    let mut status = |model| {
        client.send(&Request::chat(model).bytes());
        client.response().status
    };
    assert_eq!(status("demo"), 200);
    let without = std::fs::read_to_string(gateway.directory().join("test.toml")).unwrap();
    gateway.reload(|text| {
        text + &format!("[providers.up]\nbase_url = \"{}\"\n", upstream.base_url()) + &alias("m")
    });
    assert_eq!(models(&gateway), ["m"]);
    assert_eq!(status("demo"), 404);
    gateway.reload(|_| without);
    assert_eq!(status("demo"), 200);
}

#[test]
fn an_invalid_reload_in_progress_does_not_keep_the_process_from_stopping() {
    let mut gateway = Setup::new().start();
    gateway.edit(|_| "no TOML".to_owned());
    gateway.signal("HUP");
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn subscribers_of_the_status_are_disconnected_to_reconnect() {
    let gateway = Setup::with_upstream(&healthy_upstream()).start();
    let mut watcher = gateway.client();
    watcher.send(&Request::get("/trunkline/status/events").bytes());
    assert_eq!(watcher.head().status, 200);
    gateway.reload(|text| text + &alias("other"));
    let (events, complete) = watcher.read_body();
    assert!(complete);
    assert!(String::from_utf8(events).unwrap().starts_with("data: {"));
}

#[test]
fn no_counter_decreases() {
    let upstream = Upstream::with_response(response::json("400 Bad Request", "{}"));
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.send(&Request::chat("m"));
    gateway.reload(|text| text + &alias("other"));
    gateway.send(&Request::chat("m"));
    gateway.wait_until_idle();
    let requests = [("model", "m"), ("status", "4xx")];
    gateway.await_metric("trunkline_requests_total", &requests, 2.0);
}
