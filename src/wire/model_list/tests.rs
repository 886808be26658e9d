use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::read::ModelPage;
use super::{
    InvalidModelList, ListedModel, MAX_MODELS, ModelEntry, TokenLimits, anthropic_list,
    openai_list, parse,
};

fn listed(id: &str, created: u64) -> ListedModel {
    ListedModel {
        id: id.into(),
        created,
        display_name: None,
        limits: TokenLimits::default(),
        shutdown: None,
    }
}

fn ids(body: &str) -> Vec<String> {
    let page = parse(body.as_bytes()).unwrap();
    page.models.iter().map(|it| it.id.to_string()).collect()
}

#[test]
fn parses_every_shape() {
    let openai = r#"{"object":"list","data":[{"id":"a","object":"model","created":7,"owned_by":"x"},{"id":"b"}]}"#;
    let together =
        r#" [{"id":"a","created":7,"pricing":{"input":[1,{}]}},{"id":"b","created":null}]"#;
    for body in [openai, together] {
        let page = ModelPage {
            models: vec![listed("a", 7), listed("b", 0)],
            next: None,
        };
        assert_eq!(parse(body.as_bytes()), Ok(page), "{body}");
    }
    let claude = r#"{"data":[{"type":"model","id":"claude","display_name":"Claude","created_at":"2025-02-19T00:00:00Z"}],"has_more":true,"first_id":"claude","last_id":"claude"}"#;
    let page = parse(claude.as_bytes()).unwrap();
    assert_eq!(page.next.as_deref(), Some("claude"));
    let expected = ListedModel {
        display_name: Some("Claude".into()),
        ..listed("claude", 1_739_923_200)
    };
    assert_eq!(page.models, [expected]);
    for empty in [r#"{"data":[]}"#, r#"{"object":"list","data":null}"#, "[]"] {
        assert_eq!(ids(empty), [""; 0], "{empty}");
    }
}

#[test]
fn the_last_page_has_no_next() {
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
fn models_without_a_usable_id_are_skipped() {
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
fn rejects_what_is_not_a_list() {
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
        assert_eq!(parse(body.as_bytes()), Err(InvalidModelList), "{body}");
    }
    let deep = format!(r#"{{"data":[{{"id":{}1"#, "[".repeat(100_000));
    assert_eq!(parse(deep.as_bytes()), Err(InvalidModelList));
}

#[test]
fn the_number_of_models_is_limited() {
    let mut body = "[".to_owned();
    for number in 0..MAX_MODELS + 5 {
        write!(body, "{{\"id\":\"m{number}\"}},").unwrap();
    }
    body.pop();
    assert_eq!(ids(&(body.clone() + "]")).len(), MAX_MODELS);
    assert_eq!(parse(body.as_bytes()), Err(InvalidModelList));
}

proptest! {
    #[test]
    fn any_bytes_are_handled(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }

    #[test]
    fn names_are_unchanged(names in proptest::collection::vec("[^\\p{Cc}]{1,64}", 0..20)) {
        let entries: Vec<Value> = names.iter().map(|id| json!({ "id": id })).collect();
        prop_assert_eq!(&ids(&json!({ "data": entries }).to_string()), &names);
        prop_assert_eq!(&ids(&json!(entries).to_string()), &names);
    }
}

#[test]
fn writes_both_shapes() {
    let one = ModelEntry {
        id: "fast",
        created: 0,
        owner: "groq",
        display_name: None,
        limits: TokenLimits::default(),
    };
    let two = ModelEntry {
        id: "claude/opus",
        created: 1_739_923_200,
        owner: "claude",
        display_name: Some("Claude Opus"),
        limits: TokenLimits {
            context: Some(200_000),
            max_output: Some(64_000),
        },
    };
    let read = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    let fast = json!({ "id": "fast", "object": "model", "created": 0, "owned_by": "groq" });
    assert_eq!(read(one.openai_json()), fast);
    let list = read(openai_list(&[one, two]));
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0], fast);
    let opus = json!({
        "id": "claude/opus", "object": "model", "created": 1_739_923_200, "owned_by": "claude",
        "display_name": "Claude Opus", "context_length": 200_000, "context_window": 200_000,
        "max_output_tokens": 64_000,
    });
    assert_eq!(list["data"][1], opus);
    let fast = json!({
        "type": "model", "id": "fast", "display_name": "fast",
        "created_at": "1970-01-01T00:00:00Z",
    });
    let opus = json!({
        "type": "model", "id": "claude/opus", "display_name": "Claude Opus",
        "created_at": "2025-02-19T00:00:00Z", "max_input_tokens": 200_000, "max_tokens": 64_000,
    });
    assert_eq!(read(two.anthropic_json()), opus);
    let expected = json!({
        "data": [fast, opus], "has_more": false, "first_id": "fast", "last_id": "claude/opus",
    });
    assert_eq!(read(anthropic_list(&[one, two])), expected);
    let none = json!({ "data": [], "has_more": false, "first_id": null, "last_id": null });
    assert_eq!(read(anthropic_list(&[])), none);
    let distant = ModelEntry {
        created: u64::MAX,
        ..one
    };
    assert_eq!(
        read(distant.anthropic_json()),
        json!({
            "type": "model", "id": "fast", "display_name": "fast",
            "created_at": "1970-01-01T00:00:00Z",
        })
    );
}

#[test]
fn a_shutdown_date_is_read_where_there_is_one() {
    let body = r#"{"data":[{"id":"a","shutdown_date":"2027-01-14"},{"id":"b","shutdown_date":null},
        {"id":"c","shutdown_date":"soon"},{"id":"d","shutdown_date":20270114},{"id":"e"}]}"#;
    let page = parse(body.as_bytes()).unwrap();
    let dates = page.models.iter().map(|model| model.shutdown);
    let dates: Vec<_> = dates.map(|it| it.map(|it| it.to_string())).collect();
    assert_eq!(
        dates,
        [Some("2027-01-14".to_owned()), None, None, None, None]
    );
}

#[test]
fn limits_are_read_under_the_names_that_providers_use() {
    let limits = |entry: &str| {
        let page = parse(format!(r#"[{{"id":"a",{entry}}}]"#).as_bytes()).unwrap();
        let limits = page.models.first().unwrap().limits;
        (limits.context, limits.max_output)
    };
    for (entry, expected) in [
        (r#""max_model_len":40960"#, (Some(40_960), None)),
        (
            r#""context_length":262144,"top_provider":{"context_length":131072,"max_completion_tokens":8192}"#,
            (Some(262_144), Some(8192)),
        ),
        (
            r#""top_provider":{"context_length":131072,"max_completion_tokens":null}"#,
            (Some(131_072), None),
        ),
        (
            r#""meta":{"n_vocab":7,"n_ctx":16384,"n_ctx_train":131072}"#,
            (Some(16_384), None),
        ),
        (r#""meta":{"n_ctx_train":131072}"#, (Some(131_072), None)),
        (
            r#""context_window":131072,"max_completion_tokens":65536"#,
            (Some(131_072), Some(65_536)),
        ),
        (r#""max_context_length":32768"#, (Some(32_768), None)),
        (
            r#""max_input_tokens":200000,"max_tokens":64000"#,
            (Some(200_000), Some(64_000)),
        ),
        (
            r#""metadata":{"context_length":4096,"max_tokens":512}"#,
            (Some(4096), Some(512)),
        ),
        (
            r#""context_length":0,"max_model_len":"8k","meta":7,"metadata":["x"],"top_provider":null"#,
            (None, None),
        ),
        (r#""context_length":-1,"context_window":2.5"#, (None, None)),
    ] {
        assert_eq!(limits(entry), expected, "{entry}");
    }
}

#[test]
fn a_name_that_is_not_the_id_is_shown() {
    let body = r#"[{"id":"a","name":"Model A"},{"id":"b","name":"b"},
        {"id":"c","name":"C","display_name":"See"},{"id":"d","name":7}]"#;
    let page = parse(body.as_bytes()).unwrap();
    let names = page.models.iter().map(|it| it.display_name.as_deref());
    let names: Vec<_> = names.collect();
    assert_eq!(names, [Some("Model A"), None, Some("See"), None]);
}
