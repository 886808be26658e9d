//! Session keys and prompt prefixes.

use crate::wire::scan::affinity::{prompt_prefix, session_key};

fn key_of(body: &str) -> Option<String> {
    let found = session_key(body.as_bytes())?;
    Some(String::from_utf8(found.into_owned()).unwrap())
}

fn prefix_of(body: &str) -> String {
    let parts = prompt_prefix(body.as_bytes()).map(|part| std::str::from_utf8(part).unwrap());
    parts.join("|")
}

#[test]
fn the_cache_key_precedes_the_user() {
    for (members, expected) in [
        (r#""user":"u""#, Some("u")),
        (r#""user":"u","safety_identifier":"s""#, Some("u")),
        (
            r#""safety_identifier":"s","user":"u","prompt_cache_key":"k""#,
            Some("k"),
        ),
        (r#""prompt_cache_key":"","user":"u""#, Some("u")),
        (
            r#""prompt_cache_key":null,"user":7,"safety_identifier":"s""#,
            Some("s"),
        ),
        (r#""user":"\u0065\/""#, Some("e/")),
        (r#""metadata":{"user":"u"}"#, None),
        (r#""messages":[{"user":"u"}]"#, None),
    ] {
        let body = format!(r#"{{"model":"m",{members},"x":[]}}"#);
        assert_eq!(key_of(&body).as_deref(), expected, "{body}");
    }
    let long = format!(r#"{{"model":"m","user":"{}"}}"#, "é".repeat(1000));
    assert_eq!(session_key(long.as_bytes()).unwrap().len(), 1024);
}

#[test]
fn system_messages_and_the_first_other_one_are_the_prefix() {
    let system = r#"{"role":"system","content":"S"}"#;
    let developer = r#"{"content":[{"role":"user"}],"role":"developer"}"#;
    let user = r#"{"role":"user","content":"U"}"#;
    let more = r#"{"role":"assistant","content":"A"}"#;
    for (messages, expected) in [
        (format!("[{user}]"), user.to_owned()),
        (format!("[ {user} , {more}]"), user.to_owned()),
        (
            format!("[{system}, {developer},{user},{more}]"),
            format!("{system}, {developer},{user}"),
        ),
        (format!("[{system} ]"), system.to_owned()),
        (format!("[\"hi\",{system}]"), "\"hi\"".to_owned()),
        ("[]".to_owned(), String::new()),
        ("null".to_owned(), String::new()),
    ] {
        let chat = format!(r#"{{"model":"m","input":"x","messages":{messages},"prompt":"x"}}"#);
        assert_eq!(prefix_of(&chat), format!("{expected}||"), "{chat}");
        let response = format!(r#"{{"model":"m","input":{messages},"instructions":"I"}}"#);
        assert_eq!(
            prefix_of(&response),
            format!("\"I\"|{expected}|"),
            "{response}"
        );
    }
}

#[test]
fn the_first_bytes_of_bare_text_are_the_prefix() {
    let text = "once upon a time ".repeat(200);
    let body = |end: &str| format!(r#"{{"model":"m","prompt":"{text}{end}"}}"#);
    let found = prefix_of(&body("there was"));
    assert_eq!(found.len(), 2 + 1024);
    assert_eq!(found, prefix_of(&body("there is")));
    let long = "word ".repeat(100_000);
    let body = format!(r#"{{"input":"{long}"}}"#);
    assert_eq!(prefix_of(&body).len(), 2 + 256 * 1024);
}

#[test]
fn nothing_is_read_after_the_first_message() {
    let body = r#"{"messages":[{"role":"user"},?!"#;
    assert_eq!(prefix_of(body), r#"{"role":"user"}||"#);
}
