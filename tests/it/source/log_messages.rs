//! Every message of the log is in `docs/logs.md`.

use super::{code_of, files_below, read};

const MACROS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];

/// The arguments of a macro, up to its closing parenthesis.
fn arguments(rest: &str) -> &str {
    let (mut depth, mut is_text, mut is_escaped) = (1, false, false);
    let end = rest.find(|letter| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_text,
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &rest[..end.unwrap_or(rest.len())]
}

/// The messages of the macros in a source: the text that is their last argument.
fn messages(source: &str) -> Vec<String> {
    let code = code_of(source);
    let mut found = Vec::new();
    for name in MACROS {
        for (at, _) in code.match_indices(name) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let arguments = arguments(&code[at + name.len()..]).trim_end();
            let arguments = arguments.trim_end_matches(',').trim_end();
            let message = arguments.strip_suffix('"').and_then(|text| {
                let start = text.rfind('"')?;
                Some(text[start + 1..].to_owned())
            });
            found.push(message.unwrap_or_else(|| format!("no message in {arguments:?}")));
        }
    }
    found
}

#[test]
fn every_message_of_the_log_is_documented() {
    let docs = read("docs/logs.md".as_ref());
    let mut missing = Vec::new();
    let mut count = 0;
    for file in files_below("src", &["rs"]) {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        for message in messages(&read(&file)) {
            count += 1;
            if !docs.contains(&format!("`{message}`")) {
                missing.push(format!("{}: {message}", file.display()));
            }
        }
    }
    assert!(count > 30, "messages are no longer found");
    assert!(missing.is_empty(), "not in docs/logs.md: {missing:#?}");
}

#[test]
fn messages_are_found_in_every_spelling() {
    let source = "info!(\"a\");\nwarn!(%error, reason = f(\")\"), \"b c\");\n\
                  tracing::debug!(\n    x,\n    \"d\",\n);\nmy_error!(\"no\");\n// info!(\"no\")";
    let mut found = messages(source);
    found.sort();
    assert_eq!(found, ["a", "b c", "d"]);
}
