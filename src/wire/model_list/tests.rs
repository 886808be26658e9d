use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Listed, MOST_MODELS, NoList, Page, Told, anthropic, openai, parse};

fn listed(id: &str, created: u64) -> Listed {
    Listed {
        id: id.into(),
        created,
        display_name: None,
    }
}

fn ids(body: &str) -> Vec<String> {
    let page = parse(body.as_bytes()).unwrap();
    page.models.iter().map(|it| it.id.to_string()).collect()
}

#[test]
fn reads_every_shape() {
    let openai = r#"{"object":"list","data":[{"id":"a","object":"model","created":7,"owned_by":"x"},{"id":"b"}]}"#;
    let together =
        r#" [{"id":"a","created":7,"pricing":{"input":[1,{}]}},{"id":"b","created":null}]"#;
    for body in [openai, together] {
        let page = Page {
            models: vec![listed("a", 7), listed("b", 0)],
            next: None,
        };
        assert_eq!(parse(body.as_bytes()), Ok(page), "{body}");
    }
    let claude = r#"{"data":[{"type":"model","id":"claude","display_name":"Claude","created_at":"2025-02-19T00:00:00Z"}],"has_more":true,"first_id":"claude","last_id":"claude"}"#;
    let page = parse(claude.as_bytes()).unwrap();
    assert_eq!(page.next.as_deref(), Some("claude"));
    let expected = Listed {
        display_name: Some("Claude".into()),
        ..listed("claude", 1_739_923_200)
    };
    assert_eq!(page.models, [expected]);
    for empty in [r#"{"data":[]}"#, r#"{"object":"list","data":null}"#, "[]"] {
        assert_eq!(ids(empty), [""; 0], "{empty}");
    }
}

#[test]
fn the_last_page_has_none_behind_it() {
    for more in [
        r#""has_more":false,"last_id":"a""#,
        r#""has_more":true,"last_id":null"#,
        r#""has_more":true"#,
        r#""has_more":"yes","last_id":"a""#,
    ] {
        let body = format!(r#"{{"data":[{{"id":"a"}}],{more}}}"#);
        assert_eq!(parse(body.as_bytes()).unwrap().next, None, "{body}");
    }
}

#[test]
fn what_cannot_be_called_is_left_out() {
    let long = "x".repeat(257);
    let body = json!({ "data": [
        { "id": "a\nb" }, { "id": "\u{7f}" }, { "id": "" }, { "id": 7 }, { "id": null }, {},
        { "id": long }, { "id": "good", "created": "1970", "display_name": ["x"] },
        { "id": &long[1..] }, { "id": "early", "created": -5 },
    ] });
    let page = parse(body.to_string().as_bytes()).unwrap();
    let expected = [listed("good", 0), listed(&long[1..], 0), listed("early", 0)];
    assert_eq!(page.models, expected);
}

#[test]
fn what_is_no_list_is_said_to_be_none() {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":[1]}"#,
        r#"{"models":[]}"#,
        r#"{"data":[{"id":"a"}]"#,
        r#"{"data":[{"id":"a","id":"b"}]}"#,
        "7",
        "[[]]",
    ] {
        assert_eq!(parse(body.as_bytes()), Err(NoList), "{body}");
    }
    let deep = format!(r#"{{"data":[{{"id":{}1"#, "[".repeat(100_000));
    assert_eq!(parse(deep.as_bytes()), Err(NoList));
}

#[test]
fn no_more_are_read_than_is_allowed() {
    let mut body = "[".to_owned();
    for number in 0..MOST_MODELS + 5 {
        write!(body, "{{\"id\":\"m{number}\"}},").unwrap();
    }
    body.pop();
    assert_eq!(ids(&(body.clone() + "]")).len(), MOST_MODELS);
    assert_eq!(parse(body.as_bytes()), Err(NoList));
}

proptest! {
    #[test]
    fn any_bytes_are_read(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }

    #[test]
    fn names_come_as_they_were(names in proptest::collection::vec("[^\\p{Cc}]{1,64}", 0..20)) {
        let entries: Vec<Value> = names.iter().map(|id| json!({ "id": id })).collect();
        prop_assert_eq!(&ids(&json!({ "data": entries }).to_string()), &names);
        prop_assert_eq!(&ids(&json!(entries).to_string()), &names);
    }
}

#[test]
fn ours_are_told_in_both_shapes() {
    let one = Told {
        id: "fast",
        created: 0,
        owner: "groq",
        display_name: None,
    };
    let two = Told {
        id: "claude/opus",
        created: 1_739_923_200,
        owner: "claude",
        display_name: Some("Claude Opus"),
    };
    let read = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    let fast = json!({ "id": "fast", "object": "model", "created": 0, "owned_by": "groq" });
    assert_eq!(read(one.openai()), fast);
    let list = read(openai(&[one, two]));
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0], fast);
    assert_eq!(list["data"][1]["created"], 1_739_923_200);
    let fast = json!({
        "type": "model", "id": "fast", "display_name": "fast",
        "created_at": "1970-01-01T00:00:00Z",
    });
    let opus = json!({
        "type": "model", "id": "claude/opus", "display_name": "Claude Opus",
        "created_at": "2025-02-19T00:00:00Z",
    });
    assert_eq!(read(two.anthropic()), opus);
    let expected = json!({
        "data": [fast, opus], "has_more": false, "first_id": "fast", "last_id": "claude/opus",
    });
    assert_eq!(read(anthropic(&[one, two])), expected);
    let none = json!({ "data": [], "has_more": false, "first_id": null, "last_id": null });
    assert_eq!(read(anthropic(&[])), none);
    let distant = Told {
        created: u64::MAX,
        ..one
    };
    assert_eq!(
        read(distant.anthropic()),
        json!({
            "type": "model", "id": "fast", "display_name": "fast",
            "created_at": "1970-01-01T00:00:00Z",
        })
    );
}
