//! What keeps requests together, as they are written.

use crate::wire::scan::affinity::{caller, opening};

fn caller_of(body: &str) -> Option<String> {
    let found = caller(body.as_bytes())?;
    Some(String::from_utf8(found.into_owned()).unwrap())
}

fn opening_of(body: &str) -> String {
    let parts = opening(body.as_bytes()).map(|part| std::str::from_utf8(part).unwrap());
    parts.join("|")
}

#[test]
fn the_cache_key_goes_before_the_user() {
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
        assert_eq!(caller_of(&body).as_deref(), expected, "{body}");
    }
    let long = format!(r#"{{"model":"m","user":"{}"}}"#, "é".repeat(1000));
    assert_eq!(caller(long.as_bytes()).unwrap().len(), 1024);
}

#[test]
fn the_system_and_the_first_message_open_a_prompt() {
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
        assert_eq!(opening_of(&chat), format!("{expected}||"), "{chat}");
        let response = format!(r#"{{"model":"m","input":{messages},"instructions":"I"}}"#);
        assert_eq!(
            opening_of(&response),
            format!("\"I\"|{expected}|"),
            "{response}"
        );
    }
}

#[test]
fn bare_text_opens_with_its_first_bytes() {
    let text = "once upon a time ".repeat(200);
    let body = |end: &str| format!(r#"{{"model":"m","prompt":"{text}{end}"}}"#);
    let found = opening_of(&body("there was"));
    assert_eq!(found.len(), 2 + 1024);
    assert_eq!(found, opening_of(&body("there is")));
    let words = "word ".repeat(100_000);
    let body = format!(r#"{{"input":"{words}"}}"#);
    assert_eq!(opening_of(&body).len(), 2 + 256 * 1024);
}

#[test]
fn nothing_is_read_behind_the_first_message() {
    let body = r#"{"messages":[{"role":"user"},?!"#;
    assert_eq!(opening_of(body), r#"{"role":"user"}||"#);
}
