//! Every complete configuration in README.md and docs passes `trunkline check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::upstream::tls::{CertificateAuthority, Flaw};

/// The credentials of built-in providers that the examples use.
const CREDENTIALS: [&str; 6] = [
    "ANTHROPIC_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
];

/// One block of TOML, and the page and line where it starts.
struct Example {
    location: String,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let mut pages: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// The blocks marked `toml`. One marked `toml,fragment` is not a complete
/// configuration.
fn examples(page: &Path) -> Vec<Example> {
    let text = fs::read_to_string(page).unwrap();
    let name = page.file_name().unwrap().to_str().unwrap();
    let mut examples = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line != "```toml" {
            continue;
        }
        let block = lines.by_ref().map(|(_, line)| line);
        let block: Vec<&str> = block.take_while(|line| *line != "```").collect();
        examples.push(Example {
            location: format!("{name}:{}", number + 1),
            text: block.join("\n"),
        });
    }
    examples
}

/// The values of keys that end in `key`, also in inline tables.
fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let assigned = format!("{key} = \"");
    let values = text.split(&assigned).skip(1);
    values.map(|rest| rest.split('"').next().unwrap()).collect()
}

/// A value for a variable that an example names.
fn variable(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("ENDPOINT") => "http://127.0.0.1:4318",
        Some("URL") => "https://llm.example.com/v1",
        Some("HEADERS") => "x-scope=team-a",
        _ => "a-credential",
    }
}

/// Writes the files that an example names to `directory`, and replaces their
/// paths.
fn with_files(text: &str, directory: &Path) -> String {
    let authority = CertificateAuthority::new();
    let issued = authority.issue("127.0.0.1", Flaw::None);
    // `api_key_file` first, since `key_file` is a part of it.
    let contents = [
        ("api_key_file", "a-credential".to_owned()),
        ("cert_file", issued.pem().to_owned()),
        ("key_file", issued.key_pem()),
        ("ca_file", authority.pem().to_owned()),
    ];
    let mut local = text.to_owned();
    for (key, content) in &contents {
        for path in values(text, key) {
            let file = directory.join(key);
            fs::write(&file, content).unwrap();
            let (old, new) = (format!("\"{path}\""), format!("\"{}\"", file.display()));
            local = local.replace(&old, &new);
        }
    }
    local
}

#[track_caller]
fn check(example: &Example) {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("trunkline.toml");
    fs::write(&config, with_files(&example.text, directory.path())).unwrap();
    let named = values(&example.text, "env").into_iter();
    let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .arg("check")
        .arg("--config")
        .arg(&config)
        .env_clear()
        .envs(CREDENTIALS.map(|name| (name, variable(name))))
        .envs(named.map(|name| (name, variable(name))))
        .current_dir(directory.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", example.location);
    assert_eq!(stderr, "", "{}: a warning", example.location);
}

#[test]
fn every_complete_example_passes_check() {
    let examples: Vec<Example> = pages().iter().flat_map(|page| examples(page)).collect();
    assert!(examples.len() >= 20, "{} examples", examples.len());
    examples.iter().for_each(check);
}

#[test]
fn blocks_that_are_not_checked_are_marked() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines().filter(|line| line.starts_with("```toml")) {
            let is_known = ["```toml", "```toml,fragment"].contains(&line);
            assert!(is_known, "{}: {line}", page.display());
        }
    }
}
