//! Session keys and prompt prefixes.

use crate::wire::scan::affinity::{prompt_prefix, session_key};

fn key_of(body: &str) -> Option<String> {
    let found = session_key(body.as_bytes())?;
    Some(String::from_utf8(found.into_owned()).unwrap())
}

fn prefix_of(body: &str) -> String {
    joined(body, false)
}

/// Of a request of Anthropic's API.
fn messages_prefix_of(body: &str) -> String {
    joined(body, true)
}

fn joined(body: &str, is_messages_api: bool) -> String {
    let parts = prompt_prefix(body.as_bytes(), is_messages_api);
    parts
        .map(|part| std::str::from_utf8(part).unwrap())
        .join("|")
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

#[test]
fn wt10_the_system_prompt_of_a_messages_request_counts_wherever_it_stands() {
    let messages = r#""messages":[{"role":"user","content":"hi"},{"role":"assistant"}]"#;
    let message = r#"{"role":"user","content":"hi"}"#;
    for system in [
        r#""You are an agent.""#,
        r#"[{"type":"text","text":"You are an agent."},{"type":"text","text":"Two"}]"#,
    ] {
        let expected = format!("{message}|{system}|");
        for body in [
            format!(r#"{{"model":"m",{messages},"system":{system},"tools":[]}}"#),
            format!(r#"{{"system":{system},"model":"m",{messages},"tools":[]}}"#),
        ] {
            assert_eq!(messages_prefix_of(&body), expected);
            assert_eq!(prefix_of(&body), format!("{message}||"));
        }
    }
    let body = format!(r#"{{{messages},"instructions":"I","prompt":"p"}}"#);
    assert_eq!(messages_prefix_of(&body), format!("{message}||"));
    // Nothing is read behind what was found.
    let body = r#"{"system":"s","messages":[{"role":"user"},?!"#;
    assert_eq!(messages_prefix_of(body), r#"{"role":"user"}|"s"|"#);
}

#[test]
fn wt10_the_billing_line_of_a_prompt_does_not_count() {
    let line = |cch: u32| format!("x-anthropic-billing-header: cc_version=2.1; cch={cch};");
    for (before, after) in [
        // A block of its own, which is what Claude Code sends.
        (
            r#"[{"type":"text","text":""#,
            r#""},{"type":"text","text":"You are"}]"#,
        ),
        (
            r#"[{"cache_control":{"type":"ephemeral"},"text":""#,
            r#"","type":"text"}]"#,
        ),
        // The first line of a text.
        (r#"[{"type":"text","text":""#, r#"\nYou are"}]"#),
        (r#"""#, r#"\nYou are""#),
        (r#"""#, r#"\r\nYou are""#),
        (r#"""#, r#"""#),
    ] {
        let key = |cch| {
            let system = format!("{before}{}{after}", line(cch));
            let body = format!(r#"{{"messages":[{{"role":"user"}}],"system":{system}}}"#);
            let prefix = messages_prefix_of(&body);
            // The same as the system message of a chat or of the Responses API.
            let chat = format!(
                r#"{{"messages":[{{"role":"system","content":{system}}},{{"role":"user"}}]}}"#
            );
            let first = format!("[{{\"role\":\"developer\",\"content\":{system}}},{{}}]");
            let response = format!(r#"{{"input":{first}}}"#);
            (prefix, prefix_of(&chat), prefix_of(&response))
        };
        assert_eq!(key(10), key(11), "{before}{after}");
        let (messages, chat, response) = key(12);
        for text in [messages, chat, response] {
            assert!(!text.contains("cch"), "{text}");
            assert_eq!(
                text.contains("You are"),
                after.contains("You are"),
                "{text}"
            );
        }
    }
    let instructions = |cch| {
        let line = line(cch);
        prefix_of(&format!(r#"{{"instructions":"{line}\nYou are"}}"#))
    };
    assert_eq!(instructions(1), "You are\"||");
    assert_eq!(instructions(2), instructions(1));
    // What a user writes later counts.
    let body = format!(
        r#"{{"messages":[{{"role":"user"}}],"system":"You are {}"}}"#,
        line(1)
    );
    assert!(messages_prefix_of(&body).contains("cch=1"));
}
