//! What a client sees while the store that replicas share is away.

use serde_json::json;

use super::shapes::{assert_limit, each_api, refused, start};

/// A store that is away is no fault of the client, and soon over: the one 5xx.
#[test]
fn a_store_that_is_away_has_the_words_of_the_api() {
    let (_upstream, gateway) = start(
        "[store]\nurl = \"redis://127.0.0.1:9\"\n[limits.each-key]\nper = [\"key\"]\n\
         budget = [\"5/day\"]\nwithout = \"refuse\"",
    );
    let [chat, messages, responses] = each_api().map(|request| {
        let response = refused(&gateway, request);
        assert_eq!(response.status, 503);
        assert_eq!(response.header("retry-after"), Some("5"));
        assert_eq!(response.header("x-should-retry"), None);
        let body = response.json();
        let message = body["error"]["message"].as_str().unwrap();
        for part in [
            "key alice",
            "dollars per day",
            "each-key",
            "try again in 5s",
        ] {
            assert!(message.to_lowercase().contains(part), "{message}");
        }
        assert_limit(&body, &json!({"of": "budget", "limit": "5"}));
        body
    });
    for body in [chat, responses] {
        assert_eq!(body["error"]["code"], "limits_unavailable");
        assert_eq!(body["error"]["type"], "server_error");
    }
    assert_eq!(messages["type"], "error");
    assert_eq!(messages["error"]["type"], "overloaded_error");
}
