//! Limits by user, whom only clients with `may_name_users` can name.

use super::alice::{KEY, send};
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const RULE: &str = "[limits.user]\nper = [\"user\"]\nrequests = [\"1/day\"]";
const MAY_NAME: &str = "may_name_users = true";

fn start(key_lines: &str, lines: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", KEY, key_lines)
        // Without a key that may name users, the rule is a fault of the configuration.
        .key("site", "tk-site", MAY_NAME)
        .section(&format!("{RULE}\n{lines}"))
        .start();
    (upstream, gateway)
}

fn with(members: &str) -> Request {
    let body =
        format!(r#"{{"model":"m",{members},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    Request::post("/v1/chat/completions", body)
}

#[track_caller]
fn status(gateway: &Gateway, request: Request) -> u16 {
    send(gateway, request).status
}

#[test]
fn each_user_has_amounts_of_their_own() {
    let (upstream, gateway) = start(MAY_NAME, "");
    for members in [
        r#""user":"ann""#,
        r#""safety_identifier":"bob""#,
        r#""metadata":{"user_id":"cid"}"#,
        r#""user":"ann","safety_identifier":"dan""#,
        // None of them is named: all such requests share one amount.
        r#""user":"""#,
    ] {
        assert_eq!(status(&gateway, with(members)), 200, "{members}");
        assert_eq!(status(&gateway, with(members)), 429, "{members}");
    }
    // The same users in other words.
    for members in [
        r#""safety_identifier":"ann""#,
        r#""metadata":{"user_id":"bob"}"#,
        r#""us\u0065r":"\u0063id""#,
        r#""user":null"#,
    ] {
        assert_eq!(status(&gateway, with(members)), 429, "{members}");
    }
    // The body passes as it came.
    assert!(upstream.requests()[0].text().contains(r#""user":"ann""#));
}

/// Ag#2171: who may invent users may invent amounts.
#[test]
fn a_client_that_may_not_name_users_has_one_amount() {
    for lines in ["", "may_name_users = false"] {
        let (_upstream, gateway) = start(lines, "user_header = \"x-user\"");
        let request = |user: &str| with(&format!(r#""user":"{user}""#)).header("x-user", user);
        assert_eq!(status(&gateway, request("ann")), 200);
        assert_eq!(status(&gateway, request("bob")), 429);
    }
}

#[test]
fn a_header_names_the_user_and_is_not_forwarded() {
    let (upstream, gateway) = start(MAY_NAME, "user_header = \"x-user\"");
    let by_header = |user: &str| Request::chat("m").header("X-User", user);
    assert_eq!(status(&gateway, by_header("ann")), 200);
    assert_eq!(status(&gateway, by_header("ann")), 429);
    assert_eq!(status(&gateway, by_header(" bob ")), 200);
    assert_eq!(status(&gateway, by_header("bob")), 429);
    // It comes before the body, which counts without it.
    let both = with(r#""user":"ann""#).header("x-user", "cid");
    assert_eq!(status(&gateway, both), 200);
    assert_eq!(status(&gateway, with(r#""user":"dan""#)), 200);
    assert_eq!(status(&gateway, with(r#""user":"ann""#)), 429);
    // Nor where no limit counts the call.
    let list = Request::get("/v1/files").header("x-user", "ann");
    assert_eq!(status(&gateway, list), 200);
    for request in upstream.requests() {
        assert_eq!(request.header("x-user"), None);
    }
}

#[test]
fn the_error_names_the_user() {
    let (_upstream, gateway) = start(MAY_NAME, "");
    let request = || with(r#""user":"ann""#);
    send(&gateway, request());
    let refused: Response = send(&gateway, request());
    let body = refused.json();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("user ann"), "{message}");
}
