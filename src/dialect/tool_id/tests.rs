use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{ToolIdRule, for_chat_upstream, for_messages_client, for_messages_upstream, generated};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn is_for_messages(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !id.is_empty() && id.bytes().all(is_allowed)
}

fn is_nine(id: &str) -> bool {
    id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The id that a chat upstream gets for the one in a Messages history.
fn to_chat(id: &str, rule: ToolIdRule) -> String {
    for_chat_upstream(id, rule, "up").id.into_owned()
}

#[test]
fn wt02_ids_that_are_accepted_stay_as_they_are() {
    let toolu = "toolu_01AbCdEfGhIjKlMnOpQrStUv";
    assert_eq!(to_chat(toolu, ToolIdRule::Any), toolu);
    assert_eq!(for_messages_upstream(toolu), toolu);
    assert_eq!(
        for_messages_client("call_0123456789a", None, "up", "r"),
        "call_0123456789a"
    );
    assert_eq!(to_chat("aB3456789", ToolIdRule::Nine), "aB3456789");
    let forty = "x".repeat(40);
    assert_eq!(to_chat(&forty, ToolIdRule::Any), forty);
}

/// The same in each release: it is part of conversations.
#[test]
fn wt02_an_id_is_mapped_the_same_in_each_process() {
    let toolu = "toolu_01AbCdEfGhIjKlMnOpQrStUv";
    assert_eq!(to_chat(toolu, ToolIdRule::Nine), "bMrGY0XUa");
    assert_eq!(
        for_messages_upstream("functions.f:0"),
        "toolu_pE8H5HTmqzwnfbosWt6DX6"
    );
    assert_eq!(
        for_messages_client("functions.f:0", None, "up", "r"),
        "tlid_WyJmdW5jdGlvbnMuZjowIiwiZWN4eXUwIixudWxsLCJ0M1ZOSXoiXQ"
    );
    assert_eq!(
        to_chat(&"x".repeat(41), ToolIdRule::Any),
        "call_zXk5byCkf9Mikk1BizTCV1"
    );
}

#[test]
fn wt02_similar_ids_stay_apart() {
    let similar = [
        "functions.f:0",
        "functions.f.0",
        "functions f 0",
        "functions_f_0",
        "",
    ];
    let mut mapped: Vec<_> = similar.map(for_messages_upstream).to_vec();
    mapped.extend(similar.map(|id| for_messages_client(id, None, "up", "r").into_owned().into()));
    assert!(mapped.iter().all(|id| is_for_messages(id)), "{mapped:?}");
    mapped.sort();
    mapped.dedup();
    // Only "functions_f_0" needs no mapping for Claude.
    assert_eq!(mapped.len(), 10);
}

/// Some upstreams number the calls of each response from 0.
#[test]
fn ms2_the_id_of_a_call_differs_in_each_response() {
    for original in ["call_0", "0", "c", "functions.f:0", "aB3456789"] {
        let [one, other] = ["msg_1", "msg_2"].map(|response| {
            let id = for_messages_client(original, None, "up", response);
            assert!(is_for_messages(&id) && id.len() <= 64, "{id}");
            assert_eq!(to_chat(&id, ToolIdRule::Any), original);
            id.into_owned()
        });
        assert_ne!(one, other, "{original}");
        assert_eq!(one, for_messages_client(original, None, "up", "msg_1"));
    }
    // Of a conversation that an earlier version began.
    let old = "tlid_WyJmdW5jdGlvbnMuZjowIiwiZWN4eXUwIixudWxsXQ";
    assert_eq!(to_chat(old, ToolIdRule::Any), "functions.f:0");
}

#[test]
fn what_a_provider_needs_back_goes_to_no_other_one() {
    let extra = raw(r#"{"google":{"thought_signature":"c2ln+/="}}"#);
    for original in [
        "call_1",
        "functions.f:0",
        "",
        "tlid_x",
        "ä\"\u{0}",
        &"x".repeat(99),
    ] {
        let id = for_messages_client(original, Some(&extra), "gemini", "r");
        assert!(is_for_messages(&id), "{id}");
        let back = for_chat_upstream(&id, ToolIdRule::Any, "gemini");
        assert_eq!(back.id, original);
        assert_eq!(back.extra.unwrap().get(), extra.get());
        let other = for_chat_upstream(&id, ToolIdRule::Nine, "mistral");
        assert!(is_nine(&other.id) && other.extra.is_none());
        let other = for_chat_upstream(&id, ToolIdRule::Any, "openai");
        assert!((1..=40).contains(&other.id.chars().count()) && other.extra.is_none());
        assert_eq!(for_messages_upstream(&id), id);
    }
    // Ids that only look like one of ours.
    for id in ["tlid_", "tlid_x", "tlid_e30", "tlid_W10", "tlid_WyJhIl0"] {
        let plain = for_chat_upstream(id, ToolIdRule::Any, "up");
        assert!(plain.id == id && plain.extra.is_none());
    }
}

#[test]
fn generated_ids_fit_everywhere_and_differ() {
    let ids = [
        generated("a", 0),
        generated("a", 1),
        generated("b", 0),
        generated("a 1", 0),
    ];
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(id.len(), 28);
        assert!(is_for_messages(id));
        assert_eq!(&to_chat(id, ToolIdRule::Any), id);
        assert!(!ids[..index].contains(id));
    }
}

fn any_id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_-]{1,70}",
        "[a-z]{0,3}[.:/ _-]{0,2}[0-9]{0,2}",
        "[0-9a-f]{9}",
        "tlid_[a-zA-Z0-9_-]{0,30}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn different_ids_stay_different_and_match_the_rule(
        ids in prop::collection::hash_set(any_id(), 1..40),
        extra in prop::option::of(any::<String>()),
    ) {
        let extra = extra.map(|text| raw(&serde_json::to_string(&text).unwrap()));
        let mut seen = HashMap::new();
        for id in &ids {
            let client = for_messages_client(id, extra.as_deref(), "up", "r").into_owned();
            prop_assert!(is_for_messages(&client));
            let back = for_chat_upstream(&client, ToolIdRule::Any, "up");
            if client != *id {
                prop_assert_eq!(&*back.id, id);
            }
            prop_assert_eq!(back.extra.map(|raw| raw.to_string()), extra.as_ref().map(ToString::to_string));
            let any = to_chat(id, ToolIdRule::Any);
            let nine = to_chat(id, ToolIdRule::Nine);
            let other = for_chat_upstream(&client, ToolIdRule::Nine, "mistral").id.into_owned();
            let claude = for_messages_upstream(id).into_owned();
            prop_assert!((1..=40).contains(&any.chars().count()));
            prop_assert!(is_nine(&nine) && is_nine(&other));
            prop_assert!(is_for_messages(&claude));
            // The same in each turn.
            prop_assert_eq!(&nine, &to_chat(id, ToolIdRule::Nine));
            let all = [client, any, nine, other, claude];
            for (target, mapped) in all.into_iter().enumerate() {
                prop_assert_eq!(seen.insert((target, mapped), id), None);
            }
        }
    }
}
