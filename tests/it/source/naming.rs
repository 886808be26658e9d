//! The vocabulary of `docs/architecture.md`: one word for each thing, the
//! field's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{code_of, files_below, read};

/// Private words for standard nouns, and the word to use.
const BANNED: [(&str, &str); 41] = [
    ("answered", "responded"),
    ("benched", "unauthorized"),
    ("cooling", "cooldown"),
    ("curfew", "drain"),
    ("desk", "recorder, metrics"),
    ("ear", "watch"),
    ("enact", "apply"),
    ("errand", "attempt context"),
    ("follower", "inspector"),
    ("heard", "received, captured"),
    ("hearing", "guard"),
    ("heirs", "carry over"),
    ("homes", "locations"),
    ("idlest", "least loaded"),
    ("judge", "classify, assert"),
    ("judged", "classified"),
    ("kinship", "affinity"),
    ("knock", "trigger"),
    ("knocker", "reload handle"),
    ("nobody", "no client, no request"),
    ("patience", "timeout"),
    ("piece", "chunk, frame"),
    ("pieces", "chunks, frames"),
    ("place", "permit, location, target, address, span"),
    ("places", "semaphore, locations, targets"),
    ("purse", "local limit"),
    ("replies", "responses"),
    ("reply", "response"),
    ("resting", "idle"),
    ("seat", "permit"),
    ("shun", "reject"),
    ("somebody", "client, request"),
    ("spoiled", "pruned"),
    ("story", "pipeline, handle"),
    ("succeed", "next generation, reconfigure"),
    ("told", "result, message"),
    ("unwell", "unhealthy"),
    ("vigil", "connection state"),
    ("vitals", "health"),
    ("whoever", "client, request"),
    ("withheld", "over budget"),
];

/// Banned in Rust, where no text is a model's answer.
const BANNED_IN_RUST: [(&str, &str); 2] = [("answer", "response"), ("answers", "responses")];

/// What strings begin and end with; in Rust a single quote may begin a lifetime.
const RUST: &[char] = &['"'];
const TYPESCRIPT: &[char] = &['"', '\'', '`'];

/// Banned in prose as well.
const BANNED_IN_TEXT: [&str; 8] = [
    "curfew", "errand", "kinship", "nobody", "purse", "told", "vigil", "whoever",
];

/// The identifiers of a source in a language with these quotes of strings.
fn identifiers<'s>(source: &'s str, quotes: &[char]) -> Vec<&'s str> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") {
            // A character that begins no string.
            3
        } else if quotes.contains(&first) {
            quoted(rest, first)
        } else if first.is_alphanumeric() || first == '_' {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            found.push(&rest[..length]);
            length
        } else {
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// Length of the string literal that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == quote && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// The words of `snake_case`, `UPPER_CASE`, `CamelCase` and `mixedCase`, in
/// lower case.
fn words(identifier: &str) -> Vec<String> {
    let is_upper_case = !identifier.contains(char::is_lowercase);
    let mut words = vec![String::new()];
    for letter in identifier.chars() {
        if letter == '_' || (letter.is_uppercase() && !is_upper_case) {
            words.push(String::new());
        }
        if letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn banned(identifier: &str, is_rust: bool) -> Option<String> {
    let words = words(identifier);
    let only_in_rust = BANNED_IN_RUST.iter().filter(|_| is_rust);
    let (word, instead) = BANNED
        .iter()
        .chain(only_in_rust)
        .find(|(banned, _)| words.iter().any(|word| word == banned))?;
    Some(format!("`{identifier}`: instead of \"{word}\": {instead}"))
}

#[test]
fn identifiers_use_the_words_of_the_field() {
    let mut found = Vec::new();
    for folder in ["benches", "fuzz/fuzz_targets", "src", "tests/it", "web/src"] {
        for file in files_below(folder, &["rs", "ts", "tsx"]) {
            let name = file.with_extension("");
            let name = name.file_name().unwrap().to_str().unwrap();
            let source = read(&file);
            let is_rust = file.extension().is_some_and(|extension| extension == "rs");
            let mut names = identifiers(&source, if is_rust { RUST } else { TYPESCRIPT });
            names.push(name);
            names.sort_unstable();
            names.dedup();
            let names = names.into_iter().filter_map(|name| banned(name, is_rust));
            found.extend(names.map(|reason| format!("{}: {reason}", file.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn prose_uses_the_words_of_the_field() {
    let mut files = files_below("src", &["rs", "md", "json", "html"]);
    files.extend(files_below("docs", &["md"]));
    files.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from));
    let mut found = Vec::new();
    for file in files {
        for (number, line) in read(&file).lines().enumerate() {
            let mut words = line.split(|letter: char| !letter.is_alphanumeric());
            let word = words.find(|word| BANNED_IN_TEXT.contains(&word.to_lowercase().as_str()));
            found.extend(word.map(|word| format!("{}:{}: {word}", file.display(), number + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Names of the public types at the top level of a source.
fn public_types(source: &str) -> Vec<String> {
    let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
    let declared = code_of(source);
    let declared = declared.lines().filter(|line| line.starts_with("pub"));
    declared
        .filter_map(|line| {
            let (_, name) = kinds.iter().find_map(|kind| line.split_once(kind))?;
            let end = name.find(|letter: char| !letter.is_alphanumeric());
            Some(name[..end.unwrap_or(name.len())].to_owned())
        })
        .collect()
}

/// `config::raw` mirrors the checked types of `config` by name.
#[test]
fn a_public_type_has_a_name_of_its_own() {
    let mut types = BTreeMap::<String, Vec<String>>::new();
    for file in files_below("src", &["rs"]) {
        if file.starts_with("src/config/raw") {
            continue;
        }
        for name in public_types(&read(&file)) {
            types
                .entry(name)
                .or_default()
                .push(file.display().to_string());
        }
    }
    assert!(types.len() > 100, "types are no longer found");
    types.retain(|_, files| files.len() > 1);
    assert!(types.is_empty(), "{types:#?}");
}

#[test]
fn banned_words_are_found_in_every_spelling() {
    for identifier in ["told", "Told", "is_told", "isTold", "TOLD_AT"] {
        let source = format!("let {identifier} = 1;");
        let is_found = identifiers(&source, RUST)
            .into_iter()
            .any(|name| banned(name, true).is_some());
        assert!(is_found, "{identifier}");
    }
    for source in [
        "replace",
        "// told",
        "\"told\"",
        "/* told */",
        "`told`",
        "'told'",
    ] {
        let names = identifiers(source, TYPESCRIPT);
        let is_found = names.into_iter().any(|name| banned(name, true).is_some());
        assert!(!is_found, "{source}");
    }
    for source in ["'\"', told", "\"\\\"\" told"] {
        let names = identifiers(source, RUST);
        assert_eq!(names, ["told"], "{source}");
    }
    assert_eq!(
        public_types("pub struct A;\npub(crate) enum B<T> {\n    pub struct C;\nstruct D;"),
        ["A", "B"]
    );
}
