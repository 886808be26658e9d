//! Rules that the source tree keeps.

use std::fs;
use std::path::{Path, PathBuf};

mod files;
mod layers;
mod log_messages;
mod naming;
mod waits;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file without comments, without lines for tests alone, and without the
/// tests at its end.
fn code_of(source: &str) -> String {
    let mut code = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let next = lines.next().unwrap_or_default();
            if next.contains("mod ") && next.ends_with('{') {
                break;
            }
            continue;
        }
        code.push(line.split_once("//").map_or(line, |(code, _)| code));
    }
    code.join("\n")
}

/// All files below `folder` with one of these extensions, by their path from
/// the repository's root.
fn files_below(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), extensions, &mut found);
    assert!(!found.is_empty(), "no sources in {folder}");
    found.sort();
    found
}

fn collect(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, extensions, found);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|known| extension == *known))
        {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// `src/wire/splice.rs` is the module `wire::splice`, `src/wire/mod.rs` is
/// `wire`.
fn module_of(file: &Path) -> Vec<String> {
    let file = file.strip_prefix("src").unwrap().with_extension("");
    let names = file.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// Every module and its source, except the crate's root, which names its
/// modules, and test modules, which may import anything.
fn modules() -> Vec<(Vec<String>, String)> {
    let files = files_below("src", &["rs"]);
    let modules = files.iter().map(|file| (module_of(file), read(file)));
    modules
        .filter(|(module, _)| module[..] != ["lib"] && !module.iter().any(|part| part == "tests"))
        .collect()
}
