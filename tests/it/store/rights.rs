//! The rights that docs/security.md lists are enough, and those that it calls optional are.

use serde_json::json;

use crate::api::objects::{at_provider, creator, setup};
use crate::support::client::Client;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::store_server::{StoreServer, StoreSetup};
use crate::support::wait;

const LIMITS: &str = r#"
[limits.all]
requests = ["1000/minute", "10000/day"]
concurrent = 10
"#;

/// The user's line of the page.
fn user() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut lines = page.lines();
    let line = lines.find(|line| line.starts_with("user trunkline on >PASSWORD "));
    line.unwrap().to_owned()
}

/// Uses the store in all ways: limits, a ledger, an operator's change, objects, and the end.
fn use_store(server: &StoreServer) {
    let (one, two) = (creator("one"), creator("two"));
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("usage.db");
    let url = format!("redis://trunkline:PASSWORD@{}", server.address());
    for _ in 0..2 {
        let gateway = setup(&one, &two)
            .section(&format!(
                "[store]\nurl = \"{url}\"\nprefix = \"prod:\"\ntimeout = \"1s\"\n{LIMITS}"
            ))
            .section(&format!("[ledger]\npath = \"{}\"", ledger.display()))
            .start();
        gateway.await_metric("trunkline_limit_store_up", &[], 1.0);
        let made = gateway.send(&at_provider("two", Request::post("/v1/files", "{}")));
        assert_eq!(made.status, 200);
        let labels = [("result", "written")];
        gateway.await_metric("trunkline_store_objects_total", &labels, 1.0);
        set_used(&gateway);
        assert_eq!(gateway.send(&Request::get("/v1/files/two-2")).status, 400);
        let labels = [("result", "unknown")];
        gateway.await_metric("trunkline_store_objects_total", &labels, 1.0);
        gateway.finish();
    }
}

fn set_used(gateway: &Gateway) {
    for period in ["minute", "day"] {
        let change =
            json!({"rule": "all", "subject": "", "of": "requests", "period": period, "used": "7"});
        let mut client = Client::connect(gateway.admin);
        client.send(
            &Request::new("PUT", "/limits")
                .body(change.to_string())
                .bytes(),
        );
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
    }
}

/// What the server refused its user. The name of its software, which a connection may tell,
/// is of no use to it.
fn refused(server: &StoreServer) -> Vec<String> {
    let log: Vec<Vec<redis::Value>> = server.command(&["ACL", "LOG"]);
    let log = log.iter().map(|entry| format!("{entry:?}"));
    log.filter(|entry| !entry.contains("setinfo")).collect()
}

#[test]
fn the_rights_that_the_page_lists_are_enough() {
    let Some(server) = StoreSetup::new().lines(&user()).start() else {
        return;
    };
    use_store(&server);
    assert_eq!(refused(&server), Vec::<String>::new());
    let keys: Vec<String> = server.command(&["KEYS", "*"]);
    let kinds = ["b", "r", "o"].map(|kind| format!("prod:trunkline:1:{kind}"));
    for kind in kinds {
        assert!(
            keys.iter().any(|key| key.starts_with(&kind)),
            "{kind}: {keys:?}"
        );
    }
}

#[test]
fn without_the_rights_to_ask_the_server_only_warnings_are_missing() {
    let user = user().replace(" +info", "").replace(" +config|get", "");
    let Some(server) = StoreSetup::new().lines(&user).start() else {
        return;
    };
    use_store(&server);
    let commands = wait::until("the refusals", || {
        let refused = refused(&server);
        (!refused.is_empty()).then_some(refused)
    });
    for entry in commands {
        assert!(
            entry.contains("info") || entry.contains("config"),
            "{entry}"
        );
    }
}
