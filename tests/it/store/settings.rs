//! What `check` says of the store, and reloads that change it.

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::store_server::{StoreServer, StoreSetup};
use crate::support::wait;

const LIMIT: &str = "[limits.all]\nrequests = [\"4/day\"]";
const NOTE: &str = "limits hold for this process: of several replicas, each allows all of them";

fn store(url: &str) -> String {
    format!("[store]\nurl = \"{url}\"\ntimeout = \"1s\"\n")
}

fn setup(url: &str) -> Setup {
    Setup::new().section(&store(url)).section(LIMIT)
}

/// How many of so many requests pass.
fn passed(gateway: &Gateway, count: usize) -> usize {
    let statuses = (0..count).map(|_| gateway.send(&Request::chat("demo")).status);
    statuses.filter(|status| *status == 200).count()
}

/// A store that has just begun to count grants nothing for a moment.
#[track_caller]
fn one_passes(gateway: &Gateway) {
    wait::until("a request to pass", || {
        (passed(gateway, 1) == 1).then_some(())
    });
}

#[test]
fn check_says_over_what_limits_hold() {
    let (_, alone, _) = run(&Setup::new().section(LIMIT), &["check"]);
    assert!(alone.contains(&format!("note: {NOTE}")), "{alone}");
    // It does not connect.
    let url = "redis://gate:hush@127.0.0.1:1/2";
    let (status, shared, _) = run(&setup(url).section("without = \"refuse\""), &["check"]);
    assert!(status.success(), "{shared}");
    assert!(
        !shared.contains(NOTE) && !shared.contains("hush"),
        "{shared}"
    );
    let line = "Store: 127.0.0.1:1, database 2; requests wait for it up to 1s, for limits";
    assert!(shared.contains(line), "{shared}");
    assert!(
        shared.contains("while the store is away, only what is leased"),
        "{shared}"
    );
}

#[test]
fn check_online_names_the_server_and_what_is_wrong_with_it() {
    let lines = "maxmemory 100mb\nmaxmemory-policy allkeys-lru";
    let Some(server) = StoreSetup::new().lines(lines).start() else {
        return;
    };
    let (status, output, _) = run(&setup(&server.url()), &["check", "--online"]);
    assert!(status.success(), "{output}");
    assert!(output.contains("ok: store: "), "{output}");
    assert!(output.contains("keeps nothing over a restart"), "{output}");
    let warning = "warning: store: its maxmemory-policy is allkeys-lru";
    assert!(output.contains(warning), "{output}");
    let keys: u64 = server.command(&["DBSIZE"]);
    assert_eq!(keys, 0, "a check writes nothing");
    let (status, output, errors) = run(&setup("redis://127.0.0.1:1"), &["check", "--online"]);
    assert!(!status.success());
    let error = "error: store: 127.0.0.1:1: cannot connect to 127.0.0.1:1";
    assert!(output.contains(error), "{output}");
    assert!(errors.contains("check --online found 1 error"), "{errors}");
}

#[test]
fn the_start_says_so_where_replicas_are_usual() {
    let gateway = Setup::new().section(LIMIT);
    let gateway = gateway.env("KUBERNETES_SERVICE_HOST", "10.0.0.1").start();
    let lines = gateway.await_log("INFO", &[NOTE], 1);
    assert!(lines[0].contains("Kubernetes"), "{}", lines[0]);
    let alone = Setup::new().section(LIMIT).start();
    let output = alone.finish();
    assert!(!output.contains(NOTE), "{output}");
}

#[test]
fn a_reload_adds_changes_and_removes_the_store() {
    let (Some(one), Some(other)) = (StoreServer::start(), StoreServer::start()) else {
        return;
    };
    let up = |gateway: &Gateway| gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
    let gateway = Setup::new().section(LIMIT).start();
    one_passes(&gateway);
    // Added: what was used is reported to it.
    gateway.reload(|text| format!("{text}\n{}", store(&one.url())));
    up(&gateway);
    one_passes(&gateway);
    let replica = setup(&one.url()).start();
    up(&replica);
    one_passes(&replica);
    // Another one.
    gateway.reload(|text| text.replace(&one.url(), &other.url()));
    up(&gateway);
    gateway.await_log("INFO", &["store connected", &other.port().to_string()], 1);
    one_passes(&gateway);
    // Removed: what this process has used stays.
    gateway.reload(|text| text.replace(&store(&other.url()), ""));
    assert_eq!(passed(&gateway, 3), 1);
    wait::until("no store", || {
        let up = gateway.metrics().sum("trunkline_limit_store_up", &[])?;
        up.is_nan().then_some(())
    });
    gateway.finish_without_errors();
}
