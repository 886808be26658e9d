use crate::config::tests::Trial;
use crate::config::{Affinity, AffinityBy};

fn affinity(text: &str) -> Option<Affinity> {
    let config = Trial::file(&format!("[models.gpt-4o]\naffinity = {text}")).config();
    config.models["gpt-4o"].affinity.clone()
}

#[test]
fn requests_are_kept_together_when_it_is_asked_for() {
    let by = |by, max_load| Some(Affinity { by, max_load });
    assert_eq!(affinity("{}"), None);
    for (text, expected) in [
        ("{ by = \"user\" }", by(AffinityBy::User, Some(125))),
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
fn what_makes_no_sense_is_a_fault() {
    for (text, expected) in [
        (
            "{ by = \"header\" }",
            "affinity: header is missing; name the one to go by, such as \"x-session-id\"",
        ),
        (
            "{ by = \"user\", header = \"x\" }",
            "affinity.header: counts only with by = \"header\"",
        ),
        (
            "{ header = \"x\" }",
            "affinity.header: counts only with by = \"header\"",
        ),
        (
            "{ by = \"header\", header = \"a b\" }",
            "affinity.header: the name of a header has letters, digits and \"-\", such as \"x-session-id\"",
        ),
        (
            "{ by = \"user\", max_load = 99 }",
            "affinity.max_load: must be from 100 to 10000, or 0 for no bound",
        ),
        (
            "{ max_load = 150 }",
            "affinity: by is missing; write by = \"user\", \"prompt\" or \"header\"",
        ),
    ] {
        let fault = Trial::file(&format!("[models.gpt-4o]\naffinity = {text}")).fault();
        assert_eq!(fault, format!("trunkline.toml:2: models.gpt-4o.{expected}"));
    }
}
