//! The page from a folder, for those who work on it: debug builds only.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use super::file::{File, Form};

/// As `build.rs` has it.
const PREBUILT: &str = "TRUNKLINE_UI_DIST";

/// The files of the folder that the environment names; none when it names
/// none, or one that holds no page. Read once and kept for ever, as what is
/// built in would be.
pub fn load() -> Option<&'static [File]> {
    let folder: PathBuf = std::env::var_os(PREBUILT)?.into();
    let mut paths = vec!["docs.html".to_owned(), "index.html".to_owned()];
    for entry in fs::read_dir(folder.join("assets")).into_iter().flatten() {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?;
        if !matches!(name.rsplit_once('.'), Some((_, "br" | "gz"))) {
            paths.push(format!("assets/{name}"));
        }
    }
    paths.sort_unstable();
    let file = |path: String| {
        let form = |ending| form(&folder.join(format!("{path}{ending}")));
        Some(File {
            identity: form("")?,
            br: form(".br"),
            gzip: form(".gz"),
            path: path.leak(),
        })
    };
    let files: Option<Vec<File>> = paths.into_iter().map(file).collect();
    files.map(|files| &*files.leak())
}

fn form(path: &Path) -> Option<Form> {
    let bytes = fs::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Some(Form {
        etag: format!("\"{:016x}\"", hasher.finish()).leak(),
        bytes: bytes.leak(),
    })
}
