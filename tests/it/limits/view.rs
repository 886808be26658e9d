//! `GET /trunkline/limits`: a client's own limits.

use super::alice::{KEY, send, setup};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

fn view(gateway: &Gateway, key: &str) -> serde_json::Value {
    let response = gateway.send(&Request::get("/trunkline/limits").key(key));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), Some("no-store"));
    response.json()
}

fn rules(body: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let rows = body["limits"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["rule"]), text(&row["subject"])))
        .collect()
}

#[test]
fn a_client_sees_its_own_limits() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let sections = "[limits.each-key]\nper = [\"key\"]\nrequests = [\"60/minute\"]\n\
        budget = [\"5/day\"]\ntime_zone = \"Asia/Kolkata\"\n\
        [limits.bob]\nkeys = [\"bob\"]\nrequests = [\"1/day\"]\n\
        [limits.team]\nper = [\"team\"]\nteams = [\"search\"]\nconcurrent = 4\n\
        at_limit = \"observe\"";
    let gateway = setup(&upstream, sections).key("bob", "tk-bob", "").start();
    assert_eq!(send(&gateway, Request::chat("m")).status, 200);
    gateway.wait_until_idle();
    let own = view(&gateway, KEY);
    let pair = |rule: &str, subject: &str| (rule.to_owned(), subject.to_owned());
    assert_eq!(
        rules(&own),
        [pair("each-key", "key alice"), pair("team", "team search")]
    );
    let amounts = own["limits"][0]["amounts"].as_array().unwrap();
    assert_eq!(amounts[0]["of"], "requests");
    assert_eq!(amounts[0]["period"], "minute");
    assert_eq!(amounts[0]["limit"], "60");
    assert_eq!(amounts[1]["of"], "budget");
    assert_eq!(amounts[1]["used"], "0.000025");
    assert_eq!(amounts[1]["remaining"], "4.999975");
    let resets = amounts[1]["resets_at"].as_str().unwrap();
    assert!(resets.ends_with("T00:00:00+05:30"), "{resets}");
    // It refuses nothing.
    assert_eq!(own["limits"][1]["observes"], true);
    assert_eq!(own["limits"][0].get("observes"), None);
    let others = view(&gateway, "tk-bob");
    assert_eq!(
        rules(&others),
        [pair("bob", ""), pair("each-key", "key bob")]
    );
    assert_eq!(others["limits"][1]["amounts"][1]["used"], "0");
    let response = gateway.send(&Request::get("/trunkline/limits"));
    assert_response::error(&response, 401, "invalid_api_key", None);
}

#[test]
fn open_access_has_limits_too() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .section("[limits.all]\nrequests = [\"1/day\"]")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let refused = gateway.send(&Request::chat("m"));
    assert_eq!(refused.status, 429);
    gateway.wait_until_idle();
    let body = gateway.send(&Request::get("/trunkline/limits")).json();
    assert_eq!(rules(&body), [("all".to_owned(), String::new())]);
    assert_eq!(body["limits"][0]["amounts"][0]["used"], "1");
}

/// Users may be many, and are no business of other clients.
#[test]
fn users_are_not_listed() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", KEY, "may_name_users = true")
        .section("[limits.user]\nper = [\"user\"]\nrequests = [\"5/day\"]")
        .start();
    let body = r#"{"model":"m","user":"ann","messages":[]}"#;
    let request = Request::post("/v1/chat/completions", body);
    assert_eq!(send(&gateway, request).status, 200);
    gateway.wait_until_idle();
    let body = view(&gateway, KEY).to_string();
    assert!(!body.contains("ann"), "{body}");
}
