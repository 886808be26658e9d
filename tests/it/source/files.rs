//! Sizes and locations of files.

use std::path::Path;

use super::{files_below, read, root};

/// A file should be readable in one sitting.
const MAX_LINES: usize = 400;

/// Tables of texts, one for each language.
const TABLES: &str = "web/src/i18n/messages";

const FOLDERS: [(&str, &[&str]); 5] = [
    ("benches", &["rs"]),
    ("fuzz/fuzz_targets", &["rs"]),
    ("src", &["rs"]),
    ("tests/it", &["rs"]),
    ("web/src", &["ts", "tsx"]),
];

#[test]
fn no_file_is_longer_than_400_lines() {
    let mut long = Vec::new();
    for (folder, extensions) in FOLDERS {
        for file in files_below(folder, extensions) {
            let lines = read(&file).lines().count();
            if lines > MAX_LINES && !file.starts_with(TABLES) {
                long.push((lines, file));
            }
        }
    }
    assert_eq!(long, []);
}

/// True where a module's own file is next to its folder (`a.rs`, `a/b.rs`).
fn is_next_to_its_folder(file: &Path) -> bool {
    file.with_extension("").is_dir()
}

#[test]
fn modules_with_children_are_folders_with_a_mod_rs() {
    for folder in ["src", "tests/it"] {
        let beside: Vec<_> = files_below(folder, &["rs"])
            .into_iter()
            .filter(|file| is_next_to_its_folder(&root().join(file)))
            .collect();
        assert_eq!(beside, [] as [&Path; 0]);
    }
    assert!(is_next_to_its_folder(&root().join("src/wire.rs")));
}
