use crate::config::tests::Trial;
use crate::config::{Affinity, AffinityBy};

fn affinity(text: &str) -> Option<Affinity> {
    let config = Trial::file(&format!("[models.gpt-4o]\naffinity = {text}")).config();
    config.models["gpt-4o"].affinity.clone()
}

#[test]
fn affinity_is_off_unless_configured() {
    let by = |by, max_load| Some(Affinity { by, max_load });
    assert_eq!(affinity("{}"), None);
    for (text, expected) in [
        ("{ by = \"user\" }", by(AffinityBy::User, Some(125))),
        ("{ by = \"session\" }", by(AffinityBy::Session, Some(125))),
        (
            "{ by = \"prompt\", max_load = 0 }",
            by(AffinityBy::Prompt, None),
        ),
        (
            "{ by = \"header\", header = \"X-Session\", max_load = 200 }",
            by(
                AffinityBy::Header(http::HeaderName::from_static("x-session")),
                Some(200),
            ),
        ),
    ] {
        assert_eq!(affinity(text), expected, "{text}");
    }
}

#[test]
fn contradictory_affinity_is_an_error() {
    for (text, expected) in [
        (
            "{ by = \"header\" }",
            "affinity: header is missing; set its name, such as \"x-session-id\"",
        ),
        (
            "{ by = \"user\", header = \"x\" }",
            "affinity.header: applies only with by = \"header\"",
        ),
        (
            "{ header = \"x\" }",
            "affinity.header: applies only with by = \"header\"",
        ),
        (
            "{ by = \"header\", header = \"a b\" }",
            "affinity.header: not a header name; use letters, digits and \"-\", such as \"x-session-id\"",
        ),
        (
            "{ by = \"user\", max_load = 99 }",
            "affinity.max_load: must be from 100 to 10000, or 0 for no bound",
        ),
        (
            "{ max_load = 150 }",
            "affinity: by is missing; write by = \"user\", \"prompt\", \"session\" or \"header\"",
        ),
    ] {
        let error = Trial::file(&format!("[models.gpt-4o]\naffinity = {text}")).error();
        assert_eq!(error, format!("trunkline.toml:2: models.gpt-4o.{expected}"));
    }
}

#[test]
fn affinity_by_session_needs_headers_that_name_it() {
    let error = Trial::file(
        "[log]\nsession_headers = []\n[models.gpt-4o]\naffinity = { by = \"session\" }",
    )
    .error();
    assert_eq!(
        error,
        "trunkline.toml:4: models.gpt-4o.affinity.by: log.session_headers is empty, so that no request has a session"
    );
}

#[test]
fn a_session_is_named_in_a_header_that_may_be_logged() {
    let names = |text: &str| {
        let headers = Trial::file(text).config().session_headers;
        let names = headers.iter().map(|name| name.as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    let default = [
        "x-claude-code-session-id",
        "session-id",
        "thread-id",
        "x-session-id",
    ];
    assert_eq!(names(""), default);
    assert_eq!(names("[log]\nsession_headers = [\"X-Run\"]"), ["x-run"]);
    for (header, expected) in [
        ("a b", "not a header name"),
        ("Authorization", "carries a credential"),
        ("x-api-key", "carries a credential"),
        ("cookie", "carries a credential"),
    ] {
        let error = Trial::file(&format!("[log]\nsession_headers = [\"{header}\"]")).error();
        assert!(
            error.starts_with("trunkline.toml:2: log.session_headers[0]: "),
            "{error}"
        );
        assert!(error.contains(expected), "{error}");
    }
}
